package routing_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

// allPairs is the plainest way to all distances (Floyd and Warshall).
func allPairs(g *routing.Graph, weights []routing.Weight) [][]routing.Weight {
	n := g.Nodes()
	d := make([][]routing.Weight, n)
	for i := range d {
		d[i] = slices.Repeat([]routing.Weight{routing.Infinity}, n)
		d[i][i] = 0
	}
	for e := range int32(g.Edges()) {
		a, b := g.From(e), g.To(e)
		d[a][b] = min(d[a][b], weights[e])
	}
	for k := range n {
		for i := range n {
			for j := range n {
				d[i][j] = min(d[i][j], routing.Add(d[i][k], d[k][j]))
			}
		}
	}
	return d
}

func TestDijkstraAgreesWithFloydWarshall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, weights := routingtest.Draw(t)
		want := allPairs(g, weights)
		s, back := routing.NewSearch(g), routing.NewSearch(g.Reverse())
		for from := range int32(g.Nodes()) {
			back.Run(routing.Task{From: from, To: routing.Everywhere, Weights: weights})
			for to := range int32(g.Nodes()) {
				got := s.Run(routing.Task{From: from, To: to, Weights: weights})
				if got != want[from][to] {
					t.Fatalf("%d to %d: %d, want %d", from, to, got, want[from][to])
				}
				if back.Dist(to) != want[to][from] {
					t.Fatalf("%d from %d: %d, want %d", from, to, back.Dist(to), want[to][from])
				}
				if way := s.Way(to); got < routing.Infinity && (routing.Cost(way, weights) != got || !g.Connected(way, from, to)) {
					t.Fatalf("%d to %d: way %v does not cost %d", from, to, way, got)
				}
			}
		}
	})
}

func TestAStarAgreesWithDijkstra(t *testing.T) {
	c := routingtest.Region(3, 4000)
	s := routing.NewSearch(c.Graph)
	rng := rand.New(rand.NewPCG(1, 2))
	var plain, bounded int
	for range 100 {
		task := routing.Task{From: int32(rng.IntN(c.Graph.Nodes())), To: int32(rng.IntN(c.Graph.Nodes())), Weights: c.Millis}
		want := s.Run(task)
		plain += s.Settled()
		task.Bound = c.Crow(task.To)
		if got := s.Run(task); got != want {
			t.Fatalf("%d to %d: %d, want %d", task.From, task.To, got, want)
		}
		bounded += s.Settled()
		task.Limit = want
		if got := s.Run(task); got != routing.Infinity && want > 0 {
			t.Fatalf("%d to %d: %d below the limit %d", task.From, task.To, got, want)
		}
		task.Limit = want + 1
		if got := s.Run(task); got != want {
			t.Fatalf("%d to %d: %d with limit %d", task.From, task.To, got, want+1)
		}
	}
	if bounded >= plain {
		t.Errorf("A* looked at %d nodes, Dijkstra at %d", bounded, plain)
	}
}

func TestGraphNamesAnEdgeThatLeadsNowhere(t *testing.T) {
	for _, e := range []routing.Edge{{From: 0, To: 2}, {From: -1, To: 0}} {
		_, err := routing.NewGraph(2, []routing.Edge{{From: 0, To: 1}, e})
		if err == nil || !strings.Contains(err.Error(), "edge 1 leads from") {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if _, err := routing.NewGraph(routing.MaxSize+1, nil); err == nil {
		t.Error("a graph of too many nodes was made")
	}
}
