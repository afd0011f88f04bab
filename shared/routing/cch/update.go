package cch

import (
	"container/heap"
	"fmt"
	"slices"

	"github.com/2zrhun/city-flow/shared/routing"
)

// A Change gives an edge a new weight.
type Change struct {
	Edge   int32
	Weight routing.Weight
}

// Update makes the metric that Customize makes of the same weights with some changed;
// of several changes of one edge the last counts. It looks only at arcs that may
// differ; when these are many, it customizes everything.
func (m *Metric) Update(changes []Change, version uint64) (*Metric, error) {
	for _, c := range changes {
		if c.Edge < 0 || int(c.Edge) >= m.h.g.Edges() {
			return nil, fmt.Errorf("update metric: no edge %d: want 0 to %d", c.Edge, m.h.g.Edges()-1)
		}
	}
	n := &Metric{
		h: m.h, version: version, weights: slices.Clone(m.weights), up: slices.Clone(m.up), down: slices.Clone(m.down),
		upBy: slices.Clone(m.upBy), downBy: slices.Clone(m.downBy),
	}
	u := &updater{m: n, marked: make([]uint64, len(m.up)/64+1)}
	for _, c := range changes {
		a := m.h.arcOf[c.Edge]
		if n.weights[c.Edge] != c.Weight && a != none {
			u.mark(a)
		}
		n.weights[c.Edge] = c.Weight
	}
	if !u.run() {
		n.customize()
	}
	return n, nil
}

// worthwhile is the share of all arcs of which it is faster to compute each alone.
const worthwhile = 0.03

// An updater computes arcs whose weight may have changed, from below.
type updater struct {
	m      *Metric
	marked []uint64
	due    arcs // the marked ones
}

// run reports false when it gave up, since too many arcs are concerned.
func (u *updater) run() bool {
	limit := int(worthwhile*float64(len(u.m.up))) + 16
	for done := 0; len(u.due) > 0; done++ {
		if done+len(u.due) > limit {
			return false
		}
		a := heap.Pop(&u.due).(int32)
		old := u.m.get(a)
		u.m.compute(a)
		if now := u.m.get(a); now.up != old.up || now.down != old.down {
			u.spread(a, old)
		}
	}
	return true
}

func (u *updater) mark(a int32) {
	if u.marked[a/64]&(1<<(a%64)) == 0 {
		u.marked[a/64] |= 1 << (a % 64)
		heap.Push(&u.due, a)
	}
}

// compute does for one arc what a customizer does for all of a node.
func (m *Metric) compute(a int32) {
	h := m.h
	x, y := h.tail[a], h.head[a]
	best := m.base(a)
	for _, b := range h.in[h.inFirst[x]:h.inFirst[x+1]] {
		c := h.findFrom(b+1, h.tail[b], y)
		if c == none {
			continue
		}
		if w := m.down[b] + m.up[c]; w < best.up {
			best.up, best.upBy = w, b
		}
		if w := m.down[c] + m.up[b]; w < best.down {
			best.down, best.downBy = w, b
		}
	}
	m.set(a, best)
}

// spread marks the arcs above that arc a, which was old, may change: those that cost as
// much as the way over it did, and those that the way over it may be better for.
func (u *updater) spread(a int32, old both) {
	m, h := u.m, u.m.h
	x, y := h.tail[a], h.head[a]
	now := m.get(a)
	for b := h.first[x]; b < h.first[x+1]; b++ {
		z := h.head[b]
		if z == y {
			continue
		}
		c := h.find(min(y, z), max(y, z))
		to, from := m.up[c], m.down[c] // from y to z and back
		if z < y {
			to, from = from, to
		}
		over := min(old.down, now.down) + m.up[b]
		back := m.down[b] + min(old.up, now.up)
		if over <= to || back <= from {
			u.mark(c)
		}
	}
}

// arcs is a heap, least first.
type arcs []int32

func (h arcs) Len() int           { return len(h) }
func (h arcs) Less(i, j int) bool { return h[i] < h[j] }
func (h arcs) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *arcs) Push(a any)        { *h = append(*h, a.(int32)) }
func (h *arcs) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	*h = (*h)[:last]
	return a
}
