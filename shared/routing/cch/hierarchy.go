package cch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/2zrhun/city-flow/shared/routing"
)

// none stands for no node and no arc.
const none int32 = -1

// A Hierarchy is a graph with the arcs that shorten it. Inside, a node is its rank: the
// arcs of node x lead up to nodes above it, in ascending order, and are numbered in the
// order of x. Ranks follow the elimination tree in postorder, so that all below a node
// lies next to it.
type Hierarchy struct {
	g     *routing.Graph
	order []int32 // the node of each rank
	rank  []int32 // the rank of each node

	// The arcs of rank x are first[x] to first[x+1]-1; arc a leads from tail[a] up to
	// head[a]. The parent in the elimination tree is the head of the first arc.
	first, tail, head []int32
	// The arcs that lead up to rank y are in[inFirst[y]:inFirst[y+1]], by tail.
	inFirst, in []int32

	// arcOf is the arc over each edge, none for a loop. Edges over arc a are
	// edges[edgeFirst[a]:edgeFirst[a+1]].
	arcOf, edgeFirst, edges []int32

	plan plan
}

var errOrder = errors.New("the order does not hold each node once")

// New makes the hierarchy of a graph for an order of its nodes, such as dissect.Order
// gives. The error says that order is no permutation of the nodes.
func New(g *routing.Graph, order []int32) (*Hierarchy, error) {
	rank, err := invert(order, g.Nodes())
	if err != nil {
		return nil, err
	}
	h := &Hierarchy{g: g, rank: rank}
	h.contract()
	h.renumber()
	h.listIn()
	h.placeEdges()
	h.plan = h.newPlan()
	return h, nil
}

func invert(order []int32, n int) ([]int32, error) {
	if len(order) != n {
		return nil, fmt.Errorf("make hierarchy: order of %d for %d nodes: %w", len(order), n, errOrder)
	}
	rank := make([]int32, n)
	for i := range rank {
		rank[i] = none
	}
	for r, node := range order {
		if node < 0 || int(node) >= n || rank[node] != none {
			return nil, fmt.Errorf("make hierarchy: order holds node %d at place %d: %w", node, r, errOrder)
		}
		rank[node] = int32(r)
	}
	return rank, nil
}

// contract finds the arcs: contracting a node connects its neighbours above it with
// each other, and it is enough to hand them to the lowest of these.
func (h *Hierarchy) contract() {
	n := h.g.Nodes()
	nearFirst, near := h.upward()
	h.first = make([]int32, 1, n+1)
	h.head = make([]int32, 0, 2*len(near))
	child, sibling := fill(n, none), fill(n, none) // in the elimination tree
	seen := fill(n, none)
	for x := range int32(n) {
		start := len(h.head)
		seen[x] = x
		add := func(list []int32) {
			for _, y := range list {
				if seen[y] != x {
					seen[y] = x
					h.head = append(h.head, y)
				}
			}
		}
		add(near[nearFirst[x]:nearFirst[x+1]])
		for c := child[x]; c != none; c = sibling[c] {
			add(h.head[h.first[c]:h.first[c+1]])
		}
		up := h.head[start:]
		slices.Sort(up)
		h.first = append(h.first, int32(len(h.head)))
		if len(up) > 0 {
			sibling[x], child[up[0]] = child[up[0]], x
		}
	}
	h.head = slices.Clip(h.head)
}

// upward lists for each rank the higher ends of its node's edges.
func (h *Hierarchy) upward() (first, near []int32) {
	low := make([]int32, h.g.Edges())
	for e := range low {
		low[e] = none
		if a, b := h.ends(int32(e)); a != b {
			low[e] = min(a, b)
		}
	}
	first, near = routing.Group(low, h.g.Nodes())
	for i, e := range near {
		a, b := h.ends(e)
		near[i] = max(a, b)
	}
	return first, near
}

// ends are the ranks of an edge's ends.
func (h *Hierarchy) ends(e int32) (from, to int32) {
	return h.rank[h.g.From(e)], h.rank[h.g.To(e)]
}

// parent is the lowest node above x, none at a root.
func (h *Hierarchy) parent(x int32) int32 {
	if h.first[x] == h.first[x+1] {
		return none
	}
	return h.head[h.first[x]]
}

// renumber brings the ranks into postorder. The nodes above a node keep their order
// among each other, so lists of arcs stay sorted.
func (h *Hierarchy) renumber() {
	n := int32(h.g.Nodes())
	place := h.postorder()
	was := fill(int(n), none)
	for x, p := range place {
		was[p] = int32(x)
	}
	first, head := make([]int32, 1, n+1), make([]int32, 0, len(h.head))
	h.tail = make([]int32, 0, len(h.head))
	for x := range n {
		for _, y := range h.head[h.first[was[x]]:h.first[was[x]+1]] {
			head = append(head, place[y])
			h.tail = append(h.tail, x)
		}
		first = append(first, int32(len(head)))
	}
	h.first, h.head = first, head
	h.order = make([]int32, n)
	for node, r := range h.rank {
		h.rank[node] = place[r]
		h.order[place[r]] = int32(node)
	}
}

// postorder is the new rank of each: after all below it.
func (h *Hierarchy) postorder() []int32 {
	n := int32(h.g.Nodes())
	size := fill(int(n), 1) // of the tree below, with the node
	for x := range n {
		if p := h.parent(x); p != none {
			size[p] += size[x]
		}
	}
	place := make([]int32, n)
	end := make([]int32, n) // where the next tree below ends: the last child comes first
	roots := n
	for x := n - 1; x >= 0; x-- {
		last := &roots
		if p := h.parent(x); p != none {
			last = &end[p]
		}
		place[x] = *last - 1
		end[x] = place[x]
		*last -= size[x]
	}
	return place
}

func (h *Hierarchy) listIn() { h.inFirst, h.in = routing.Group(h.head, h.g.Nodes()) }

func (h *Hierarchy) placeEdges() {
	h.arcOf = fill(h.g.Edges(), none)
	for e := range h.arcOf {
		if a, b := h.ends(int32(e)); a != b {
			h.arcOf[e] = h.find(min(a, b), max(a, b))
		}
	}
	h.edgeFirst, h.edges = routing.Group(h.arcOf, len(h.head))
}

// find is the arc from rank x up to rank y, none when there is none.
func (h *Hierarchy) find(x, y int32) int32 { return h.findFrom(h.first[x], x, y) }

// findFrom is find among the arcs of x from arc a on.
func (h *Hierarchy) findFrom(a, x, y int32) int32 {
	i, ok := slices.BinarySearch(h.head[a:h.first[x+1]], y)
	if !ok {
		return none
	}
	return a + int32(i)
}

// Graph is the graph of the hierarchy.
func (h *Hierarchy) Graph() *routing.Graph { return h.g }

// Arcs is the number of arcs: what it all costs grows with them.
func (h *Hierarchy) Arcs() int { return len(h.head) }

// Order is an order that gives this hierarchy. The caller changes nothing in it.
func (h *Hierarchy) Order() []int32 { return h.order }

// Height is the most nodes on a way up: what a query looks at, at either end.
func (h *Hierarchy) Height() int {
	height := fill(h.g.Nodes(), 1)
	most := int32(0)
	for x := int32(len(height)) - 1; x >= 0; x-- {
		if p := h.parent(x); p != none {
			height[x] = height[p] + 1
		}
		most = max(most, height[x])
	}
	return int(most)
}

func fill(n int, v int32) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = v
	}
	return s
}
