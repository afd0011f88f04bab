package roadnet

import (
	"fmt"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An osmPiece is the part of a way between two junctions.
type osmPiece struct {
	way *osmWay
	// nodes are the places in osmNodes along the way, at least two.
	nodes []int
	seq   int
}

// build cuts the ways at their junctions and makes roads of the pieces.
func (m *osmImport) build() []traffic.Road {
	m.via = m.viaNodes()
	var roads []traffic.Road
	for i := range m.ways {
		for _, p := range m.pieces(&m.ways[i]) {
			roads = m.emit(roads, p)
		}
	}
	return roads
}

// pieces cuts one way. Nodes that the extract lacks, as at its border, end a piece.
func (m *osmImport) pieces(w *osmWay) (out []osmPiece) {
	var run []int
	missing := 0
	end := func() {
		if len(run) > 1 {
			out = append(out, m.opened(w, run)...)
		}
		run = nil
	}
	for _, ref := range w.refs {
		i, _ := m.nodes.find(ref)
		if m.nodes.flags[i]&nodeKnown == 0 {
			missing++
			end()
			continue
		}
		run = append(run, i)
		if m.nodes.junction(i) && len(run) > 1 {
			end()
			run = []int{i}
		}
	}
	end()
	if missing > 0 {
		m.drop(KindIncomplete, wayName(w.id), fmt.Sprintf("%d of %d nodes are not in the extract", missing, len(w.refs)))
	}
	for i := range out {
		out[i].seq = i
	}
	return out
}

// opened is a run as one piece, or as two when it ends where it begins: a road from a
// junction to itself is of no use to anybody who looks for a way.
func (m *osmImport) opened(w *osmWay, run []int) []osmPiece {
	if run[0] != run[len(run)-1] || len(run) < 3 {
		return []osmPiece{{way: w, nodes: run}}
	}
	mid := len(run) / 2
	return []osmPiece{{way: w, nodes: run[:mid+1]}, {way: w, nodes: run[mid:]}}
}

// emit appends the roads of a piece, one for each direction that is open.
func (m *osmImport) emit(roads []traffic.Road, p osmPiece) []traffic.Road {
	first, last := p.nodes[0], p.nodes[len(p.nodes)-1]
	line := make([]traffic.Point, len(p.nodes))
	for i, n := range p.nodes {
		line[i] = m.nodes.point(n)
	}
	length := LengthM([][]traffic.Point{line})
	if length < minLengthM {
		m.rep.add(Issue{
			Kind: KindTiny, Road: OSMRoad(p.way.id, p.seq, false), Where: wayName(p.way.id),
			Detail: fmt.Sprintf("%.2f m between two junctions, taken as %g m", length, minLengthM),
		})
		length = minLengthM
	}
	// A node that blocks is another junction for each road that ends there.
	from, to := m.end(first, p, "a"), m.end(last, p, "b")
	mid := midpoint([][]traffic.Point{line})
	oneWay := !p.way.open[forward] || !p.way.open[backward]
	for d, open := range p.way.open {
		if !open {
			continue
		}
		r := traffic.Road{
			ID: OSMRoad(p.way.id, p.seq, d == backward), Label: p.way.label, Class: p.way.kind.class,
			FromNode: from, ToNode: to, Geometry: [][]traffic.Point{line},
			LengthM: traffic.Some(length), Lat: traffic.Some(mid.Lat), Lng: traffic.Some(mid.Lng),
			FreeFlowKMH: traffic.Some(freeFlow(p.way.kind, p.way.limits[d], m.country)),
			CapacityVPH: traffic.Some(capacity(p.way.kind, p.way.lanes[d], oneWay)),
		}
		enters, leaves := first, last
		if d == backward {
			r.FromNode, r.ToNode = to, from
			r.Geometry = [][]traffic.Point{reversed(line)}
			enters, leaves = last, first
		}
		if p.way.layer != 0 {
			m.layers[r.ID] = p.way.layer
		}
		m.passVia(leaves, enters, p.way.id, r.ID)
		roads = append(roads, r)
	}
	return roads
}

// end is the id of the junction at an end of a piece.
func (m *osmImport) end(node int, p osmPiece, which string) traffic.NodeID {
	id := osmNode(m.nodes.ids[node])
	if m.nodes.flags[node]&nodeBlocks != 0 {
		id += traffic.NodeID(fmt.Sprintf("-%d-%d%s", p.way.id, p.seq, which))
	}
	return id
}

// signalWithinM is how far before its junction a signal may be drawn, at the line
// where cars stop.
const signalWithinM = 40

// signals are the junctions with traffic signals, also where the map has them at the
// stop lines before the junction.
func (m *osmImport) signals(n *Network) []traffic.NodeID {
	var out []traffic.NodeID
	add := func(node int) {
		id := osmNode(m.nodes.ids[node])
		if _, ok := n.Nodes[id]; ok {
			out = append(out, id)
		}
	}
	for i := range m.ways {
		run := m.run(&m.ways[i])
		for at, node := range run {
			if node < 0 || m.nodes.flags[node]&nodeSignal == 0 {
				continue
			}
			if j := m.nearestJunction(run, at); j >= 0 {
				add(j)
			}
		}
	}
	slices.Sort(out)
	return slices.Clip(slices.Compact(out))
}

// run is a way as places in osmNodes, -1 for nodes that the extract lacks.
func (m *osmImport) run(w *osmWay) []int {
	run := make([]int, len(w.refs))
	for i, ref := range w.refs {
		run[i], _ = m.nodes.find(ref)
		if m.nodes.flags[run[i]]&nodeKnown == 0 {
			run[i] = -1
		}
	}
	return run
}

// nearestJunction walks from a node of a way in both directions to the nearest
// junction within signalWithinM, -1 when there is none.
func (m *osmImport) nearestJunction(run []int, at int) int {
	best, bestM := -1, float64(signalWithinM)
	for _, step := range []int{-1, 1} {
		walked := 0.0
		for i := at; i >= 0 && i < len(run) && run[i] >= 0 && walked <= bestM; i += step {
			if m.nodes.junction(run[i]) {
				best, bestM = run[i], walked
				break
			}
			if next := i + step; next >= 0 && next < len(run) && run[next] >= 0 {
				walked += DistanceM(m.nodes.point(run[i]), m.nodes.point(run[next]))
			}
		}
	}
	return best
}
