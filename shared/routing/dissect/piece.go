package dissect

import "math/bits"

// A piece is a part of the graph, undirected, without loops and parallel edges. Its
// nodes are 0 to len(nodes)-1 here and nodes[n] in the whole graph, ascending.
type piece struct {
	nodes []int32
	// The neighbours of n are adj[first[n]:first[n+1]], ascending.
	first, adj []int32
}

func (p *piece) neighbours(n int32) []int32 { return p.adj[p.first[n]:p.first[n+1]] }

// The sides of a cut.
const (
	left uint8 = iota
	right
	middle // the separator
)

// part is the piece of the nodes on one side.
func (p *piece) part(side []uint8, want uint8) *piece {
	local := make([]int32, len(p.nodes))
	q := &piece{}
	var arcs int32
	for n, s := range side {
		if s == want {
			local[n] = int32(len(q.nodes))
			q.nodes = append(q.nodes, p.nodes[n])
			arcs += p.first[n+1] - p.first[n]
		}
	}
	q.first = make([]int32, 1, len(q.nodes)+1)
	q.adj = make([]int32, 0, arcs)
	for n, s := range side {
		if s != want {
			continue
		}
		for _, m := range p.neighbours(int32(n)) {
			if side[m] == want {
				q.adj = append(q.adj, local[m])
			}
		}
		q.first = append(q.first, int32(len(q.adj)))
	}
	return q
}

// reverses lists for each arc the one that leads back. Since lists are ascending, the
// arcs into a node come in the order of the arcs out of it.
func (p *piece) reverses() []int32 {
	rev := make([]int32, len(p.adj))
	next := append([]int32(nil), p.first[:len(p.nodes)]...)
	for a, to := range p.adj {
		rev[a] = next[to]
		next[to]++
	}
	return rev
}

// leastDegree orders a small piece: always the node with the fewest neighbours left,
// whose neighbours then become neighbours of each other.
func leastDegree(p *piece, out []int32) {
	var near [leafSize]uint64
	for n := range p.nodes {
		for _, m := range p.neighbours(int32(n)) {
			near[n] |= 1 << m
		}
	}
	var done uint64
	for k := range p.nodes {
		least, degree := 0, leafSize+1
		for n := range p.nodes {
			if d := bits.OnesCount64(near[n]); done&(1<<n) == 0 && d < degree {
				least, degree = n, d
			}
		}
		done |= 1 << least
		out[k] = p.nodes[least]
		for rest := near[least]; rest != 0; rest &= rest - 1 {
			m := bits.TrailingZeros64(rest)
			near[m] = (near[m] | near[least]) &^ (1<<least | 1<<m)
		}
	}
}
