package cch

import "github.com/2zrhun/city-flow/shared/routing"

// A Bound says what the best way from any node to one is, for routing.Task.Bound: exact
// as long as the search is free, and so the best lower bound for a search with
// conditions that the metric does not know, such as forbidden turns or a closed edge
// (Strasser and Zeitz 2021). Weights of that search may be higher than the metric's,
// never lower. It is worked out as it is asked for. A Bound belongs to one goroutine.
type Bound struct {
	m *Metric
	// What is known of a rank counts only where its stamp is the target's.
	stamp  []uint32
	target uint32
	known  []routing.Weight
	back   []routing.Weight // from above, Infinity between targets
	path   []int32
}

// NewBound makes a bound of metric m. It takes 12 bytes a node. Aim comes first.
func (m *Metric) NewBound() *Bound {
	n := m.h.g.Nodes()
	b := &Bound{m: m, stamp: make([]uint32, n), known: make([]routing.Weight, n), back: make([]routing.Weight, n)}
	for x := range b.back {
		b.back[x] = routing.Infinity
	}
	return b
}

// Aim chooses the node that ways lead to.
func (b *Bound) Aim(to int32) {
	b.target++
	if b.target == 0 { // the stamps wrapped round
		clear(b.stamp)
		b.target = 1
	}
	h := b.m.h
	for _, x := range b.path {
		b.back[x] = routing.Infinity
	}
	b.path = b.path[:0]
	b.back[h.rank[to]] = 0
	for x := h.rank[to]; x != none; x = h.parent(x) {
		b.path = append(b.path, x)
		if b.back[x] == routing.Infinity {
			continue
		}
		for a := h.first[x]; a < h.first[x+1]; a++ {
			y := h.head[a]
			b.back[y] = min(b.back[y], b.back[x]+b.m.down[a])
		}
	}
}

// From is what the best way from node n costs.
func (b *Bound) From(n int32) routing.Weight { return b.from(b.m.h.rank[n]) }

func (b *Bound) from(x int32) routing.Weight {
	if b.stamp[x] == b.target {
		return b.known[x]
	}
	h := b.m.h
	d := b.back[x]
	for a := h.first[x]; a < h.first[x+1]; a++ {
		if w := b.m.up[a]; w < d {
			d = min(d, w+b.from(h.head[a]))
		}
	}
	b.stamp[x], b.known[x] = b.target, d
	return d
}
