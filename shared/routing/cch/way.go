package cch

import "slices"

// A step is an arc to go over, up to its head or down to its tail.
type step struct {
	arc int32
	up  bool
}

// Way appends to way the edges of the way that the last question found, in driving
// order. It appends nothing when there was none, or when it began where it ended.
func (q *Query) Way(way []int32) []int32 {
	if q.meet == none {
		return way
	}
	h := q.m.h
	q.stack = q.stack[:0]
	for x := q.meet; q.backBy[x] != none; x = h.tail[q.backBy[x]] {
		q.stack = append(q.stack, step{q.backBy[x], false})
	}
	slices.Reverse(q.stack) // what is driven last lies lowest
	for x := q.meet; q.forthBy[x] != none; x = h.tail[q.forthBy[x]] {
		q.stack = append(q.stack, step{q.forthBy[x], true})
	}
	for len(q.stack) > 0 {
		s := q.stack[len(q.stack)-1]
		q.stack = q.stack[:len(q.stack)-1]
		below := q.m.upBy[s.arc]
		if !s.up {
			below = q.m.downBy[s.arc]
		}
		if below == none {
			way = append(way, q.m.edgeOver(s))
			continue
		}
		beside := h.findFrom(below+1, h.tail[below], h.head[s.arc])
		if s.up {
			q.stack = append(q.stack, step{beside, true}, step{below, false})
		} else {
			q.stack = append(q.stack, step{below, true}, step{beside, false})
		}
	}
	return way
}

// edgeOver is the first edge that costs what the step costs.
func (m *Metric) edgeOver(s step) int32 {
	h := m.h
	cost := m.down[s.arc]
	if s.up {
		cost = m.up[s.arc]
	}
	for _, e := range h.edges[h.edgeFirst[s.arc]:h.edgeFirst[s.arc+1]] {
		if m.weights[e] == cost && h.leadsUp(e, s.arc) == s.up {
			return e
		}
	}
	panic("cch: an arc costs less than its edges")
}
