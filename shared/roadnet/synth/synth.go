package synth

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Params say what city to generate. The zero Params are the city of Seed 0 with the
// defaults.
type Params struct {
	// Seed names the city: another seed is another city.
	Seed uint64
	// Arcs is about how many directed roads it has: MinArcs to MaxArcs, 0 for
	// DefaultArcs. The city grows with them: with 1,000 the ring motorway has a
	// radius of about 2.2 km.
	Arcs int
	// Center is where the city lies; the zero Point means empty land in the middle
	// of France.
	Center traffic.Point
}

// The size of a city in directed roads.
const (
	MinArcs     = 400
	DefaultArcs = 1000
	MaxArcs     = 6000
)

// Validate returns an error that names what is out of range.
func (p Params) Validate() error {
	switch {
	case p.Arcs != 0 && (p.Arcs < MinArcs || p.Arcs > MaxArcs):
		return fmt.Errorf("arcs: %d is not allowed: want %d to %d", p.Arcs, MinArcs, MaxArcs)
	case !(math.Abs(p.Center.Lat) <= 70):
		return fmt.Errorf("center latitude: %g is not allowed: want -70 to 70", p.Center.Lat)
	case !(math.Abs(p.Center.Lng) <= 179):
		return fmt.Errorf("center longitude: %g is not allowed: want -179 to 179", p.Center.Lng)
	}
	return nil
}

func (p Params) withDefaults() Params {
	if p.Arcs == 0 {
		p.Arcs = DefaultArcs
	}
	if p.Center == (traffic.Point{}) {
		p.Center = traffic.Point{Lat: 47.385, Lng: 1.745}
	}
	return p
}

// Generate makes the city; it takes a second at most. It panics when p does not pass
// Validate.
func Generate(p Params) *roadnet.Network {
	if err := p.Validate(); err != nil {
		panic("generate city: " + err.Error())
	}
	p = p.withDefaults()
	c := newPlan(rand.New(rand.NewPCG(p.Seed, 1)), p.Arcs)
	f := newField(c)
	// How many roads there are follows from how far apart they are, but not by a
	// formula: correct the distance until the number is right.
	const usual, tolerance = 0.83, 0.06
	spacing, nearest := usual, math.Inf(1)
	var best []traffic.Road
	for range 8 {
		roads := build(p, c, f, spacing)
		ratio := float64(len(roads)) / float64(p.Arcs)
		if off := math.Abs(ratio - 1); off < nearest {
			nearest, best = off, roads
		}
		if nearest < tolerance {
			break
		}
		spacing *= math.Sqrt(ratio)
	}
	return roadnet.FromRoads(best)
}

// build makes the city with streets spacing times the usual distance apart.
func build(p Params, c *plan, f *field, spacing float64) []traffic.Road {
	rng := rand.New(rand.NewPCG(p.Seed, 2))
	t := &tracer{plan: c, field: f, rng: rng, spacing: spacing, names: newNames(rng), near: make(map[[2]int32][]sample)}
	t.skeleton()
	t.grow(traffic.ClassSecondary, 2.4)
	t.grow(traffic.ClassTertiary, 1)
	g := cut(t.streets)
	g.thin(0.12, rng.Float64)
	g.clean()
	g.buildRing(c, t.names)
	g.christen(c, t.names)
	g.layOneWays(1.2*c.oldTown, rng.Float64)
	return emit(g, p.Center)
}
