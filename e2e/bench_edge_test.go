package e2e

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/e2e/internal/load"
	"github.com/2zrhun/city-flow/e2e/internal/system"
	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// The load of the edge's benchmark.
const (
	edgeSensors  = 50
	edgeInFlight = 64
	// edgeRounds is how often each side is measured in turn; the median counts.
	edgeRounds = 5
	// roundTime is how long one side is measured at once.
	roundTime = 3 * time.Second
	// preparedMessages of each sensor are made before the clock starts.
	preparedMessages = 1000
)

// BenchmarkEdge measures the edge's real binary on a real disk, beside Mosquitto where
// there is something to compare.
func BenchmarkEdge(b *testing.B) {
	dir := b.TempDir() + string(filepath.Separator)
	if err := system.Build(b.Context(), dir, "./edge/cmd/edge", "./simulator/cmd/simulator"); err != nil {
		b.Fatal(err)
	}
	bin := edgeBinaries{edge: filepath.Join(dir, "edge"), simulator: filepath.Join(dir, "simulator")}
	for _, part := range []struct {
		name string
		run  func(*testing.B, edgeBinaries)
	}{
		{"messages", benchMessages},
		{"uplink", benchUplink},
		{"drain", benchDrain},
		{"arm64", benchARM64},
	} {
		b.Run(part.name, func(b *testing.B) {
			for b.Loop() {
				part.run(b, bin)
			}
		})
	}
}

type edgeBinaries struct{ edge, simulator string }

// start runs an edge with a new data folder on a disk.
func (bin edgeBinaries) start(b *testing.B, args ...string) *system.Process {
	b.Helper()
	return system.Serve(b, bin.edge, append([]string{
		"--edge-id", string(benchEdge), "--mqtt-addr", "127.0.0.1:0", "--data-dir", system.DiskDir(b),
	}, args...)...)
}

const benchEdge = traffic.EdgeID("bench")

// benchMessages measures messages of one reading at QoS 1: the edge acknowledges when
// they are synced to disk, Mosquitto, with persistence on and its own autosave of half
// an hour, when they are in memory. Nobody subscribes.
func benchMessages(b *testing.B, bin edgeBinaries) {
	mosquitto := rig.StartMosquitto(b, "autosave_interval 1800", "set_tcp_nodelay true").Addr()
	edge := bin.start(b, "--commit-interval", "0").MQTT
	many := compare(b, edge, mosquitto, edgeSensors)
	bench("edge_durable_readings_per_s", many.edge, "readings/s")
	bench("edge_mosquitto_messages_per_s", many.mosquitto, "messages/s")
	bench("edge_durable_vs_mosquitto", many.ratio, "ratio")

	bench("edge_puback_p99_ms", latencyAt(b, edge, many.edge/2), "ms")
	// A broker that waits for no disk says how much of that is the machine's.
	bench("edge_mosquitto_puback_p99_ms", latencyAt(b, mosquitto, many.mosquitto/2), "ms")

	one := compare(b, edge, mosquitto, 1)
	bench("edge_one_connection_readings_per_s", one.edge, "readings/s")
	bench("edge_mosquitto_one_connection_messages_per_s", one.mosquitto, "messages/s")
	bench("edge_one_connection_vs_mosquitto", one.ratio, "ratio")
}

// latencyAt is the time, in milliseconds, within which 99 % of the messages are acknowledged
// when so many come in a second.
func latencyAt(b *testing.B, addr string, perSecond float64) float64 {
	b.Helper()
	const seconds = 10
	r := loaded(b, load.Plan{Addr: addr, Connections: edgeSensors, Rate: perSecond, Messages: int(perSecond * seconds)})
	b.Logf("at %.0f messages a second: median %s, 99 %% %s, 99.9 %% %s", r.PerSecond(), r.Latency(0.5), r.Latency(0.99), r.Latency(0.999))
	return milliseconds(r.Latency(0.99))
}

// A comparison holds medians over the rounds; ratio is the median of the rounds' own.
type comparison struct{ edge, mosquitto, ratio float64 }

// compare loads both sides in turn.
func compare(b *testing.B, edge, mosquitto string, connections int) comparison {
	b.Helper()
	rate := func(addr string, messages int) float64 {
		return loaded(b, load.Plan{Addr: addr, Connections: connections, Messages: messages}).PerSecond()
	}
	const warmUp = 20_000
	sides := []struct {
		addr     string
		messages int
		rates    []float64
	}{{addr: edge}, {addr: mosquitto}}
	for i := range sides {
		sides[i].messages = int(rate(sides[i].addr, warmUp) * roundTime.Seconds())
	}
	var ratios []float64
	for range edgeRounds {
		for i := range sides {
			s := &sides[i]
			s.rates = append(s.rates, rate(s.addr, s.messages))
		}
		last := len(ratios)
		ratios = append(ratios, sides[0].rates[last]/sides[1].rates[last])
		b.Logf("%d connections: edge %.0f, Mosquitto %.0f messages a second", connections, sides[0].rates[last], sides[1].rates[last])
	}
	return comparison{median(sides[0].rates), median(sides[1].rates), median(ratios)}
}

// loaded runs a plan with messages of one reading.
func loaded(b *testing.B, p load.Plan) load.Result {
	b.Helper()
	p.InFlight, p.Prepared, p.Message = edgeInFlight, preparedMessages, sensorMessages(b, "PARIS", time.Now().Add(-time.Hour))
	r, err := load.Run(p)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// sensorMessages makes the messages of one sensor for each connection, a reading a
// second from a time on, with everything that a sensor may say.
func sensorMessages(b *testing.B, prefix string, from time.Time) func(connection, n int) (string, []byte) {
	b.Helper()
	return func(connection, n int) (string, []byte) {
		return sensorMessage(b, benchReading(prefix, connection, n, from.Add(time.Duration(n)*time.Second)))
	}
}

func sensorMessage(b *testing.B, readings ...traffic.Reading) (string, []byte) {
	payload, err := wire.EncodeSensor(readings)
	if err != nil {
		b.Error(err)
	}
	return wire.SensorTopic(readings[0].Sensor), payload
}

// benchReading is a reading of a road on which traffic comes and goes in half an hour.
func benchReading(prefix string, sensor, n int, at time.Time) traffic.Reading {
	wave := math.Sin(float64(n)/300 + float64(sensor))
	noise := float64((n*7919 + sensor*104729) % 100)
	return traffic.Reading{
		At:        at.Truncate(time.Second),
		Sensor:    traffic.SensorID(fmt.Sprintf("%s-%04d", prefix, sensor)),
		Road:      traffic.RoadID(fmt.Sprintf("%s-%04d", prefix, sensor)),
		Speed:     traffic.Some(math.Round(400+200*wave+noise) / 10),
		Flow:      traffic.Some(math.Round(840 - 300*wave + noise)),
		Occupancy: traffic.Some(math.Round(170-100*wave+noise/10) / 1000),
		Place:     &traffic.Place{Label: "Bd Voltaire", Lat: traffic.Some(48.858), Lng: traffic.Some(2.379)},
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
