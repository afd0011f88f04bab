package routing

import (
	"fmt"
	"math"
	"slices"
)

// A Weight is what one edge or a whole way costs, in a unit that the caller chooses.
// A way that costs Infinity or more does not exist.
type Weight = uint32

// Infinity is the weight of a closed edge. The sum of two weights up to Infinity does
// not overflow. In milliseconds it is 24.8 days.
const Infinity Weight = math.MaxInt32

// An Edge leads from one node to another.
type Edge struct {
	From, To int32
}

// A Point is where a node lies, in any unit that is the same in both directions.
type Point struct {
	X, Y float64
}

// A Graph is a directed graph that never changes. Nodes are 0 to Nodes()-1, edges 0 to
// Edges()-1 in the order in which they were given. It takes 12 bytes an edge and 4 a
// node.
type Graph struct {
	from, to []int32
	// The edges that leave node n are out[first[n]:first[n+1]].
	first, out []int32
}

// MaxSize is the most nodes, and the most edges, that a graph may have.
const MaxSize = math.MaxInt32 / 4

// NewGraph makes a graph. The error names the first edge whose end is no node.
func NewGraph(nodes int, edges []Edge) (*Graph, error) {
	if nodes < 0 || nodes > MaxSize || len(edges) > MaxSize {
		return nil, fmt.Errorf("make graph of %d nodes and %d edges: want at most %d of each", nodes, len(edges), MaxSize)
	}
	g := &Graph{from: make([]int32, len(edges)), to: make([]int32, len(edges))}
	for i, e := range edges {
		if e.From < 0 || int(e.From) >= nodes || e.To < 0 || int(e.To) >= nodes {
			return nil, fmt.Errorf("make graph: edge %d leads from %d to %d: want nodes 0 to %d", i, e.From, e.To, nodes-1)
		}
		g.from[i], g.to[i] = e.From, e.To
	}
	g.first, g.out = Group(g.from, nodes)
	return g, nil
}

// Nodes is the number of nodes.
func (g *Graph) Nodes() int { return len(g.first) - 1 }

// Edges is the number of edges.
func (g *Graph) Edges() int { return len(g.from) }

// From is where edge e begins.
func (g *Graph) From(e int32) int32 { return g.from[e] }

// To is where edge e ends.
func (g *Graph) To(e int32) int32 { return g.to[e] }

// Out lists the edges that leave node n, in ascending order. The caller changes nothing
// in it.
func (g *Graph) Out(n int32) []int32 { return g.out[g.first[n]:g.first[n+1]] }

// Reverse is the graph with every edge turned round; edges keep their numbers.
func (g *Graph) Reverse() *Graph {
	r := &Graph{from: g.to, to: g.from}
	r.first, r.out = Group(r.from, g.Nodes())
	return r
}

// Group lists which items belong to each of n owners: those of owner o are
// items[first[o]:first[o+1]], ascending. Items whose owner is negative belong to
// nobody.
func Group(owner []int32, n int) (first, items []int32) {
	first = make([]int32, n+1)
	for _, o := range owner {
		if o >= 0 {
			first[o+1]++
		}
	}
	for o := range n {
		first[o+1] += first[o]
	}
	items = make([]int32, first[n])
	next := slices.Clone(first)
	for i, o := range owner {
		if o >= 0 {
			items[next[o]] = int32(i)
			next[o]++
		}
	}
	return first, items
}

// Add is a+b, at most Infinity.
func Add(a, b Weight) Weight { return min(Infinity, a+b) }

// Cost adds up a way's weights. It is Infinity when an edge is closed.
func Cost(way []int32, weights []Weight) Weight {
	var sum Weight
	for _, e := range way {
		sum = Add(sum, min(Infinity, weights[e]))
	}
	return sum
}

// Connected reports whether way leads from one node to another without a gap. The
// empty way leads nowhere.
func (g *Graph) Connected(way []int32, from, to int32) bool {
	at := from
	for _, e := range way {
		if g.from[e] != at {
			return false
		}
		at = g.to[e]
	}
	return at == to
}
