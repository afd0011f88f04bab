package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// onRoad are readings of one road at the same speed.
func onRoad(from, n int, speed float64) []traffic.Reading {
	rs := make([]traffic.Reading, n)
	for i := range rs {
		rs[i] = traffic.Reading{
			Sensor: "m", Road: "m", At: traffictest.Base().Add(time.Duration(from+i) * time.Second), Speed: traffic.Some(speed),
		}
	}
	return rs
}

// scoreOf waits for the score of a road at a time.
func scoreOf(t *testing.T, a *Agent, at time.Time) float64 {
	t.Helper()
	scores := make(chan scoreJSON, 100)
	sign := farend.Dial(t, a.Addr(), fmt.Sprint("sign-", at.Unix()))
	sign.Subscribe(wire.ScoreTopic("m"), 1, func(_ mqtt.Client, m mqtt.Message) {
		var s scoreJSON
		if err := json.Unmarshal(m.Payload(), &s); err != nil {
			t.Error(err)
		}
		scores <- s
	})
	for end := time.After(farend.Patience); ; {
		select {
		case s := <-scores:
			if s.At != nil && s.At.Equal(at) {
				return s.Score
			}
		case <-end:
			t.Fatalf("no score for %s", at)
		}
	}
}

// While the centre is away, signs get scores, and what is normal on a road is remembered
// over a restart; a file of it that is damaged does no harm.
func TestLocalUseWithoutACentre(t *testing.T) {
	cfg := testConfig(filepath.Join(t.TempDir(), "buffer"))
	cfg.StateDir = filepath.Dir(cfg.Buffer.Dir)
	cfg.Uplink.URL = "tcp://127.0.0.1:9" // nobody is there
	for i, want := range []float64{0.5, 0.5, 0} {
		a := newAgent(t, cfg)
		stop := running(t, a.Run)
		sensor := farend.Dial(t, a.Addr(), "sensor")
		if i == 0 { // a road learns that 110 km/h is normal
			publish(t, sensor, wire.SensorTopicAlt, 1, encodeSensor(t, onRoad(0, score.MinSamples, 110)...))
		}
		half := onRoad(1000+i, 1, 55)
		publish(t, sensor, wire.SensorTopicAlt, 1, encodeSensor(t, half...))
		if got := scoreOf(t, a, half[0].At); got != want {
			t.Errorf("process %d: half of the normal speed has the score %v, want %v", i, got, want)
		}
		stop()
		if i == 1 {
			if err := os.WriteFile(a.scoresPath(), []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
