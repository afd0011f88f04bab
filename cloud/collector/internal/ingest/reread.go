package ingest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/collector/internal/broker"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// errNoMessage is why a record cannot be judged again that holds no message.
var errNoMessage = errors.New("not a message of a sensor or an edge: mend its source and import that again")

// errCut is why one cannot that is longer than what is kept.
var errCut = fmt.Errorf("only its first %d bytes were kept", traffic.MaxRejectedPayload)

// A Rereader judges refused messages once more, by the rules of this version. It may not be
// used from several goroutines at once.
type Rereader struct {
	decoder decoder
	now     time.Time
}

// NewRereader returns a rereader with a wall clock.
func NewRereader(now func() time.Time) *Rereader {
	r := &Rereader{}
	var none atomic.Int64
	r.decoder = decoder{scorer: score.NewScorer(maxRoads), metrics: newMetrics(prometheus.NewRegistry(), &none, &none)}
	r.decoder.now = func() time.Time {
		if r.now.IsZero() {
			return now()
		}
		return r.now
	}
	return r
}

// Reread returns what the message brings, and the record as settled. The error says why it
// stays refused. The same record always brings the same readings.
func (r *Rereader) Reread(old *traffic.Rejected) (store.Delivery, error) {
	topic, err := topicOf(old)
	if err != nil {
		return store.Delivery{}, err
	}
	// A reading without a time is of when it came; one that was too far in the future
	// then may be right by now.
	r.now = old.At
	p := r.decoder.decode(broker.Message{Topic: topic, Payload: old.Payload})
	if r.now = (time.Time{}); refusal(&p) != nil {
		p = r.decoder.decode(broker.Message{Topic: topic, Payload: old.Payload})
		for i := range p.readings {
			if p.readings[i].Quality&traffic.QualityReceiveTime != 0 {
				return store.Delivery{}, errors.New("it has no time, and was not valid when it came")
			}
		}
	}
	if err := refusal(&p); err != nil {
		if len(old.Payload) >= traffic.MaxRejectedPayload {
			err = errCut
		}
		return store.Delivery{}, err
	}
	for i := range p.readings {
		p.readings[i].Edge = old.Edge
	}
	return store.Delivery{Readings: p.readings, Rejected: p.rejected, Gaps: p.gaps, Settled: []string{old.ID}}, nil
}

// topicOf is the topic to judge a record by. Readings of a batch were refused one by one
// and kept as a sensor would have sent them.
func topicOf(old *traffic.Rejected) (string, error) {
	text := strings.TrimSpace(string(old.Payload))
	_, err := wire.EdgeOfTopic(old.Origin)
	switch {
	case strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
		if isSensorTopic(old.Origin) {
			return old.Origin, nil
		}
		return wire.SensorTopicAlt, nil
	case err == nil || isSensorTopic(old.Origin):
		return old.Origin, nil
	}
	return "", errNoMessage
}

// refusal is why a message is not taken as a whole, nil when it is.
func refusal(p *piece) error {
	switch {
	case p.unread:
		return wire.ErrVersion
	case p.batch.Edge != "" && !p.poison:
		return nil // what is wrong with single readings is recorded anew
	case len(p.rejected) > 0:
		return fmt.Errorf("%s: %s", p.rejected[0].Reason, p.rejected[0].Detail)
	case len(p.readings) == 0:
		return errors.New("it holds no reading")
	}
	return nil
}
