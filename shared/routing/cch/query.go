package cch

import (
	"github.com/2zrhun/city-flow/shared/routing"
)

// A Query answers one question after the other; it keeps its arrays between them. It
// takes 16 bytes a node and is not safe for concurrent use.
type Query struct {
	m *Metric
	// What is known of each rank; Infinity and anything between questions.
	forth, back []routing.Weight
	// The arc by which a rank was reached.
	forthBy, backBy []int32
	// meet is where the two halves of the way found last meet, none if none was.
	meet  int32
	stack []step
}

// NewQuery makes a query about the metric.
func (m *Metric) NewQuery() *Query {
	n := m.h.g.Nodes()
	q := &Query{
		m: m, forth: make([]routing.Weight, n), back: make([]routing.Weight, n),
		forthBy: make([]int32, n), backBy: make([]int32, n), meet: none,
	}
	for x := range n {
		q.forth[x], q.back[x] = routing.Infinity, routing.Infinity
	}
	return q
}

// Use turns the query to another metric of the same hierarchy.
func (q *Query) Use(m *Metric) {
	if q.m.h != m.h {
		panic("cch: a query cannot be used with another hierarchy")
	}
	q.m = m
	q.meet = none
}

// Version is that of the metric that the answers come from.
func (q *Query) Version() uint64 { return q.m.version }

// An Ask is a question: the best way from one node to another.
type Ask struct {
	From, To int32
	// Limit keeps only ways that cost less, which is faster the less it is; 0 is
	// routing.Infinity.
	Limit routing.Weight
}

// Cost is what the best way costs, routing.Infinity when there is none. Way then lists
// it.
func (q *Query) Cost(a Ask) routing.Weight {
	h := q.m.h
	q.meet = none
	best := a.Limit
	if best == 0 || best > routing.Infinity {
		best = routing.Infinity
	}
	from, to := h.rank[a.From], h.rank[a.To]
	x, y := from, to
	q.forth[x], q.back[y] = 0, 0
	q.forthBy[x], q.backBy[y] = none, none
	// Below the lowest common ancestor the two ways up have nothing in common.
	for x != y {
		if y == none || (x != none && x < y) {
			x = q.climb(x, best)
		} else {
			y = q.climbBack(y, best)
		}
	}
	for ; x != none; x = h.parent(x) {
		if sum := q.forth[x] + q.back[x]; sum < best {
			best, q.meet = sum, x
		}
		q.climb(x, best)
		q.climbBack(x, best)
	}
	q.forget(from, to)
	if q.meet == none {
		return routing.Infinity
	}
	return best
}

// climb offers the ways over x to the nodes above it and returns its parent.
func (q *Query) climb(x int32, best routing.Weight) int32 {
	return q.offer(x, best, q.m.up, q.forth, q.forthBy)
}

// climbBack is climb from the other end.
func (q *Query) climbBack(x int32, best routing.Weight) int32 {
	return q.offer(x, best, q.m.down, q.back, q.backBy)
}

func (q *Query) offer(x int32, best routing.Weight, weights, cost []routing.Weight, by []int32) int32 {
	h := q.m.h
	first, end := h.first[x], h.first[x+1]
	if first == end {
		return none
	}
	heads := h.head[first:end]
	d := cost[x]
	if d >= best {
		return heads[0]
	}
	weights = weights[first:end]
	weights = weights[:len(heads)]
	for i, y := range heads {
		if w := d + weights[i]; w < cost[y] {
			cost[y], by[y] = w, first+int32(i)
		}
	}
	return heads[0]
}

// forget makes what lies above two ranks ready for the next question. The arcs stay,
// for Way.
func (q *Query) forget(from, to int32) {
	for x := from; x != none; x = q.m.h.parent(x) {
		q.forth[x] = routing.Infinity
	}
	for x := to; x != none; x = q.m.h.parent(x) {
		q.back[x] = routing.Infinity
	}
}
