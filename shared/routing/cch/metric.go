package cch

import (
	"errors"
	"fmt"
	"slices"

	"github.com/2zrhun/city-flow/shared/routing"
)

// A Metric is a hierarchy with weights. It never changes.
type Metric struct {
	h       *Hierarchy
	version uint64
	weights []routing.Weight
	// up and down are what each arc costs towards its head and towards its tail.
	up, down []routing.Weight
	// upBy and downBy are the arcs below by which it costs that: the one to the
	// arc's tail. None stands for an edge, or no way.
	upBy, downBy []int32
}

var errWeights = errors.New("want one weight an edge")

// Customize makes a metric of weights, one an edge of the graph, which it copies. A
// weight of routing.Infinity or more closes the edge. The version is the caller's.
func (h *Hierarchy) Customize(weights []routing.Weight, version uint64) (*Metric, error) {
	if len(weights) != h.g.Edges() {
		return nil, fmt.Errorf("customize: %d weights for %d edges: %w", len(weights), h.g.Edges(), errWeights)
	}
	arcs := len(h.head)
	m := &Metric{
		h: h, version: version, weights: slices.Clone(weights),
		up: make([]routing.Weight, arcs), down: make([]routing.Weight, arcs),
		upBy: make([]int32, arcs), downBy: make([]int32, arcs),
	}
	m.customize()
	return m, nil
}

// Hierarchy is what the metric belongs to.
func (m *Metric) Hierarchy() *Hierarchy { return m.h }

// Version is the number that the metric was made with.
func (m *Metric) Version() uint64 { return m.version }

// Weights are what the metric was made of. The caller changes nothing in them.
func (m *Metric) Weights() []routing.Weight { return m.weights }

// base is what an arc costs without a way below it.
func (m *Metric) base(a int32) both {
	h := m.h
	b := both{up: routing.Infinity, down: routing.Infinity, upBy: none, downBy: none}
	for _, e := range h.edges[h.edgeFirst[a]:h.edgeFirst[a+1]] {
		if h.leadsUp(e, a) {
			b.up = min(b.up, m.weights[e])
		} else {
			b.down = min(b.down, m.weights[e])
		}
	}
	return b
}

// leadsUp reports whether edge e, which lies under arc a, leads towards a's head.
func (h *Hierarchy) leadsUp(e, a int32) bool { return h.rank[h.g.From(e)] == h.tail[a] }

func (m *Metric) get(a int32) both { return both{m.up[a], m.down[a], m.upBy[a], m.downBy[a]} }

func (m *Metric) set(a int32, b both) {
	m.up[a], m.down[a], m.upBy[a], m.downBy[a] = b.up, b.down, b.upBy, b.downBy
}
