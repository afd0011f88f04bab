package routingtest

import (
	"math"
	"math/rand/v2"

	"github.com/2zrhun/city-flow/shared/routing"
)

// A Case is a graph with positions and weights.
type Case struct {
	Graph *routing.Graph
	// Points are in metres; nil where the graph has no positions.
	Points []routing.Point
	// Millis are driving times in milliseconds, Metres lengths, each at least 1.
	Millis, Metres []routing.Weight
	// TopSpeed is the most metres that any edge covers in a millisecond, as the crow
	// flies.
	TopSpeed float64
}

// Region generates a region of towns with about so many edges: a grid of streets 100 m
// apart whose corners are shifted by up to 35 m. Each tenth line is an arterial road,
// each eightieth a motorway, with junctions at arterial roads only. Of the streets between
// arterials, 52 % (in the country) to 86 % (in the middle of towns) exist, and half of the
// connections to an arterial; a sixth of the streets are one-way. Two rivers can be
// crossed on every third arterial road. What cannot be reached both ways is left out.
// The same arguments give the same region.
func Region(seed uint64, edges int) *Case {
	r := &region{rng: rand.New(rand.NewPCG(seed, 1))}
	r.size = int(math.Sqrt(float64(edges) / edgesPerCorner))
	for range 3 + edges/50_000 {
		r.towns = append(r.towns, town{r.rng.Float64(), r.rng.Float64(), 0.02 + 0.08*r.rng.Float64()})
	}
	r.corners()
	for y := range r.size {
		for x := range r.size {
			r.street(x, y, x+1, y, y)
			r.street(x, y, x, y+1, x)
		}
	}
	return r.connected()
}

const (
	edgesPerCorner = 2.05
	arterialEvery  = 10
	motorwayEvery  = 80
	blockM         = 100.0
)

type region struct {
	rng    *rand.Rand
	size   int
	towns  []town
	points []routing.Point
	edges  []routing.Edge
	kmh    []float64
}

// A town has its middle and its radius as shares of the region's width.
type town struct {
	x, y, radius float64
}

func (r *region) corners() {
	shift := func() float64 { return 0.7 * (r.rng.Float64() - 0.5) }
	for y := range r.size {
		for x := range r.size {
			r.points = append(r.points, routing.Point{X: blockM * (float64(x) + shift()), Y: blockM * (float64(y) + shift())})
		}
	}
}

// density is 0 in the country to 1 in the middle of a town.
func (r *region) density(x, y int) float64 {
	d := 0.0
	for _, t := range r.towns {
		away := math.Hypot(float64(x)/float64(r.size)-t.x, float64(y)/float64(r.size)-t.y) / t.radius
		d = max(d, math.Exp(-away*away))
	}
	return d
}

// crossesRiver reports whether a street crosses one of the two rivers.
func (r *region) crossesRiver(x, y, x2, y2 int) bool {
	s := float64(r.size)
	side := func(x, y int) (bool, bool) {
		return float64(y) > s*(0.4+0.1*math.Sin(6*float64(x)/s)), float64(x) > s*(0.6+0.15*math.Sin(4*float64(y)/s))
	}
	a, b := side(x, y)
	a2, b2 := side(x2, y2)
	return a != a2 || b != b2
}

// street builds a street from one corner to the next, along a line of the grid, or not.
func (r *region) street(x, y, x2, y2, line int) {
	if x2 >= r.size || y2 >= r.size {
		return
	}
	kmh, exists := 30.0, 0.52+0.34*r.density(x, y)
	across := (x + y) - line // the other line through the first corner
	next := (x2 + y2) - line
	arterial := line%arterialEvery == 0
	switch {
	case line%motorwayEvery == 0:
		kmh, exists = 100, 1
	case arterial:
		kmh, exists = 50, 1
	case across%motorwayEvery == 0 || next%motorwayEvery == 0:
		exists = 0
	case across%arterialEvery == 0 || next%arterialEvery == 0:
		exists = 0.5
	}
	if r.crossesRiver(x, y, x2, y2) && line%(3*arterialEvery) != 0 && line%motorwayEvery != 0 {
		exists = 0
	}
	if r.rng.Float64() >= exists {
		return
	}
	kmh *= 0.8 + 0.4*r.rng.Float64()
	a, b := int32(y*r.size+x), int32(y2*r.size+x2)
	oneWay := !arterial && r.rng.IntN(6) == 0
	if !oneWay || line%2 == 0 {
		r.add(a, b, kmh)
	}
	if !oneWay || line%2 == 1 {
		r.add(b, a, kmh)
	}
}

func (r *region) add(a, b int32, kmh float64) {
	r.edges = append(r.edges, routing.Edge{From: a, To: b})
	r.kmh = append(r.kmh, kmh)
}

// connected keeps what can be reached both ways from the middle.
func (r *region) connected() *Case {
	all := must(routing.NewGraph(len(r.points), r.edges))
	n := r.size / 2 / arterialEvery * arterialEvery
	middle := int32(n*r.size + n)
	ones := make([]routing.Weight, all.Edges())
	for e := range ones {
		ones[e] = 1
	}
	forth, back := routing.NewSearch(all), routing.NewSearch(all.Reverse())
	forth.Run(routing.Task{From: middle, To: routing.Everywhere, Weights: ones})
	back.Run(routing.Task{From: middle, To: routing.Everywhere, Weights: ones})
	c, number := &Case{}, make([]int32, len(r.points))
	for n, p := range r.points {
		number[n] = -1
		if forth.Dist(int32(n)) < routing.Infinity && back.Dist(int32(n)) < routing.Infinity {
			number[n] = int32(len(c.Points))
			c.Points = append(c.Points, p)
		}
	}
	var edges []routing.Edge
	for i, e := range r.edges {
		from, to := number[e.From], number[e.To]
		if from < 0 || to < 0 {
			continue
		}
		edges = append(edges, routing.Edge{From: from, To: to})
		c.weigh(c.Points[from], c.Points[to], r.kmh[i])
	}
	c.Graph = must(routing.NewGraph(len(c.Points), edges))
	return c
}

// weigh adds the weights of an edge.
func (c *Case) weigh(a, b routing.Point, kmh float64) {
	metres := math.Hypot(a.X-b.X, a.Y-b.Y)
	millis := max(1, math.Round(metres/kmh*3600))
	c.Millis = append(c.Millis, routing.Weight(millis))
	c.Metres = append(c.Metres, routing.Weight(max(1, math.Round(metres))))
	c.TopSpeed = max(c.TopSpeed, metres/millis)
}

// Crow is the lower bound for A* that follows from the distance as the crow flies.
func (c *Case) Crow(to int32) func(int32) routing.Weight {
	end := c.Points[to]
	return func(n int32) routing.Weight {
		return routing.Weight(math.Hypot(c.Points[n].X-end.X, c.Points[n].Y-end.Y) / c.TopSpeed)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
