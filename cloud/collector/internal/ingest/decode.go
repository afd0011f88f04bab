package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/collector/internal/broker"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A piece is one message, decoded: what of it goes into the next transaction, and
// how to answer it afterwards.
type piece struct {
	ack  func()
	size int64
	// batch names the batch to acknowledge to its edge; its Edge is empty when
	// there is none.
	batch store.BatchID
	// poison says that the batch was rejected as a whole and must not be recorded
	// as received: another one may bear its name rightly.
	poison   bool
	readings []traffic.Reading
	rejected []traffic.Rejected
	gaps     []traffic.Gap
	// hello names the edge that asks whether we are here; empty for all others.
	hello traffic.EdgeID
	// ticket counts the messages in the order in which they came, from 1; void says that
	// there is nothing else.
	ticket uint64
	void   bool
	// unread says that the message is not for this program and is left unanswered.
	unread bool
}

// A decoder judges messages. It may be used from several goroutines at once.
type decoder struct {
	scorer  *score.Scorer
	now     func() time.Time
	metrics *metrics
}

func (d *decoder) decode(m broker.Message) piece {
	p := piece{ack: m.Ack, size: int64(len(m.Payload))}
	if isSensorTopic(m.Topic) {
		d.sensor(&p, m)
	} else {
		d.batch(&p, m)
	}
	d.metrics.received.Add(float64(len(p.readings)))
	d.score(p.readings)
	return p
}

func isSensorTopic(topic string) bool {
	return topic == wire.SensorTopicAlt || strings.HasPrefix(topic, strings.TrimSuffix(wire.SensorFilter, "+"))
}

// scoreSteps is how many steps a score has between 0 and 1: nobody sees finer ones, and a
// database compresses binary fractions to a third. Rounded to three decimals, as edges
// round them, they are what the edge sent.
const scoreSteps = 1024

// score scores what the edge did not, and rounds all scores.
func (d *decoder) score(rs []traffic.Reading) {
	for i := range rs {
		if !rs[i].Score.Known() {
			d.scorer.Score(rs[i:])
			break
		}
	}
	for i := range rs {
		if v, ok := rs[i].Score.Get(); ok {
			rs[i].Score = traffic.Some(math.Round(v*scoreSteps) / scoreSteps)
		}
	}
}

func (d *decoder) sensor(p *piece, m broker.Message) {
	res := wire.DecodeSensor(m.Topic, m.Payload, d.now())
	p.readings, p.rejected = res.Readings, res.Rejected
	for i, r := range p.rejected {
		p.rejected[i] = d.tidyRejected(r, "")
		d.fail(r.Reason, 1)
	}
}

// fail counts n readings that are received and not stored.
func (d *decoder) fail(r traffic.Reason, n int) {
	d.metrics.received.Add(float64(n))
	d.metrics.failed(r).Add(float64(n))
}

func (d *decoder) batch(p *piece, m broker.Message) {
	edge, err := wire.EdgeOfTopic(m.Topic)
	if err == nil {
		err = checkEdge(edge)
	}
	if err != nil {
		d.poison(p, m, "", traffic.ReasonID, err)
		return
	}
	b, err := wire.DecodeBatch(m.Payload)
	switch {
	case errors.Is(err, wire.ErrVersion):
		p.unread = true // the edge keeps it until a collector is there that reads it
		d.metrics.newer.Inc()
		return
	case err != nil:
		d.unreadable(p, m, edge, err)
		return
	case b.IsHello() && b.Edge == edge:
		p.hello = edge
		return
	}
	p.batch = store.BatchID{Edge: edge, Epoch: b.Epoch, Seq: b.Seq}
	if b.Edge != edge {
		d.fail(traffic.ReasonID, max(0, len(b.Readings)-1))
		d.poison(p, m, edge, traffic.ReasonID, fmt.Errorf("the batch says it is from edge %.128q, its topic says %q", b.Edge, edge))
		return
	}
	d.check(p, m.Topic, b)
}

// unreadable rejects a batch whose content cannot be had. Where its header still names
// it, the edge is told to forget it: it would come again for ever, and as broken.
func (d *decoder) unreadable(p *piece, m broker.Message, edge traffic.EdgeID, why error) {
	if h, err := wire.PeekHeader(m.Payload); err == nil && errors.Is(why, wire.ErrDamaged) {
		p.batch = store.BatchID{Edge: edge, Epoch: h.Epoch, Seq: h.Seq}
	}
	reason := traffic.ReasonParse
	if len(m.Payload) > wire.MaxBatchBytes {
		reason = traffic.ReasonSize
	}
	d.poison(p, m, edge, reason, why)
}

// poison rejects a message as a whole. It counts as one reading: how many it had
// may be unknown.
func (d *decoder) poison(p *piece, m broker.Message, edge traffic.EdgeID, reason traffic.Reason, why error) {
	p.poison = true
	d.fail(reason, 1)
	p.rejected = []traffic.Rejected{d.rejected(edge, m.Topic, m.Payload, reason, why)}
}

func (d *decoder) rejected(edge traffic.EdgeID, origin string, payload []byte, reason traffic.Reason, why error) traffic.Rejected {
	return traffic.Rejected{
		At: d.now().UTC().Truncate(traffic.Resolution), Edge: edge, Origin: clean(origin),
		Payload: bytes.Clone(payload[:min(len(payload), traffic.MaxRejectedPayload)]),
		Reason:  reason, Detail: clean(why.Error()),
	}
}

// check judges the readings of a batch once more: an edge is another machine, with
// another clock and perhaps another version.
func (d *decoder) check(p *piece, topic string, b *wire.Batch) {
	limit := d.now().Add(clockTolerance)
	p.readings = b.Readings[:0]
	for i := range b.Readings {
		r := &b.Readings[i]
		tidy(r, p.batch.Edge)
		err := r.Validate(limit)
		if err == nil {
			p.readings = append(p.readings, *r)
			continue
		}
		reason := traffic.ReasonOf(err)
		d.fail(reason, 1)
		payload, _ := wire.EncodeSensor([]traffic.Reading{*r}) // what JSON cannot hold is in the detail
		p.rejected = append(p.rejected, d.rejected(p.batch.Edge, topic, payload, reason, err))
	}
	for _, g := range b.Gaps {
		p.gaps = append(p.gaps, d.tidyGap(g, p.batch.Edge))
		d.metrics.gaps.Add(1)
	}
	d.metrics.edgeRejected.Add(float64(len(b.Rejected)))
	for _, r := range b.Rejected {
		p.rejected = append(p.rejected, d.tidyRejected(r, p.batch.Edge))
	}
}
