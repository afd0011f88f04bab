package cch

import "github.com/2zrhun/city-flow/shared/routing"

// An Anchor is a node at which a way may begin or end, and what it costs to get there
// first: a place in the middle of a road has one at each end of it.
type Anchor struct {
	Node int32
	Cost routing.Weight
}

// CostBetween is what the best way from one of several beginnings to one of several ends
// costs, with what the two anchors cost, or routing.Infinity when there is none that
// costs less than limit; 0 is no limit. Way and Ends then tell which it is.
func (q *Query) CostBetween(from, to []Anchor, limit routing.Weight) routing.Weight {
	q.meet = none
	h := q.m.h
	best := limit
	if best == 0 || best > routing.Infinity {
		best = routing.Infinity
	}
	// Each anchor climbs to the root again: what an earlier one found above is only
	// made better.
	for _, a := range from {
		x := h.rank[a.Node]
		if a.Cost < q.forth[x] {
			q.forth[x], q.forthBy[x] = a.Cost, none
		}
		for ; x != none; x = q.climb(x, best) {
		}
	}
	for _, a := range to {
		x := h.rank[a.Node]
		if a.Cost < q.back[x] {
			q.back[x], q.backBy[x] = a.Cost, none
		}
		for ; x != none; x = q.climbBack(x, best) {
		}
	}
	for _, a := range to {
		for x := h.rank[a.Node]; x != none; x = h.parent(x) {
			if sum := q.forth[x] + q.back[x]; sum < best {
				best, q.meet = sum, x
			}
		}
	}
	for _, a := range from {
		q.forget(h.rank[a.Node], none)
	}
	for _, a := range to {
		q.forget(none, h.rank[a.Node])
	}
	if q.meet == none {
		return routing.Infinity
	}
	return best
}

// Ends are the nodes at which the way that the last question found begins and ends;
// false when there was none.
func (q *Query) Ends() (from, to int32, ok bool) {
	if q.meet == none {
		return 0, 0, false
	}
	h := q.m.h
	x, y := q.meet, q.meet
	for q.forthBy[x] != none {
		x = h.tail[q.forthBy[x]]
	}
	for q.backBy[y] != none {
		y = h.tail[q.backBy[y]]
	}
	return h.order[x], h.order[y], true
}
