package cch

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/2zrhun/city-flow/shared/routing"
)

// A plan says how a hierarchy is customized by several processors: subtrees that
// depend on nothing else side by side, then the few nodes above them.
type plan struct {
	trees []span  // by work, most first
	top   []int32 // ascending
}

// A span is the ranks from lo to hi-1: a subtree.
type span struct {
	lo, hi int32
}

// treesPerPlan bounds the work in a subtree: a share of all.
const treesPerPlan = 64

func (h *Hierarchy) newPlan() plan {
	n := int32(h.g.Nodes())
	work, size := make([]int64, n), fill(int(n), 1)
	var total int64
	for x := range n {
		up := int64(h.first[x+1] - h.first[x])
		work[x] += up*up/2 + 1
		total += up*up/2 + 1
		if p := h.parent(x); p != none {
			work[p] += work[x]
			size[p] += size[x]
		}
	}
	var p plan
	limit := total/treesPerPlan + 1
	for x := range n {
		switch up := h.parent(x); {
		case work[x] > limit:
			p.top = append(p.top, x)
		case up == none || work[up] > limit:
			p.trees = append(p.trees, span{x + 1 - size[x], x + 1})
		}
	}
	return p
}

// customize computes every arc from the triangles below it.
func (m *Metric) customize() {
	workers := runtime.GOMAXPROCS(0)
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			c := newCustomizer(m)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(m.h.plan.trees) {
					return
				}
				t := m.h.plan.trees[i]
				for x := t.lo; x < t.hi; x++ {
					c.node(x)
				}
			}
		})
	}
	group.Wait()
	c := newCustomizer(m)
	for _, x := range m.h.plan.top {
		c.node(x)
	}
}

// A customizer computes the arcs of one node after the other.
type customizer struct {
	m *Metric
	// best is the best way so far between the node that is computed and each above.
	best []both
}

// both is an arc's two directions: what they cost, and the lower one of the two arcs
// below that cost as much, none where an edge does.
type both struct {
	up, down     routing.Weight
	upBy, downBy int32
}

func newCustomizer(m *Metric) *customizer {
	return &customizer{m: m, best: make([]both, m.h.g.Nodes())}
}

// node computes the arcs of rank x: a way up from x to y may go over each z below
// that has arcs to both.
func (c *customizer) node(x int32) {
	m, h := c.m, c.m.h
	first, end := h.first[x], h.first[x+1]
	for a := first; a < end; a++ {
		c.best[h.head[a]] = m.base(a)
	}
	for _, a := range h.in[h.inFirst[x]:h.inFirst[x+1]] {
		c.triangles(a)
	}
	for a := first; a < end; a++ {
		m.set(a, c.best[h.head[a]])
	}
}

// triangles offers the ways over the tail of arc a, which leads up to the node that is
// computed. The tail's arcs after a lead to nodes above that node.
func (c *customizer) triangles(a int32) {
	m, h := c.m, c.m.h
	end := h.first[h.tail[a]+1]
	heads := h.head[a+1 : end]
	ups, downs := m.up[a+1:end], m.down[a+1:end]
	ups, downs = ups[:len(heads)], downs[:len(heads)]
	fromX, toX := m.down[a], m.up[a]
	for i, y := range heads {
		b := &c.best[y]
		if w := fromX + ups[i]; w < b.up {
			b.up, b.upBy = w, a
		}
		if w := downs[i] + toX; w < b.down {
			b.down, b.downBy = w, a
		}
	}
}
