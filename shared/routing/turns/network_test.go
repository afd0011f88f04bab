package turns_test

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/cch"
	"github.com/2zrhun/city-flow/shared/routing/dissect"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
	"github.com/2zrhun/city-flow/shared/routing/turns"
)

// relaxed is the plainest exact answer: what it costs to be at the end of each road,
// made better until nothing changes.
func relaxed(g *routing.Graph, roads []routing.Weight, turn func(a, b int32) routing.Weight, a cch.Ask) routing.Weight {
	if a.From == a.To {
		return 0
	}
	at := make([]routing.Weight, g.Edges())
	for e := range at {
		at[e] = routing.Infinity
		if g.From(int32(e)) == a.From {
			at[e] = min(routing.Infinity, roads[e])
		}
	}
	for changed := true; changed; {
		changed = false
		for x := range int32(g.Edges()) {
			for _, y := range g.Out(g.To(x)) {
				over := routing.Add(at[x], routing.Add(min(routing.Infinity, turn(x, y)), min(routing.Infinity, roads[y])))
				if over < at[y] {
					at[y], changed = over, true
				}
			}
		}
	}
	best := routing.Infinity
	for e := range at {
		if g.To(int32(e)) == a.To {
			best = min(best, at[e])
		}
	}
	return best
}

func TestTurnsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, roads := routingtest.Draw(t)
		// A table of turn costs: forbidden, slow and free ones.
		table := rapid.SliceOfN(rapid.SampledFrom([]routing.Weight{0, 0, 3, 40, routing.Infinity}), 23, 23).Draw(t, "turns")
		turn := func(a, b int32) routing.Weight { return table[(a*7+b)%23] }
		n, err := turns.New(g)
		if err != nil {
			t.Fatal(err)
		}
		order, err := dissect.Order(context.Background(), n.Graph(), nil, dissect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		h, err := cch.New(n.Graph(), order)
		if err != nil {
			t.Fatal(err)
		}
		m, err := h.Customize(n.Weights(roads, turn), 1)
		if err != nil {
			t.Fatal(err)
		}
		q := m.NewQuery()
		for from := range int32(g.Nodes()) {
			for to := range int32(g.Nodes()) {
				a := cch.Ask{From: from, To: to}
				got, want := n.Route(q, a, roads), relaxed(g, roads, turn, a)
				if got.Cost != want {
					t.Fatalf("%+v: %d, want %d", a, got.Cost, want)
				}
				if got.Found() && (!g.Connected(got.Way, from, to) || costOf(got.Way, roads, turn) != want) {
					t.Fatalf("%+v: way %v does not lead there at a cost of %d", a, got.Way, want)
				}
			}
		}
	})
}

func costOf(way []int32, roads []routing.Weight, turn func(a, b int32) routing.Weight) routing.Weight {
	sum := routing.Cost(way, roads)
	for i := 1; i < len(way); i++ {
		sum = routing.Add(sum, turn(way[i-1], way[i]))
	}
	return sum
}

// Straight on costs 10 s; a forbidden left turn costs the way round the block.
func TestAForbiddenTurnCostsTheWayRound(t *testing.T) {
	// 0 ─► 1 ─► 2
	//      │    │
	//      ▼    ▼
	//      3 ◄─ 4
	edges := []routing.Edge{{From: 0, To: 1}, {From: 1, To: 2}, {From: 1, To: 3}, {From: 2, To: 4}, {From: 4, To: 3}}
	g, err := routing.NewGraph(5, edges)
	if err != nil {
		t.Fatal(err)
	}
	n, err := turns.New(g)
	if err != nil {
		t.Fatal(err)
	}
	points := n.Points([]routing.Point{{X: 0}, {X: 1}, {X: 2}, {X: 1, Y: 1}, {X: 2, Y: 1}})
	order, err := dissect.Order(context.Background(), n.Graph(), points, dissect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := cch.New(n.Graph(), order)
	if err != nil {
		t.Fatal(err)
	}
	roads := []routing.Weight{10, 10, 10, 10, 10}
	forbidden := func(a, b int32) routing.Weight {
		if a == 0 && b == 2 {
			return routing.Infinity
		}
		return 0
	}
	m, err := h.Customize(n.Weights(roads, forbidden), 3)
	if err != nil {
		t.Fatal(err)
	}
	got := n.Route(m.NewQuery(), cch.Ask{From: 0, To: 3}, roads)
	if got.Cost != 40 || len(got.Way) != 4 || got.Version != 3 {
		t.Errorf("%+v: want 40 s over four roads", got)
	}
}
