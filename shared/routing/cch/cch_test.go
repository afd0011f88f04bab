package cch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/dissect"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

// made is the hierarchy of a graph; points may be nil.
func made(t testing.TB, g *routing.Graph, points []routing.Point) *Hierarchy {
	t.Helper()
	order, err := dissect.Order(context.Background(), g, points, dissect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(g, order)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func customized(t testing.TB, h *Hierarchy, weights []routing.Weight) *Metric {
	t.Helper()
	m, err := h.Customize(weights, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// shuffled draws any order of a graph's nodes: a hierarchy is exact with each.
func shuffled(t *rapid.T, g *routing.Graph) *Hierarchy {
	nodes := make([]int32, g.Nodes())
	for n := range nodes {
		nodes[n] = int32(n)
	}
	h, err := New(g, rapid.Permutation(nodes).Draw(t, "order"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A comparison asks the hierarchy and Dijkstra's algorithm.
type comparison struct {
	m      *Metric
	q      *Query
	search *routing.Search
	bound  *Bound
}

func compare(m *Metric) *comparison {
	return &comparison{m: m, q: m.NewQuery(), search: routing.NewSearch(m.h.g), bound: m.NewBound()}
}

// differs says how the answers to one question differ, "" when they do not.
func (c *comparison) differs(from, to int32) string {
	got := c.q.Cost(Ask{From: from, To: to})
	way := c.q.Way(nil)
	want := c.search.Run(routing.Task{From: from, To: to, Weights: c.m.weights})
	switch {
	case got != want:
		return fmt.Sprintf("%d to %d costs %d, want %d", from, to, got, want)
	case got == routing.Infinity && len(way) > 0:
		return fmt.Sprintf("%d to %d: there is no way, but %v", from, to, way)
	case got < routing.Infinity && (routing.Cost(way, c.m.weights) != got || !c.m.h.g.Connected(way, from, to)):
		return fmt.Sprintf("%d to %d: way %v does not lead there at a cost of %d", from, to, way, got)
	}
	return ""
}

func TestAnyOrderAnswersAsDijkstra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, weights := routingtest.Draw(t)
		h := shuffled(t, g)
		m, err := h.Customize(weights, 1)
		if err != nil {
			t.Fatal(err)
		}
		c := compare(m)
		for to := range int32(g.Nodes()) {
			c.bound.Aim(to)
			for from := range int32(g.Nodes()) {
				if d := c.differs(from, to); d != "" {
					t.Fatal(d)
				}
				want := c.q.Cost(Ask{From: from, To: to})
				if got := c.bound.From(from); got != want {
					t.Fatalf("bound from %d to %d is %d, want %d", from, to, got, want)
				}
				limit := rapid.Uint32Range(1, 20).Draw(t, "limit")
				if got := c.q.Cost(Ask{From: from, To: to, Limit: limit}); got != want && (want < limit || got != routing.Infinity) {
					t.Fatalf("%d to %d with limit %d costs %d, want %d", from, to, limit, got, want)
				}
			}
		}
	})
}

func TestUpdateIsCustomize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, weights := routingtest.Draw(t)
		m, err := shuffled(t, g).Customize(weights, 1)
		if err != nil || g.Edges() == 0 {
			return
		}
		for range 3 {
			changes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Change {
				return Change{rapid.Int32Range(0, int32(g.Edges()-1)).Draw(t, "edge"), routingtest.Weight().Draw(t, "weight")}
			}), 0, 4).Draw(t, "changes")
			for _, c := range changes {
				weights[c.Edge] = c.Weight
			}
			if m, err = m.Update(changes, 2); err != nil {
				t.Fatal(err)
			}
			same(t, m, weights)
		}
	})
}

// same fails when a metric is not the one that all its weights at once would make.
func same(t rapid.TB, got *Metric, weights []routing.Weight) {
	t.Helper()
	want, err := got.h.Customize(weights, got.version)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.up, want.up) || !slices.Equal(got.down, want.down) || !slices.Equal(got.weights, want.weights) {
		t.Fatal("the updated metric has other weights than a new one")
	}
	if !slices.Equal(got.upBy, want.upBy) || !slices.Equal(got.downBy, want.downBy) {
		t.Fatal("the updated metric takes other ways than a new one")
	}
}

func TestUpdateOfARegion(t *testing.T) {
	c := routingtest.Region(2, 6000)
	h := made(t, c.Graph, c.Points)
	m := customized(t, h, c.Millis)
	weights := slices.Clone(c.Millis)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 1, 5, 40, 2000} { // the last is too many to do one by one
		var changes []Change
		for range n {
			e := int32(rng.IntN(len(weights)))
			weights[e] = []routing.Weight{routing.Infinity, weights[e] / 2, weights[e] * 4}[rng.IntN(3)]
			changes = append(changes, Change{e, weights[e]})
		}
		var err error
		if m, err = m.Update(changes, m.version+1); err != nil {
			t.Fatal(err)
		}
		same(t, m, weights)
	}
	if _, err := m.Update([]Change{{Edge: -1}}, 1); err == nil {
		t.Error("a change of edge -1 was accepted")
	}
}

func TestWhatDoesNotFitIsAnError(t *testing.T) {
	g, err := routing.NewGraph(3, []routing.Edge{{From: 0, To: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]int32{{0, 1}, {0, 1, 1}, {0, 1, 3}, {-1, 1, 2}} {
		if _, err := New(g, order); err == nil {
			t.Errorf("order %v was accepted", order)
		}
	}
	h, err := New(g, []int32{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Customize(nil, 1); err == nil {
		t.Error("no weights for an edge were accepted")
	}
	r, err := NewRouter(h, []routing.Weight{7})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []Ask{{From: -1}, {To: 3}} {
		if _, err := r.Route(a); err == nil {
			t.Errorf("%+v was answered", a)
		}
	}
}

// Several beginnings and ends cost what the best pair costs.
func TestAnchorsAreTheBestPair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, weights := routingtest.Draw(t)
		m, err := shuffled(t, g).Customize(weights, 1)
		if err != nil {
			t.Fatal(err)
		}
		anchors := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Anchor {
			return Anchor{rapid.Int32Range(0, int32(g.Nodes()-1)).Draw(t, "node"), rapid.Uint32Range(0, 9).Draw(t, "cost")}
		}), 0, 4)
		from, to := anchors.Draw(t, "from"), anchors.Draw(t, "to")
		q := m.NewQuery()
		want := routing.Infinity
		for _, a := range from {
			for _, b := range to {
				want = min(want, routing.Add(a.Cost+b.Cost, q.Cost(Ask{From: a.Node, To: b.Node})))
			}
		}
		if got := q.CostBetween(from, to, 0); got != want {
			t.Fatalf("%v to %v costs %d, want %d", from, to, got, want)
		}
		begin, end, ok := q.Ends()
		if way := q.Way(nil); ok != (want < routing.Infinity) || ok && !g.Connected(way, begin, end) {
			t.Fatalf("%v to %v: way %v from %d to %d, %v", from, to, way, begin, end, ok)
		}
		if c := compare(m).differs(0, 0); c != "" {
			t.Fatal(c)
		}
	})
}
