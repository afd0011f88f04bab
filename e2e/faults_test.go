package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/system"
)

// faults are the long steps: what happens to services, one after the other.
func (c *cluster) faults() []step {
	return []step{
		{"a collector is killed", c.collectorKilled},
		{"an edge is killed while the broker is away", c.edgeKilledOffline},
		{"an edge is killed while it sends", c.edgeKilledSending},
		{"Redis stops", c.redisStops},
		{"PostgreSQL stops", c.postgresStops},
	}
}

// A traffic stream of 20 sensors, each every 36 s for 2 hours: 4,000 readings, played
// in 6 s at streamSpeed. Each fault has two hours of its own.
const (
	streamSensors = 20
	streamRows    = 200
	streamStep    = 36 * time.Second
	streamSpeed   = "1200"
)

// twoHours are a stream's readings from hour o'clock on, of sensors of an edge.
func twoHours(hour int, edge string) *table {
	var b table
	begin := morning().Truncate(24 * time.Hour).Add(time.Duration(hour) * time.Hour)
	for i := range streamRows {
		for s := range streamSensors {
			b.row(begin.Add(time.Duration(i)*streamStep), fmt.Sprintf("%s-%02d", edge, s), float64(20+(i+s)%30), 0.1)
		}
	}
	return &b
}

// waitMidway waits until a quarter of what is playing is stored.
func (c *cluster) waitMidway(t *testing.T, before int, playing ...*system.Process) {
	t.Helper()
	system.Eventually(t, "a quarter of the stream is stored", func() bool {
		got, err := c.stored(t)
		return err == nil && got.readings > before+(c.want.readings-before)/4
	})
	for _, p := range playing {
		if !p.Running() {
			t.Fatal("the stream was over before the fault: it must be longer")
		}
	}
}

// collectorKilled kills a collector in the middle of a stream. The other one takes
// over; the killed one comes back to what the broker has kept for it.
func (c *cluster) collectorKilled(t *testing.T) {
	before := c.want.readings
	playing := c.play(t, c.north, twoHours(10, "north"), streamSpeed)
	c.waitMidway(t, before, playing)
	for i, p := range c.collectors {
		if p.Metric(t, "cityflow_collector_messages_received_total") == 0 {
			t.Errorf("collector %d has had no share of the load", i)
		}
	}
	c.collectors[0].Kill()
	began := time.Now()
	acknowledged(t, playing)
	c.waitStored(t)
	t.Logf("the other collector had everything %s after the kill; the edge has sent %v batches again",
		time.Since(began).Round(time.Millisecond), c.north.Metric(t, "cityflow_edge_uplink_resent_batches_total"))

	c.collectors[0].Restart(t)
	c.waitReady(t)
	publish(t, c.north, 1, "PARIS-1", "2026-03-02T12:00:00Z", 40) // the last of this edge, also in the broker's queues
	c.want.add(tally{1, 40})
	c.waitStored(t)
}

// edgeKilledOffline kills an edge that has acknowledged readings and could send none.
func (c *cluster) edgeKilledOffline(t *testing.T) {
	c.mosquitto.Stop(t)
	acknowledged(t, c.play(t, c.south, twoHours(12, "south"), "max"))
	if c.south.Metric(t, "cityflow_edge_buffer_batches") == 0 {
		t.Error("the edge keeps nothing while the central broker is away")
	}
	c.south.Kill()
	c.mosquitto.Start(t)
	c.south.Restart(t)
	c.waitStored(t)
	c.waitReady(t)
}

// edgeKilledSending kills an edge at the moment when it has acknowledged the last of
// many readings, while their way to the centre is busy.
func (c *cluster) edgeKilledSending(t *testing.T) {
	acknowledged(t, c.play(t, c.south, twoHours(14, "south"), "max"))
	c.south.Kill()
	if got, err := c.stored(t); err == nil {
		t.Logf("%d acknowledged readings were not in the database at the kill", c.want.readings-got.readings)
	}
	c.south.Restart(t)
	c.waitStored(t)
	c.waitReady(t)
}

// redisStops takes the news away: the API goes on, from the store, and says so.
func (c *cluster) redisStops(t *testing.T) {
	client, s := c.api.Login(t), openStream(t, c.api)
	c.redis.Stop(t)
	system.Eventually(t, "the API and the collectors miss Redis", func() bool {
		return c.api.Readiness(t).Missing["bus"] != "" && c.collectors[0].Readiness(t).Missing["redis"] != ""
	})
	if r := c.api.Readiness(t); !r.Ready {
		t.Errorf("the API calls itself not ready without Redis: %+v", r)
	}
	for _, path := range []string{"/api/roads", "/api/traffic/live", "/api/predictions?horizon=30"} {
		if n := len(system.All[map[string]any](t, client, path)); n == 0 {
			t.Errorf("GET %s without Redis: nothing", path)
		}
	}
	system.All[advice](t, client, "/api/reroutes/recommended") // the jam is over: it answers, and has nothing to say
	c.news(t, s, "2026-03-02T16:00:00Z")
	c.waitStored(t)
	c.redis.Start(t)
	c.waitReady(t)
	c.news(t, s, "2026-03-02T16:01:00Z")
	c.waitStored(t)
}

// postgresStops takes the database away in the middle of two streams. The edges go on
// acknowledging, the API shows what it has, and afterwards nothing is lost.
func (c *cluster) postgresStops(t *testing.T) {
	client := c.api.Login(t)
	before := c.want.readings
	north := c.play(t, c.north, twoHours(17, "north"), streamSpeed)
	south := c.play(t, c.south, twoHours(17, "south"), streamSpeed)
	c.waitMidway(t, before, north, south)
	c.postgres.Stop(t)
	acknowledged(t, north, south)
	if c.waiting(t) == 0 {
		t.Error("the edges keep nothing while the database is away")
	}
	system.Eventually(t, "the centre misses its database", func() bool {
		return c.api.Readiness(t).Missing["store"] != "" && c.collectors[0].Readiness(t).Missing["database"] != "" &&
			!c.predictor.Readiness(t).Ready
	})
	if live := system.All[roadState](t, client, "/api/traffic/live"); len(live) == 0 {
		t.Error("the API shows nothing while the database is away")
	}
	if code := client.Status(t, "/api/traffic/live?road_id=PARIS-2"); code != 503 {
		t.Errorf("readings of a road without a database: %d, want 503", code)
	}
	c.postgres.Start(t)
	c.waitStored(t)
	c.waitReady(t)
	system.Eventually(t, "the forecasts have caught up", func() bool {
		newest := system.All[forecast](t, client, "/api/predictions?horizon=30")
		n := 0
		for _, f := range newest {
			if f.TS >= "2026-03-02T19:00:00Z" {
				n++
			}
		}
		return n == 2*streamSensors
	})
}
