package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/load"
	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// benchUplink replays real files through the simulator and an edge with its default
// settings, and counts the bytes of the batches that leave it.
func benchUplink(b *testing.B, bin edgeBinaries) {
	names := map[string]string{"paris": "edge_uplink_bytes_per_reading", "los angeles": "edge_uplink_bytes_per_reading_la"}
	for _, rec := range recordings(b) {
		readings, bytes := uplinkBytes(b, bin, rec)
		b.Logf("%s: %d readings in %d bytes of batches", rec.name, readings, bytes)
		bench(names[rec.name], float64(bytes)/float64(readings), "bytes/reading")
	}
}

// uplinkBytes returns how many readings of a recording arrived, and in how many bytes.
func uplinkBytes(b *testing.B, bin edgeBinaries, rec recording) (readings int, bytes int64) {
	b.Helper()
	central := rig.Mosquitto(b)
	c := collect(b, central)
	edge := bin.start(b, "--central-url", "tcp://"+central)
	args := append([]string{"run", "--broker-url", "tcp://" + edge.MQTT}, simulatorArgs(rec)...)
	sim := system.Launch(b, bin.simulator, args...)
	for sim.Running() {
		time.Sleep(20 * time.Millisecond)
	}
	if code := sim.ExitCode(b); code != 0 {
		b.Fatalf("the simulator ended with code %d\n%s", code, sim.Log())
	}
	want := int(edge.Metric(b, "cityflow_edge_buffer_readings_total"))
	if want == 0 {
		b.Fatal("the edge has kept no readings")
	}
	var arrivals []load.Arrival
	system.Within(b, 2*time.Minute, "everything has left the edge", func() bool {
		arrivals, bytes = c.Batches()
		for ; len(arrivals) > 0; arrivals = arrivals[1:] {
			readings += len(decode(b, arrivals[0]).Readings)
		}
		if readings < want {
			readings = 0
			time.Sleep(500 * time.Millisecond)
		}
		return readings >= want
	})
	if readings != want {
		b.Errorf("%s: %d readings came, want each of %d once", rec.name, readings, want)
	}
	return readings, bytes
}

// simulatorArgs are a recording's, without the road network: the simulator only plays.
func simulatorArgs(rec recording) []string {
	args := slices.Clone(rec.args)
	if i := slices.Index(args, "--roads"); i >= 0 {
		args = slices.Delete(args, i, i+2)
	}
	return args
}

func collect(b *testing.B, addr string) *load.Collector {
	b.Helper()
	c, err := load.Collect(addr, benchEdge)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	})
	return c
}

func decode(b *testing.B, a load.Arrival) *wire.Batch {
	b.Helper()
	batch, err := wire.DecodeBatch(a.Payload)
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

// The backlog of benchDrain and the sensors that publish beside it.
const (
	backlogReadings = 3_000_000
	backlogArray    = 200
	liveSensors     = 500
	livePrefix      = "LIVE"
)

// benchDrain fills an edge without a collector with a backlog, gives it one that
// accepts everything, and measures how fast the backlog leaves and how long readings
// of the moment take meanwhile, from the sensor to the collector.
func benchDrain(b *testing.B, bin edgeBinaries) {
	central := rig.StartMosquitto(b)
	central.Stop(b)
	edge := bin.start(b, "--central-url", "tcp://"+central.Addr())
	fill(b, edge.MQTT)

	over := make(chan error, 1)
	go func() { over <- live(b, edge.MQTT) }()
	central.Start(b)
	c := collect(b, central.Addr())
	system.Within(b, 3*time.Minute, "the backlog has left the edge", func() bool {
		time.Sleep(100 * time.Millisecond)
		return edge.Metric(b, "cityflow_edge_buffer_batches") < liveSensors/10
	})
	if err := <-over; err != nil {
		b.Fatal(err)
	}
	arrivals, _ := c.Batches()
	reportDrain(b, arrivals)
}

// fill publishes the backlog in arrays.
func fill(b *testing.B, addr string) {
	b.Helper()
	begin := time.Now().Add(-24 * time.Hour)
	_, err := load.Run(load.Plan{
		Addr: addr, Connections: 4, InFlight: 16, Messages: backlogReadings / backlogArray,
		Message: func(connection, n int) (string, []byte) {
			readings := make([]traffic.Reading, backlogArray)
			for i := range readings {
				readings[i] = benchReading("BACK", connection*backlogArray+i, n, begin.Add(time.Duration(n)*time.Second))
			}
			return sensorMessage(b, readings...)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
}

// live publishes a reading a second of each live sensor for as long as a drain may
// take.
func live(b *testing.B, addr string) error {
	const seconds = 30
	_, err := load.Run(load.Plan{
		Addr: addr, Connections: liveSensors, InFlight: edgeInFlight, Messages: liveSensors * seconds, Rate: liveSensors,
		Message: func(connection, n int) (string, []byte) {
			r := benchReading(livePrefix, connection, n, time.Now())
			r.At = time.Now()
			return sensorMessage(b, r)
		},
	})
	return err
}

// reportDrain takes the arrivals apart: the backlog's rate is between its first and its
// last batch, and the live readings that came between those two count.
func reportDrain(b *testing.B, arrivals []load.Arrival) {
	b.Helper()
	var (
		first, last time.Time
		backlog     int
		fresh       []struct{ at, sent time.Time }
	)
	for _, a := range arrivals {
		for _, r := range decode(b, a).Readings {
			if strings.HasPrefix(string(r.Sensor), livePrefix) {
				fresh = append(fresh, struct{ at, sent time.Time }{a.At, r.At})
				continue
			}
			if backlog++; first.IsZero() {
				first = a.At
			}
			last = a.At
		}
	}
	if backlog != backlogReadings {
		b.Errorf("%d readings of the backlog came, want each of %d once", backlog, backlogReadings)
	}
	var latencies []time.Duration
	for _, f := range fresh {
		if f.sent.After(first) && f.at.Before(last) {
			latencies = append(latencies, f.at.Sub(f.sent))
		}
	}
	if len(latencies) == 0 {
		b.Fatal("no live reading came while the backlog left")
	}
	slices.Sort(latencies)
	p95 := latencies[len(latencies)*95/100]
	b.Logf("%d readings of the backlog in %s; %d live readings meanwhile, median %s, longest %s",
		backlog, last.Sub(first), len(latencies), latencies[len(latencies)/2], latencies[len(latencies)-1])
	bench("edge_drain_readings_per_s", float64(backlog)/last.Sub(first).Seconds(), "readings/s")
	bench("edge_live_p95_ms_while_draining", milliseconds(p95), "ms")
}
