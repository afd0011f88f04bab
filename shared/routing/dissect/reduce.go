package dissect

import (
	"slices"

	"github.com/2zrhun/city-flow/shared/routing"
)

// A reduction takes nodes with at most two neighbours out of a graph.
type reduction struct {
	near  [][]int32 // the neighbours of each node that is left, unsorted
	gone  []bool
	order []int32
}

// reduce orders the nodes that can go first without harm, and returns the piece that
// is left. Of two neighbours only one goes in a round: a long street without junctions
// is halved each time rather than eaten from its end, which keeps the hierarchy low.
func reduce(g *routing.Graph) ([]int32, *piece) {
	r := &reduction{near: neighbours(g), gone: make([]bool, g.Nodes())}
	var round []int32
	for n := range r.near {
		round = append(round, int32(n))
	}
	const never = -1
	blocked := make([]int32, g.Nodes()) // the round in which a neighbour went
	for n := range blocked {
		blocked[n] = never
	}
	for k := int32(0); len(round) > 0; k++ {
		var next []int32
		for _, n := range round {
			switch {
			case r.gone[n] || len(r.near[n]) > 2:
			case blocked[n] == k:
				next = append(next, n)
			default:
				for _, m := range r.near[n] {
					blocked[m] = k
				}
				next = append(next, r.remove(n)...)
			}
		}
		slices.Sort(next)
		round = slices.Compact(next)
	}
	return r.order, r.rest()
}

// neighbours lists who is connected to whom, in any direction.
func neighbours(g *routing.Graph) [][]int32 {
	ends := make([]int32, 0, 2*g.Edges())
	for e := range int32(g.Edges()) {
		ends = append(ends, g.From(e), g.To(e))
	}
	first, items := routing.Group(ends, g.Nodes())
	near := make([][]int32, g.Nodes())
	for n := range near {
		list := items[first[n]:first[n+1]]
		for i, at := range list {
			list[i] = ends[at^1]
		}
		slices.Sort(list)
		list = slices.Compact(list)
		list = slices.DeleteFunc(list, func(m int32) bool { return m == int32(n) })
		near[n] = list[:len(list):len(list)]
	}
	return near
}

// remove takes n out, connects its neighbours, and returns them.
func (r *reduction) remove(n int32) []int32 {
	ends := r.near[n]
	r.gone[n] = true
	r.order = append(r.order, n)
	for _, m := range ends {
		i := slices.Index(r.near[m], n)
		r.near[m] = slices.Delete(r.near[m], i, i+1)
	}
	if len(ends) == 2 && !slices.Contains(r.near[ends[0]], ends[1]) {
		r.near[ends[0]] = append(r.near[ends[0]], ends[1])
		r.near[ends[1]] = append(r.near[ends[1]], ends[0])
	}
	r.near[n] = nil
	return ends
}

// rest is what was not taken out.
func (r *reduction) rest() *piece {
	p := &piece{first: []int32{0}}
	local := make([]int32, len(r.near))
	for n := range r.near {
		if !r.gone[n] {
			local[n] = int32(len(p.nodes))
			p.nodes = append(p.nodes, int32(n))
		}
	}
	for _, n := range p.nodes {
		slices.Sort(r.near[n])
		for _, m := range r.near[n] {
			p.adj = append(p.adj, local[m])
		}
		p.first = append(p.first, int32(len(p.adj)))
	}
	return p
}
