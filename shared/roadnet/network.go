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
	// Forbidden are the turns that may not be driven although the roads meet, sorted,
	// each once. Both roads of each exist.
	Forbidden []Turn
	// Signals are the junctions with traffic signals, sorted; nil when unknown.
	Signals []traffic.NodeID
	// Layers say how high a road runs over (or, negative, under) the others, where
	// that is not 0: bridges and tunnels.
	Layers map[traffic.RoadID]int8
	// Source is the file that the network came from.
	Source Source
}

// A Turn is the movement from one road into another at the junction between them.
type Turn struct{ From, To traffic.RoadID }

func compareTurns(a, b Turn) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) }

// sortTurns sorts turns, each once; nil when there is none.
func sortTurns(ts []Turn) []Turn {
	if len(ts) == 0 {
		return nil
	}
	slices.SortFunc(ts, compareTurns)
	return slices.Clip(slices.Compact(ts))
}

// A Source is the file that a network was imported from. It stays the same when the
// network is saved and loaded again.
type Source struct {
	// Format names what the file was, such as "OpenStreetMap extract (PBF)".
	Format string `json:"format,omitempty"`
	// File is its name without folders.
	File string `json:"file,omitempty"`
	// SHA256 is the hexadecimal sum of its Bytes bytes as they lay on disk.
	SHA256 string `json:"sha256,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	// Licence is what must be shown with a map of the network.
	Licence string `json:"licence,omitempty"`
	// Country is the ISO 3166-1 code of the country whose general speed limits were
	// taken; empty when none was.
	Country string `json:"country,omitempty"`
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

// MayTurn reports whether the turn from one road into another is not forbidden. It
// does not ask whether the two meet.
func (n *Network) MayTurn(from, to traffic.RoadID) bool {
	_, forbidden := slices.BinarySearchFunc(n.Forbidden, Turn{from, to}, compareTurns)
	return !forbidden
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
