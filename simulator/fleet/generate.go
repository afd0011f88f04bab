package fleet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A generator makes the readings of one edge: one sensor after the other, then the
// next instant.
type generator struct {
	rng     *rand.Rand
	sensors []traffic.SensorID
	busy    []float64 // how busy each road is, 0.3 to 1
	start   time.Time
	step    time.Duration
	n       int64
}

func newGenerator(cfg *Config, edge traffic.EdgeID, number int) *generator {
	g := &generator{rng: rand.New(rand.NewPCG(cfg.Seed, uint64(number))), start: cfg.Start, step: cfg.Step}
	for i := range cfg.Sensors {
		g.sensors = append(g.sensors, traffic.SensorID(fmt.Sprintf("%s-s%04d", edge, i+1)))
		g.busy = append(g.busy, 0.3+0.7*g.rng.Float64())
	}
	return g
}

// due is the event time of the next reading.
func (g *generator) due() time.Time {
	return g.start.Add(time.Duration(g.n/int64(len(g.sensors))) * g.step)
}

// fill makes the next readings.
func (g *generator) fill(rs []traffic.Reading) {
	for i := range rs {
		s := int(g.n % int64(len(g.sensors)))
		rs[i] = g.reading(s, g.due())
		g.n++
	}
}

// reading is a plausible one: two rush hours, and the triangle of flow, density and
// speed, with noise.
func (g *generator) reading(s int, at time.Time) traffic.Reading {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	load := g.busy[s] * (0.15 + 0.75*bell(hour, 8.5, 1.5) + 0.8*bell(hour, 18, 2))
	load = math.Min(1, math.Max(0.01, load+0.05*g.rng.NormFloat64()))
	occupancy := 0.35 * load
	flow, speed := 1600*load/0.6, 48.0
	if load > 0.6 { // congested: less gets through
		flow = 1600 * (1 - load + 0.1) / 0.5
		speed = 48 * 0.6 / load * (1.1 - load) / 0.5
	}
	return traffic.Reading{
		At: at, Sensor: g.sensors[s], Road: traffic.RoadID(g.sensors[s]),
		Speed:     traffic.Some(round(math.Max(3, speed+2*g.rng.NormFloat64()), 10)),
		Flow:      traffic.Some(math.Round(flow)),
		Occupancy: traffic.Some(round(occupancy, 1e4)),
	}
}

func bell(x, at, width float64) float64 { return math.Exp(-(x - at) * (x - at) / (2 * width * width)) }

func round(v, to float64) float64 { return math.Round(v*to) / to }
