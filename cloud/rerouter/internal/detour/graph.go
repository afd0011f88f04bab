// Package detour finds the way round a congested road: from where traffic could leave
// its usual way to where it comes back, without the roads to be avoided and without
// turning round.
//
// Graph is the part of the network that can be driven, made once per network. Finder
// answers for one set of speeds; it is exact (Dijkstra's algorithm over roads rather
// than junctions, so that U-turns can be refused), deterministic, and looks no further
// than a detour could be worth taking. It knows neither forecasts nor stores.
//
//	         ┌────── detour ──────┐
//	         │                    ▼
//	──before──●──avoided way (1-8 roads)──●──after──►
package detour

import (
	"cmp"
	"math"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Graph is a road network for finding detours. A road is known by its index.
type Graph struct {
	roads []road
	index map[traffic.RoadID]int32
	top   *roadnet.Topology
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
// a length. The others are left out.
func NewGraph(roads []traffic.Road) *Graph {
	g := &Graph{index: make(map[traffic.RoadID]int32)}
	var driven []traffic.Road
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
	return g
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
