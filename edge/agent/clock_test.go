package agent

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/edge/clock"
	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// unset makes the machine's clock one that is not believed: as if it had booted long ago.
// The true time is then a day later than the machine says.
func unset(cfg *Config) (truth func() time.Time) {
	cfg.Clock.Mode, cfg.Clock.Built = clock.Auto, time.Now().Add(time.Hour)
	return func() time.Time { return time.Now().Add(24 * time.Hour) }
}

// What arrives before the time is known is kept, and delivered with the right times once a
// collector said what time it is; an earlier process of the same boot left some.
func TestUnknownTime(t *testing.T) {
	cfg := testConfig(filepath.Join(t.TempDir(), "buffer"))
	truth := unset(&cfg)
	own := truth().Truncate(time.Second).Add(-time.Hour)
	for process := range 2 {
		a := newAgent(t, cfg)
		stop := running(t, a.Run)
		sensor := farend.Dial(t, a.Addr(), "sensor")
		publish(t, sensor, wire.SensorTopicAlt, 1, fmt.Appendf(nil, `[
			{"sensor_id":"none-%d","speed_kmh":50},
			{"sensor_id":"own-%d","speed_kmh":50,"ts":%q},
			{"sensor_id":"bad","speed_kmh":5000}]`, process, process, own.Format(time.RFC3339)))
		scores := make(chan []byte, 10)
		sensor.Subscribe("cityflow/score/none-"+fmt.Sprint(process), 1, func(_ mqtt.Client, m mqtt.Message) { scores <- m.Payload() })
		select {
		case p := <-scores:
			if strings.Contains(string(p), `"ts"`) {
				t.Errorf("the score tells a time: %s", p)
			}
		case <-time.After(farend.Patience):
			t.Fatal("no score is retained")
		}
		if s := a.Status(); s.At != nil || s.Clock.Source != "unknown" || s.Buffer.Undated != uint64(process+1) {
			t.Errorf("status %+v, clock %+v, buffer %+v", s, s.Clock, s.Buffer)
		}
		stop()
	}
	before := truth()
	a := start(t, cfg)
	got := make(chan traffic.Reading, 100)
	c := farend.Start(t, a.Addr(), func(c *farend.Collector, b *wire.Batch) {
		for _, r := range b.Readings {
			got <- r
		}
		farend.AckAtOnce(c, b)
	})
	c.Clock(truth)
	for range 4 {
		select {
		case r := <-got:
			switch stamped := strings.HasPrefix(string(r.Sensor), "none"); {
			case stamped && (before.Sub(r.At).Abs() > farend.Patience || r.Quality != traffic.QualityReceiveTime|traffic.QualityClock):
				t.Errorf("a reading without a time has %s, %b; want about %s", r.At, r.Quality, before)
			case !stamped && (!r.At.Equal(own) || r.Quality != 0):
				t.Errorf("a reading of %s has %s, %b", own, r.At, r.Quality)
			}
		case <-time.After(farend.Patience):
			t.Fatal("not all readings arrive")
		}
	}
	farend.WaitFor(t, "the rejections", func() bool { return len(c.Rejected()) == 2 })
	for _, r := range c.Rejected() {
		if before.Sub(r.At).Abs() > farend.Patience {
			t.Errorf("a rejection has the time %s, want about %s", r.At, before)
		}
	}
	s := a.Status()
	if s.Clock.Source != "server" || s.At == nil || truth().Sub(*s.At).Abs() > 5*time.Second || s.Clock.OffsetS == nil {
		p, _ := json.Marshal(s)
		t.Errorf("status %s", p)
	}
}
