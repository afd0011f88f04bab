package synth

import (
	"cmp"
	"maps"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// layOneWays makes the small streets of the old town one-way, neighbours in opposite
// directions, and some elsewhere. A street that would cut somebody off stays two-way.
func (g *graph) layOneWays(oldTown float64, random func() float64) {
	byName := make(map[string][]int)
	for i := range g.edges {
		e := &g.edges[i]
		if e.dead || rank(e.street.class) < rank(traffic.ClassTertiary) {
			continue
		}
		byName[e.street.label] = append(byName[e.street.label], i)
	}
	var laid []oneWayStreet
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		s := oneWayStreet{edges: byName[name]}
		s.measure(g)
		central := s.middle.len() < oldTown
		if !central && random() > 0.22 {
			continue
		}
		s.turn(laid, random)
		if s.apply(g) {
			laid = append(laid, s)
		}
	}
}

// A oneWayStreet is all edges of one name.
type oneWayStreet struct {
	edges  []int
	middle vec
	dir    vec // along which it is driven
}

func (s *oneWayStreet) measure(g *graph) {
	for _, i := range s.edges {
		e := &g.edges[i]
		s.middle = s.middle.add(g.nodes[e.a].at).add(g.nodes[e.b].at)
	}
	s.middle = s.middle.mul(1 / float64(2*len(s.edges)))
	first := &g.edges[s.edges[0]]
	s.dir = g.nodes[first.b].at.sub(g.nodes[first.a].at).unit()
}

// turn chooses the direction against that of the nearest parallel one-way street.
func (s *oneWayStreet) turn(laid []oneWayStreet, random func() float64) {
	parallel := func(o oneWayStreet) bool {
		c := o.dir.dot(s.dir)
		return c*c > 0.6
	}
	var near []oneWayStreet
	for _, o := range laid {
		if parallel(o) && o.middle.dist(s.middle) < 450 {
			near = append(near, o)
		}
	}
	if len(near) == 0 {
		if random() < 0.5 {
			s.dir = s.dir.mul(-1)
		}
		return
	}
	o := slices.MinFunc(near, func(a, b oneWayStreet) int {
		return cmp.Compare(a.middle.dist(s.middle), b.middle.dist(s.middle))
	})
	if o.dir.dot(s.dir) > 0 {
		s.dir = s.dir.mul(-1)
	}
}

// apply makes the edges one-way and takes it back when somebody is cut off.
func (s *oneWayStreet) apply(g *graph) bool {
	// All pieces of a street were drawn in the same direction, from a to b, but for
	// those that were joined at a corner: those are told by their own direction.
	for _, i := range s.edges {
		e := &g.edges[i]
		e.oneWay = 1
		if g.nodes[e.b].at.sub(g.nodes[e.a].at).dot(s.dir) < 0 {
			e.oneWay = -1
		}
	}
	if g.connected() {
		return true
	}
	for _, i := range s.edges {
		g.edges[i].oneWay = 0
	}
	return false
}
