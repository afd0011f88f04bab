package routing

import "slices"

// A Search finds ways by Dijkstra's algorithm; it keeps its arrays between runs. It is
// not safe for concurrent use.
type Search struct {
	g *Graph
	// What is known of a node counts only where its stamp is the run's.
	stamp   []uint32
	run     uint32
	dist    []Weight
	via     []int32 // the edge by which the node is reached, -1 at the beginning
	heap    heap
	settled int
}

// NewSearch makes a search over g. It takes 12 bytes a node.
func NewSearch(g *Graph) *Search {
	n := g.Nodes()
	return &Search{g: g, stamp: make([]uint32, n), dist: make([]Weight, n), via: make([]int32, n)}
}

// A Task says what a search looks for.
type Task struct {
	From, To int32
	// Weights are the graph's, one an edge; a weight of Infinity or more is closed.
	Weights []Weight
	// Bound is a lower bound on the way that is left from a node to To, for A*: it
	// must never fall along an edge by more than the edge's weight. Nil is zero
	// everywhere, which is Dijkstra's algorithm.
	Bound func(node int32) Weight
	// Limit ends the search: only ways that cost less are found. 0 is Infinity.
	Limit Weight
}

// Everywhere as Task.To lets a search run until every node is reached.
const Everywhere int32 = -1

// Run searches and returns what the best way costs, Infinity when there is none. Of
// ways that cost the same, the same one is found each time.
func (s *Search) Run(t Task) Weight {
	s.begin()
	if t.Limit == 0 {
		t.Limit = Infinity
	}
	s.reach(&t, t.From, 0, -1)
	for s.heap.len() > 0 {
		e := s.heap.pop()
		n := e.node
		d := s.dist[n]
		if e.key > Add(d, t.bound(n)) {
			continue // reached on a shorter way since
		}
		s.settled++
		if n == t.To {
			return d
		}
		for _, out := range s.g.Out(n) {
			if w := t.Weights[out]; w < Infinity {
				s.reach(&t, s.g.to[out], Add(d, w), out)
			}
		}
	}
	return Infinity
}

func (s *Search) begin() {
	s.run++
	if s.run == 0 { // the stamps wrapped round
		clear(s.stamp)
		s.run = 1
	}
	s.heap.items = s.heap.items[:0]
	s.settled = 0
}

func (t *Task) bound(n int32) Weight {
	if t.Bound == nil {
		return 0
	}
	return t.Bound(n)
}

func (s *Search) reach(t *Task, n int32, d Weight, via int32) {
	if s.stamp[n] == s.run && s.dist[n] <= d {
		return
	}
	key := Add(d, t.bound(n))
	if key >= t.Limit {
		return
	}
	s.stamp[n], s.dist[n], s.via[n] = s.run, d, via
	s.heap.push(entry{key, n})
}

// Dist is what the way to a node costs that the last run found. After a run to
// Everywhere it is exact for each node; otherwise for those that lie nearer than To.
func (s *Search) Dist(n int32) Weight {
	if s.stamp[n] != s.run {
		return Infinity
	}
	return s.dist[n]
}

// Way lists the edges of the way to a node that the last run reached; nil where it
// began and where it did not come.
func (s *Search) Way(n int32) []int32 {
	if s.stamp[n] != s.run {
		return nil
	}
	var way []int32
	for e := s.via[n]; e >= 0; e = s.via[s.g.from[e]] {
		way = append(way, e)
	}
	slices.Reverse(way)
	return way
}

// Settled is how many nodes the last run looked at: what a search costs.
func (s *Search) Settled() int { return s.settled }
