package detour

import (
	"slices"

	"github.com/2zrhun/city-flow/shared/routing"
)

// none stands for no road.
const none int32 = -1

// A query asks for the fastest way from one junction to another.
type query struct {
	from, to int32
	// before and after are the roads by which traffic comes to from and goes on
	// at to; none where unknown. No turn back into or out of the way is made.
	before, after int32
	// avoid are roads that may not be used.
	avoid []int32
	// budget is how long the way may take in milliseconds; ways that take as long are
	// not found.
	budget routing.Weight
}

// A search keeps its arrays between queries. It is not safe for concurrent use.
type search struct {
	g *Graph
	// millis is the driving time of each road.
	millis []routing.Weight

	// The state of a road counts only where its stamp is the query's.
	stamp   []uint32
	query   uint32
	done    []routing.Weight // when the road's end is reached
	settled []bool
	parent  []int32
	heap    []entry
}

type entry struct {
	at   routing.Weight
	road int32
}

func newSearch(g *Graph, millis []routing.Weight) *search {
	n := len(g.roads)
	return &search{
		g: g, millis: millis, stamp: make([]uint32, n), done: make([]routing.Weight, n),
		settled: make([]bool, n), parent: make([]int32, n),
	}
}

// fastest returns the roads of the fastest way and its time in milliseconds; of ways that
// take equally long always the same. The answer is false when there is none within
// the budget.
func (s *search) fastest(q query) ([]int32, routing.Weight, bool) {
	if q.from == q.to {
		return nil, 0, false
	}
	s.query++
	s.heap = s.heap[:0]
	for _, r := range s.g.top.Out(q.from) {
		if q.before == none || !s.g.turnsBack(q.before, r) {
			s.reach(q, none, r, 0)
		}
	}
	for len(s.heap) > 0 {
		e := s.pop()
		if s.settled[e.road] {
			continue
		}
		s.settled[e.road] = true
		end := s.g.top.To[e.road]
		if end == q.to {
			if q.after != none && s.g.turnsBack(e.road, q.after) {
				continue
			}
			return s.wayTo(e.road), e.at, true
		}
		for _, r := range s.g.top.Out(end) {
			if !s.g.turnsBack(e.road, r) {
				s.reach(q, e.road, r, e.at)
			}
		}
	}
	return nil, 0, false
}

// reach notes that road r can be entered at a time from parent.
func (s *search) reach(q query, parent, r int32, at routing.Weight) {
	at = routing.Add(at, s.millis[r])
	// Back at the beginning, the way has only gone round a block.
	if at >= q.budget || s.g.top.To[r] == q.from || slices.Contains(q.avoid, r) {
		return
	}
	if s.stamp[r] != s.query {
		s.stamp[r], s.done[r], s.settled[r] = s.query, routing.Infinity, false
	}
	if at < s.done[r] || (at == s.done[r] && !s.settled[r] && parent < s.parent[r]) {
		s.done[r], s.parent[r] = at, parent
		s.push(entry{at, r})
	}
}

func (s *search) wayTo(r int32) []int32 {
	var way []int32
	for ; r != none; r = s.parent[r] {
		way = append(way, r)
	}
	slices.Reverse(way)
	return way
}

func (e entry) less(o entry) bool { return e.at < o.at || (e.at == o.at && e.road < o.road) }

func (s *search) push(e entry) {
	s.heap = append(s.heap, e)
	for i := len(s.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !s.heap[i].less(s.heap[up]) {
			break
		}
		s.heap[i], s.heap[up] = s.heap[up], s.heap[i]
		i = up
	}
}

func (s *search) pop() entry {
	top := s.heap[0]
	last := len(s.heap) - 1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s.heap[child].less(s.heap[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		s.heap[i], s.heap[least] = s.heap[least], s.heap[i]
		i = least
	}
}
