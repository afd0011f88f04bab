package roadnet

import (
	"cmp"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Network is a set of directed roads and the positions of their junctions.
type Network struct {
	// Roads are in the byte order of their ids, each id once.
	Roads []traffic.Road
	// Nodes holds the position of every junction that is the end of a road with a
	// geometry. A road may name a junction that has none.
	Nodes map[traffic.NodeID]traffic.Point
}

// FromRoads makes a network of roads that come from anywhere, such as a store. Of
// several roads with the same id the first counts. Roads without junctions belong to
// it but lead nowhere. The geometry is shared with the given roads, and must be in
// driving direction.
func FromRoads(roads []traffic.Road) *Network {
	n := &Network{Roads: slices.Clone(roads)}
	slices.SortStableFunc(n.Roads, func(a, b traffic.Road) int {
		return strings.Compare(string(a.ID), string(b.ID))
	})
	n.Roads = slices.CompactFunc(n.Roads, func(a, b traffic.Road) bool { return a.ID == b.ID })
	n.Nodes = nodePositions(n.Roads)
	return n
}

// Find returns the index of a road in Roads.
func (n *Network) Find(id traffic.RoadID) (int, bool) {
	return slices.BinarySearchFunc(n.Roads, id, func(r traffic.Road, id traffic.RoadID) int {
		return cmp.Compare(r.ID, id)
	})
}

// nodePositions puts each junction at the median of the ends of its roads: the ends
// of one junction do not coincide (in Paris they lie 13 m apart in the middle, up to
// 881 m), and a median does not follow the one that is far off.
func nodePositions(roads []traffic.Road) map[traffic.NodeID]traffic.Point {
	ends := make(map[traffic.NodeID][]traffic.Point)
	for i := range roads {
		r := &roads[i]
		first, last, ok := roadEnds(r)
		if !ok {
			continue
		}
		if r.FromNode != "" {
			ends[r.FromNode] = append(ends[r.FromNode], first)
		}
		if r.ToNode != "" {
			ends[r.ToNode] = append(ends[r.ToNode], last)
		}
	}
	nodes := make(map[traffic.NodeID]traffic.Point, len(ends))
	for id, ps := range ends {
		nodes[id] = medianPoint(ps)
	}
	return nodes
}

// roadEnds are the first and the last point of a road's geometry.
func roadEnds(r *traffic.Road) (first, last traffic.Point, ok bool) {
	if len(r.Geometry) == 0 || len(r.Geometry[0]) == 0 || len(r.Geometry[len(r.Geometry)-1]) == 0 {
		return first, last, false
	}
	end := r.Geometry[len(r.Geometry)-1]
	return r.Geometry[0][0], end[len(end)-1], true
}
