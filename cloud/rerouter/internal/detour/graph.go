// Package detour finds the way round a congested road: from where traffic could leave
// its usual way to where it comes back, without the roads to be avoided and without
// turning round.
//
// Graph is the part of the network that can be driven, with its contraction hierarchy,
// made once per network. Speeds are one set of driving times in whole milliseconds. A
// Finder answers for them: the hierarchy says at once whether any way is fast enough and
// mostly which; only when that way uses what is to be avoided or turns back, a search
// over roads rather than junctions looks for one that does not. Both are exact and
// deterministic and look no further than a detour could be worth taking. The package
// knows neither forecasts nor stores.
//
//	         ┌────── detour ──────┐
//	         │                    ▼
//	──before──●──avoided way (1-8 roads)──●──after──►
package detour

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/cch"
	"github.com/2zrhun/city-flow/shared/routing/dissect"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Graph is a road network for finding detours. A road is known by its index.
type Graph struct {
	roads []road
	index map[traffic.RoadID]int32
	top   *roadnet.Topology
	// ways is the same graph for the fastest way between two junctions; an edge is a
	// road.
	ways *cch.Hierarchy
}

// A road is what a search needs of a traffic.Road.
type road struct {
	id       traffic.RoadID
	label    string
	lengthM  float64
	capacity float64
	// head and tail are the bearings in radians at which the road begins and ends;
	// NaN where it has no geometry.
	head, tail float64
}

// NewGraph makes a graph of the roads that can be driven: those with two junctions and
// a length. The others are left out. It takes about 4 s for a million roads. The error
// is ctx's.
func NewGraph(ctx context.Context, roads []traffic.Road) (*Graph, error) {
	g := &Graph{index: make(map[traffic.RoadID]int32)}
	driven := make([]traffic.Road, 0, len(roads))
	for i := range roads {
		r := &roads[i]
		length := r.LengthM.Or(0)
		if r.FromNode == "" || r.ToNode == "" || !(length > 0) || math.IsInf(length, 0) {
			continue
		}
		if _, twice := g.index[r.ID]; twice {
			continue
		}
		g.index[r.ID] = int32(len(driven))
		driven = append(driven, *r)
		head, tail := bearings(r.Geometry)
		g.roads = append(g.roads, road{
			id: r.ID, label: cmp.Or(r.Label, string(r.ID)), lengthM: length, capacity: r.CapacityVPH.Or(0), head: head, tail: tail,
		})
	}
	g.top = roadnet.NewTopology(driven)
	ways, err := hierarchy(ctx, g.top, junctions(g.top, driven))
	if err != nil {
		return nil, err
	}
	g.ways = ways
	return g, nil
}

// junctions are the positions of a topology's nodes, each at the end of one of its
// roads; nil where some have none.
func junctions(top *roadnet.Topology, roads []traffic.Road) []routing.Point {
	points := make([]routing.Point, len(top.Nodes))
	known := make([]bool, len(top.Nodes))
	put := func(node int32, p traffic.Point) {
		known[node] = true
		points[node] = routing.Point{X: p.Lng * math.Cos(p.Lat*math.Pi/180), Y: p.Lat}
	}
	for r := range roads {
		parts := roads[r].Geometry
		if len(parts) == 0 || len(parts[0]) == 0 || len(parts[len(parts)-1]) == 0 {
			continue
		}
		last := parts[len(parts)-1]
		put(top.From[r], parts[0][0])
		put(top.To[r], last[len(last)-1])
	}
	if slices.Contains(known, false) {
		return nil
	}
	return points
}

// hierarchy orders the junctions.
func hierarchy(ctx context.Context, top *roadnet.Topology, points []routing.Point) (*cch.Hierarchy, error) {
	edges := make([]routing.Edge, len(top.From))
	for r := range edges {
		edges[r] = routing.Edge{From: top.From[r], To: top.To[r]}
	}
	g, err := routing.NewGraph(len(top.Nodes), edges)
	if err != nil {
		return nil, fmt.Errorf("make hierarchy of roads: %w", err)
	}
	order, err := dissect.Order(ctx, g, points, dissect.Options{})
	if err != nil {
		return nil, fmt.Errorf("make hierarchy of roads: %w", err)
	}
	return cch.New(g, order)
}

// Roads is the number of roads that can be driven.
func (g *Graph) Roads() int { return len(g.roads) }

// Junctions is the number of junctions.
func (g *Graph) Junctions() int { return len(g.top.Nodes) }

// Find returns the index of a road that can be driven.
func (g *Graph) Find(id traffic.RoadID) (int32, bool) {
	i, ok := g.index[id]
	return i, ok
}

// ID is the id of a road.
func (g *Graph) ID(r int32) traffic.RoadID { return g.roads[r].id }

// Label is the name of a road, its id where it has none.
func (g *Graph) Label(r int32) string { return g.roads[r].label }

// LengthM is the length of a road in metres.
func (g *Graph) LengthM(r int32) float64 { return g.roads[r].lengthM }

// turnsBack reports whether road b leads back to where road a came from.
func (g *Graph) turnsBack(a, b int32) bool {
	return g.top.To[a] == g.top.From[b] && g.top.From[a] == g.top.To[b]
}

// bearingM is the length over which a road's direction at its end is taken.
const bearingM = 30.0

// bearings are the directions of a geometry over its first and last bearingM.
func bearings(parts [][]traffic.Point) (head, tail float64) {
	if len(parts) == 0 || len(parts[0]) < 2 || len(parts[len(parts)-1]) < 2 {
		return math.NaN(), math.NaN()
	}
	first, last := parts[0], parts[len(parts)-1]
	p := first[1]
	for _, q := range first[1:] {
		p = q
		if roadnet.DistanceM(first[0], q) >= bearingM {
			break
		}
	}
	end := last[len(last)-1]
	s := last[len(last)-2]
	for i := len(last) - 2; i >= 0; i-- {
		s = last[i]
		if roadnet.DistanceM(s, end) >= bearingM {
			break
		}
	}
	return bearing(first[0], p), bearing(s, end)
}

// bearing is the direction from a to b, in radians from east, counterclockwise.
func bearing(a, b traffic.Point) float64 {
	return math.Atan2(b.Lat-a.Lat, (b.Lng-a.Lng)*math.Cos(a.Lat*math.Pi/180))
}

// straightness says how much road b looks like the continuation of road a: 0 for a
// sharp turn into a lane to 3 for the same street straight on.
func (g *Graph) straightness(a, b int32) float64 {
	ra, rb := &g.roads[a], &g.roads[b]
	s := 0.5 // of unknown direction
	if turn := rb.head - ra.tail; !math.IsNaN(turn) {
		s = (1 + math.Cos(turn)) / 2
	}
	if ra.label == rb.label {
		s++
	}
	if most := max(ra.capacity, rb.capacity); most > 0 {
		s += min(ra.capacity, rb.capacity) / most
	}
	return s
}
