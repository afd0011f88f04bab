package agent

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/edge/internal/farend"
	"github.com/2zrhun/city-flow/edge/remote"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A centre is a broker with a collector, where somebody leaves settings and reads statuses.
type centre struct {
	addr     string
	operator mqtt.Client
	statuses chan Status
}

func startCentre(t *testing.T) *centre {
	t.Helper()
	c := &centre{addr: rig.Mosquitto(t), statuses: make(chan Status, 1000)}
	farend.Start(t, c.addr, farend.AckAtOnce)
	c.operator = farend.Dial(t, c.addr, "operator")
	c.operator.Subscribe(wire.StatusTopic("E1"), 1, func(_ mqtt.Client, m mqtt.Message) {
		var s Status
		if err := json.Unmarshal(m.Payload(), &s); err != nil {
			t.Errorf("status %s: %v", m.Payload(), err)
		}
		c.statuses <- s
	})
	return c
}

// leave leaves settings, retained.
func (c *centre) leave(t *testing.T, version int, settings string) {
	t.Helper()
	payload := fmt.Sprintf(`{"version":%d,"settings":%s}`, version, settings)
	if token := c.operator.Publish(wire.ConfigTopic("E1"), 1, true, payload); !token.WaitTimeout(farend.Patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
}

// want waits for a status that says so.
func (c *centre) want(t *testing.T, version uint64, result remote.Result, reason string) {
	t.Helper()
	var last Status
	for end := time.After(farend.Patience); ; {
		select {
		case last = <-c.statuses:
			if s := last.Config; s != nil && s.Version == version && s.Result == result && strings.Contains(s.Reason, reason) {
				return
			}
		case <-end:
			t.Fatalf("the status is %+v, config %+v; want version %d %s because of %q", last, last.Config, version, result, reason)
		}
	}
}

// Settings from the centre: applied live, refused, rolled back when the centre is not
// reached, and kept over a restart, also one in the middle.
func TestRemoteSettings(t *testing.T) {
	first, second := startCentre(t), startCentre(t)
	cfg := testConfig(filepath.Join(t.TempDir(), "buffer"))
	cfg.StateDir = filepath.Dir(cfg.Buffer.Dir)
	cfg.Uplink.URL = "tcp://" + first.addr
	cfg.LogLevel = new(slog.LevelVar)
	cfg.Remote.Limit = time.Second
	a := newAgent(t, cfg)
	stop := running(t, a.Run)

	first.leave(t, 1, `{"commit-interval":"20ms","buffer-mib":512,"window":5,"status-interval":"1s","log-level":"debug"}`)
	first.want(t, 1, remote.Applied, "")
	if s := a.Status(); s.Buffer.MaxBytes != 512<<20 || s.Uplink.Window > 5 || cfg.LogLevel.Level() != slog.LevelDebug {
		t.Errorf("status %+v, %+v, log level %s", s.Buffer, s.Uplink, cfg.LogLevel.Level())
	}
	first.leave(t, 2, `{"central-url":"http://x","window":5}`)
	first.want(t, 2, remote.Refused, `"http://x"`)
	first.leave(t, 3, `{"central-url":"tcp://127.0.0.1:9"}`)
	first.want(t, 3, remote.RolledBack, "no answer")
	if s := a.Status(); s.Buffer.MaxBytes != 512<<20 || s.Uplink.URL != cfg.Uplink.URL {
		t.Errorf("after the roll-back: %+v, %+v", s.Buffer, s.Uplink)
	}
	first.leave(t, 4, fmt.Sprintf(`{"central-url":%q}`, "tcp://"+second.addr))
	second.want(t, 4, remote.Applied, "")
	if s := a.Status(); s.Buffer.MaxBytes != cfg.Buffer.MaxBytes || cfg.LogLevel.Level() != slog.LevelInfo {
		t.Errorf("what version 4 does not name is not the box's own: %+v, log level %s", s.Buffer, cfg.LogLevel.Level())
	}
	stop()

	cfg.Remote.Limit = time.Minute
	a = newAgent(t, cfg)
	stop = running(t, a.Run)
	second.want(t, 4, remote.Applied, "")
	second.leave(t, 5, `{"central-url":"tcp://127.0.0.1:9"}`)
	farend.WaitFor(t, "the trial", func() bool { return a.Status().Config.Result == remote.Pending })
	stop()

	a = newAgent(t, cfg)
	running(t, a.Run)
	second.want(t, 5, remote.RolledBack, "ended before")
	sensor := farend.Dial(t, a.Addr(), "sensor")
	publish(t, sensor, wire.SensorTopicAlt, 1, encodeSensor(t, traffictest.Readings("s", 10)...))
	farend.WaitFor(t, "the buffer to drain", func() bool { return a.buffer.Stats().Batches == 0 })
}
