package cch

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/2zrhun/city-flow/shared/routing"
)

// A Router answers with the newest weights. All of it may be used by many goroutines:
// answers do not wait for new weights, they come from the metric before.
type Router struct {
	h       *Hierarchy
	writing sync.Mutex // held while a metric is made
	now     atomic.Pointer[Metric]
	queries sync.Pool
}

// NewRouter makes a router whose first metric has version 1.
func NewRouter(h *Hierarchy, weights []routing.Weight) (*Router, error) {
	m, err := h.Customize(weights, 1)
	if err != nil {
		return nil, err
	}
	r := &Router{h: h}
	r.now.Store(m)
	return r, nil
}

// Metric is the newest metric: for several questions about the same moment.
func (r *Router) Metric() *Metric { return r.now.Load() }

// Customize replaces all weights and returns the new metric, whose version is one
// higher.
func (r *Router) Customize(weights []routing.Weight) (*Metric, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.swap(r.h.Customize(weights, r.now.Load().version+1))
}

// Update replaces some weights and returns the new metric, whose version is one higher.
func (r *Router) Update(changes []Change) (*Metric, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	now := r.now.Load()
	return r.swap(now.Update(changes, now.version+1))
}

func (r *Router) swap(m *Metric, err error) (*Metric, error) {
	if err != nil {
		return nil, err
	}
	r.now.Store(m)
	return m, nil
}

// An Answer is the best way from one node to another.
type Answer struct {
	// Cost is routing.Infinity when there is no way below the limit.
	Cost routing.Weight
	// Way lists the edges in driving order.
	Way []int32
	// Version is that of the metric that the answer comes from.
	Version uint64
}

// Found reports whether there is a way.
func (a *Answer) Found() bool { return a.Cost < routing.Infinity }

// Route answers a question. The error names an end that is no node.
func (r *Router) Route(a Ask) (Answer, error) {
	for _, n := range []int32{a.From, a.To} {
		if n < 0 || int(n) >= r.h.g.Nodes() {
			return Answer{}, fmt.Errorf("route: no node %d: want 0 to %d", n, r.h.g.Nodes()-1)
		}
	}
	m := r.now.Load()
	q, ok := r.queries.Get().(*Query)
	if ok {
		q.Use(m)
	} else {
		q = m.NewQuery()
	}
	defer r.queries.Put(q)
	cost := q.Cost(a)
	return Answer{Cost: cost, Way: q.Way(nil), Version: m.version}, nil
}
