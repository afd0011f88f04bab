package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/bustest"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, addr string) *Bus {
	t.Helper()
	b, err := Open(t.Context(), "redis://"+addr+"/0", slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// raw is what a program that is not ours sees.
func raw(t *testing.T, addr string) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: addr})
	t.Cleanup(func() { c.Close() })
	return c
}

func TestBus(t *testing.T) {
	server := rig.StartRedis(t)
	bustest.Test(t, func(t *testing.T) bus.Bus {
		if err := raw(t, server.Addr()).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return open(t, server.Addr())
	})
}

func TestOpenRefusesURL(t *testing.T) {
	for _, url := range []string{"", "http://localhost", "redis://localhost/notanumber"} {
		if _, err := Open(t.Context(), url, nil); err == nil {
			t.Errorf("Open(%q): no error", url)
		}
	}
}

func TestBetweenProcesses(t *testing.T) {
	server := rig.StartRedis(t)
	sub := open(t, server.Addr())
	in := bustest.Subscribe(t, sub, bus.TopicLive, bus.TopicReroutes)
	first, second := open(t, server.Addr()), open(t, server.Addr())
	for i := range 10 {
		for _, pub := range []*Bus{first, second} {
			bustest.Publish(t, pub, bustest.Live(i))
			if e := bustest.Next(t, in); bustest.Number(t, e) != i || e.Missed != 0 {
				t.Fatalf("heard %d with Missed %d, want %d with 0", bustest.Number(t, e), e.Missed, i)
			}
		}
	}
}

// A topic that nobody here listened to for a while is not reported as lost.
func TestResubscribe(t *testing.T) {
	server := rig.StartRedis(t)
	sub, pub := open(t, server.Addr()), open(t, server.Addr())
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		in, err := sub.Subscribe(ctx, bus.TopicLive)
		if err != nil {
			t.Fatal(err)
		}
		bustest.Publish(t, pub, bustest.Live(1))
		if e := bustest.Next(t, in); e.Missed != 0 {
			t.Errorf("Missed %d in a new subscription, want 0", e.Missed)
		}
		cancel()
		for range in {
		}
		bustest.Publish(t, pub, bustest.Live(2))
	}
}

// Redis is killed under load and comes back on the same port.
func TestServerKilled(t *testing.T) {
	server := rig.StartRedis(t)
	sub, pub := open(t, server.Addr()), open(t, server.Addr())
	in := bustest.Subscribe(t, sub, bus.TopicLive)
	bustest.Publish(t, pub, bustest.Live(1))
	bustest.Next(t, in)

	server.Kill(t)
	for range 3 {
		began := time.Now()
		if err := pub.Publish(t.Context(), bustest.Live(2)); err == nil {
			t.Error("Publish without a server: no error")
		}
		if took := time.Since(began); took > publishTimeout+time.Second {
			t.Errorf("Publish without a server took %v", took)
		}
	}
	if err := pub.Ping(t.Context()); err == nil {
		t.Error("Ping without a server: no error")
	}
	server.Start(t)

	e := nextAfterOutage(t, pub, in)
	if e.Missed < 3 {
		t.Errorf("Missed %d after the outage, want the three that failed at least", e.Missed)
	}
	bustest.Publish(t, pub, bustest.Live(4))
	for bustest.Number(t, e) != 4 {
		if e = bustest.Next(t, in); e.Missed != 0 {
			t.Errorf("Missed %d after the first event since the outage, want 0", e.Missed)
		}
	}
}

// nextAfterOutage publishes until an event arrives, for a publisher and a
// subscriber that find the server again each in its own time.
func nextAfterOutage(t *testing.T, pub *Bus, in <-chan bus.Event) bus.Event {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		err := pub.Publish(t.Context(), bustest.Live(3))
		select {
		case e := <-in:
			return e
		case <-time.After(50 * time.Millisecond):
		}
		if err != nil {
			t.Logf("not yet: %v", err)
		}
	}
	t.Fatal("no event arrived after the outage")
	panic("unreachable")
}

func TestServerAbsentAtStart(t *testing.T) {
	server := rig.StartRedis(t)
	server.Stop(t)
	b := open(t, server.Addr())
	in := bustest.Subscribe(t, b, bus.TopicLive)
	server.Start(t)
	if e := nextAfterOutage(t, b, in); e.Missed == 0 {
		t.Error("the first event has Missed 0: what came before the server did is unknown")
	}
}

// A server that takes connections and says nothing is found out.
func TestServerSilent(t *testing.T) {
	server := rig.StartRedis(t)
	relay := rig.StartRelay(t, server.Addr())
	sub, pub := open(t, relay.Addr()), open(t, server.Addr())
	sub.link.pingEvery, sub.link.silentFor = 50*time.Millisecond, 300*time.Millisecond
	in := bustest.Subscribe(t, sub, bus.TopicLive)
	bustest.Publish(t, pub, bustest.Live(1))
	bustest.Next(t, in)

	relay.Freeze(true)
	bustest.Publish(t, pub, bustest.Live(2))
	began := time.Now()
	if err := sub.Publish(t.Context(), bustest.Live(0)); err == nil {
		t.Error("Publish to a silent server: no error")
	}
	if took := time.Since(began); took > publishTimeout+time.Second {
		t.Errorf("Publish to a silent server took %v", took)
	}
	relay.Freeze(false)
	if e := nextAfterOutage(t, pub, in); e.Missed == 0 {
		t.Error("Missed 0 after the link fell silent")
	}
}

func TestLatestHash(t *testing.T) {
	server := rig.StartRedis(t)
	b, c := open(t, server.Addr()), raw(t, server.Addr())
	at := time.Date(2026, 3, 2, 8, 5, 0, 0, time.UTC)
	put := func(at time.Time, kmh float64) {
		bustest.Publish(t, b, bus.Event{Topic: bus.TopicLive, Roads: []traffic.RoadState{{
			Reading: traffic.Reading{At: at, Sensor: "S", Road: "R", Speed: traffic.Some(kmh)},
		}}})
	}
	for _, step := range []struct {
		name string
		at   time.Time
		kmh  float64
		want float64
	}{
		{"first", at, 1, 1},
		{"newer by a microsecond", at.Add(time.Microsecond), 2, 2},
		{"late", at, 3, 2},
		{"late by a year", at.AddDate(-1, 0, 0), 4, 2},
		{"same time", at.Add(time.Microsecond), 5, 5},
		{"newer, in another zone", at.Add(time.Minute).In(time.FixedZone("", -7200)), 6, 6},
	} {
		put(step.at, step.kmh)
		var got struct {
			TS    time.Time `json:"ts"`
			Road  string    `json:"road_id"`
			Speed float64   `json:"speed_kmh"`
		}
		text, err := c.HGet(t.Context(), "cityflow:latest", "R").Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got.Speed != step.want || got.Road != "R" {
			t.Errorf("%s: the hash has %s, want %g km/h", step.name, text, step.want)
		}
	}
}

// More roads than one call of the script takes.
func TestLatestHashOfManyRoads(t *testing.T) {
	const roads = 2500
	server := rig.StartRedis(t)
	b, c := open(t, server.Addr()), raw(t, server.Addr())
	e := bus.Event{Topic: bus.TopicLive}
	for i := range roads {
		e.Roads = append(e.Roads, bustest.Live(i).Roads[0])
		e.Roads[i].Road = traffic.RoadID(fmt.Sprint(i))
	}
	bustest.Publish(t, b, e)
	if n := c.HLen(t.Context(), latestKey).Val(); n != roads {
		t.Errorf("the hash has %d roads, want %d", n, roads)
	}
	c.HSet(t.Context(), latestKey, "7", "not ours")
	bustest.Publish(t, b, e)
	if text := c.HGet(t.Context(), latestKey, "7").Val(); !strings.HasPrefix(text, `{"ts"`) {
		t.Errorf("an entry that nobody can read stayed: %s", text)
	}
}

// What is on the channels is for others too: the names are a contract.
func TestChannelsAreReadable(t *testing.T) {
	server := rig.StartRedis(t)
	ps := raw(t, server.Addr()).Subscribe(t.Context(), "cityflow:live", "cityflow:predictions", "cityflow:reroutes")
	defer ps.Close()
	if _, err := ps.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := open(t, server.Addr())
	want := map[string][]string{
		"roads":       {"ts", "sensor_id", "road_id", "speed_kmh", "flow_rate", "occupancy", "congestion_score", "label", "lat", "lng"},
		"predictions": {"ts", "road_id", "horizon_min", "congestion_score", "confidence", "model_version"},
		"reroutes":    {"ts", "route_id", "alt_route_id", "reason", "estimated_co2_gain", "eta_gain_min", "path", "status"},
	}
	for _, e := range bustest.Events()[:3] {
		bustest.Publish(t, b, e)
		m, err := ps.ReceiveMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(m.Payload), &got); err != nil {
			t.Fatalf("%s: %v", m.Payload, err)
		}
		for list, names := range want {
			var items []map[string]any
			if json.Unmarshal(got[list], &items) != nil {
				continue
			}
			for _, name := range names {
				if _, ok := items[0][name]; !ok {
					t.Errorf("%s has no %s: %s", m.Channel, name, m.Payload)
				}
			}
			delete(want, list)
		}
	}
	if len(want) != 0 {
		t.Errorf("no message with %v", want)
	}
}

// Strangers on our channels do no harm.
func TestForeignMessages(t *testing.T) {
	server := rig.StartRedis(t)
	b, c := open(t, server.Addr()), raw(t, server.Addr())
	in := bustest.Subscribe(t, b, bus.TopicLive)
	for _, payload := range []string{
		"", "hello", "{}", "null", "[1]", `{"publisher":"p","seq":1,"part":2,"parts":1}`,
		`{"publisher":"p","seq":1,"part":1,"parts":99999999}`, `{"publisher":"q","seq":1,"part":1,"parts":1,"reroutes":[{}]}`,
	} {
		if err := c.Publish(t.Context(), "cityflow:live", payload).Err(); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Publish(t, b, bustest.Live(7))
	if got := bustest.Number(t, bustest.Next(t, in)); got != 7 {
		t.Errorf("heard event %d, want 7", got)
	}
}
