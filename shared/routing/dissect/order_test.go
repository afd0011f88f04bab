package dissect_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/cch"
	"github.com/2zrhun/city-flow/shared/routing/dissect"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

func order(t testing.TB, g *routing.Graph, points []routing.Point, o dissect.Options) []int32 {
	t.Helper()
	nodes, err := dissect.Order(context.Background(), g, points, o)
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

func hierarchy(t testing.TB, g *routing.Graph, points []routing.Point) *cch.Hierarchy {
	t.Helper()
	h, err := cch.New(g, order(t, g, points, dissect.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestEveryNodeIsInTheOrderOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, _ := routingtest.Draw(t)
		nodes, err := dissect.Order(context.Background(), g, nil, dissect.Options{Seed: rapid.Uint64().Draw(t, "seed")})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(nodes)
		for i, n := range nodes {
			if int(n) != i {
				t.Fatalf("order holds %v", nodes)
			}
		}
		if len(nodes) != g.Nodes() {
			t.Fatalf("order of %d for %d nodes", len(nodes), g.Nodes())
		}
	})
}

func TestOrderDependsOnTheSeedAlone(t *testing.T) {
	c := routingtest.Region(5, 9000)
	one := order(t, c.Graph, c.Points, dissect.Options{Workers: 1})
	for range 3 {
		if many := order(t, c.Graph, c.Points, dissect.Options{Workers: 8}); !slices.Equal(one, many) {
			t.Fatal("eight workers found another order than one")
		}
	}
	if other := order(t, c.Graph, c.Points, dissect.Options{Seed: 7, Workers: 1}); slices.Equal(one, other) {
		t.Error("another seed gave the same order")
	}
}

// grid is a square of streets, both ways.
func grid(size int) (*routing.Graph, []routing.Point) {
	var edges []routing.Edge
	var points []routing.Point
	for n := range int32(size * size) {
		points = append(points, routing.Point{X: float64(int(n) % size), Y: float64(int(n) / size)})
		if int(n)%size > 0 {
			edges = append(edges, routing.Edge{From: n, To: n - 1}, routing.Edge{From: n - 1, To: n})
		}
		if int(n) >= size {
			edges = append(edges, routing.Edge{From: n, To: n - int32(size)})
		}
	}
	g, err := routing.NewGraph(size*size, edges)
	if err != nil {
		panic(err)
	}
	return g, points
}

// A square of n by n needs separators of about n, n/2, n/2, n/4…: a way up of 3n or so.
func TestSeparatorsAreSmall(t *testing.T) {
	g, points := grid(40)
	embedded := hierarchy(t, g, nil)
	placed := hierarchy(t, g, points)
	t.Logf("grid of 40 by 40: height %d, %d arcs; without positions %d, %d", placed.Height(), placed.Arcs(), embedded.Height(), embedded.Arcs())
	if placed.Height() > 150 || placed.Arcs() > 28_000 {
		t.Errorf("height %d and %d arcs: want at most 150 and 28000", placed.Height(), placed.Arcs())
	}
	if embedded.Height() > 180 || embedded.Arcs() > 33_000 {
		t.Errorf("without positions height %d and %d arcs: want at most 180 and 33000", embedded.Height(), embedded.Arcs())
	}
}

// A street of a thousand houses is halved ten times, not eaten from its end.
func TestALineGetsALowHierarchy(t *testing.T) {
	var edges []routing.Edge
	for n := range int32(999) {
		edges = append(edges, routing.Edge{From: n, To: n + 1})
	}
	g, err := routing.NewGraph(1000, edges)
	if err != nil {
		t.Fatal(err)
	}
	if h := hierarchy(t, g, nil); h.Height() > 24 {
		t.Errorf("height %d: want at most 24", h.Height())
	}
}

// Many squares beside each other, and all nodes at one place: no position helps.
func TestPiecesAndCoincidingNodes(t *testing.T) {
	var edges []routing.Edge
	for piece := range int32(30) {
		for a := range int32(5) {
			for b := range int32(5) {
				edges = append(edges, routing.Edge{From: piece*5 + a, To: piece*5 + b})
			}
		}
	}
	g, err := routing.NewGraph(150, edges)
	if err != nil {
		t.Fatal(err)
	}
	for name, points := range map[string][]routing.Point{"none": nil, "one place": make([]routing.Point, 150)} {
		if h := hierarchy(t, g, points); h.Height() > 16 {
			t.Errorf("points %s: height %d", name, h.Height())
		}
	}
}

func TestWhatCannotBeOrderedIsAnError(t *testing.T) {
	g, points := grid(12)
	if _, err := dissect.Order(context.Background(), g, points[:5], dissect.Options{}); err == nil {
		t.Error("five points for 144 nodes were accepted")
	}
	points[7].X = math.NaN()
	if _, err := dissect.Order(context.Background(), g, points, dissect.Options{}); err == nil {
		t.Error("a position of NaN was accepted")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := dissect.Order(ctx, g, nil, dissect.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
