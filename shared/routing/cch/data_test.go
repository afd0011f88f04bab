package cch

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

// mismatches counts how many of n random questions are answered otherwise than by
// Dijkstra's algorithm, and names the first.
func mismatches(t testing.TB, m *Metric, n int) int {
	t.Helper()
	c := compare(m)
	rng := rand.New(rand.NewPCG(6, uint64(n)))
	wrong := 0
	for range n {
		nodes := m.h.g.Nodes()
		if d := c.differs(int32(rng.IntN(nodes)), int32(rng.IntN(nodes))); d != "" {
			if wrong == 0 {
				t.Error(d)
			}
			wrong++
		}
	}
	return wrong
}

// BenchmarkRoute asks 10,000 questions of each graph; here it is a few.
func TestRealGraphsAnswerAsDijkstra(t *testing.T) {
	for name, c := range routingtest.Cases(t) {
		t.Run(name, func(t *testing.T) {
			h := made(t, c.Graph, c.Points)
			t.Logf("%d nodes, %d edges, %d arcs, height %d", c.Graph.Nodes(), c.Graph.Edges(), h.Arcs(), h.Height())
			n := min(300, 300_000/c.Graph.Nodes())
			for _, weights := range [][]routing.Weight{c.Millis, c.Metres} {
				if wrong := mismatches(t, customized(t, h, weights), n); wrong > 0 {
					t.Errorf("%d of %d answers differ", wrong, n)
				}
			}
		})
	}
}

// The answers were computed with SciPy and are part of the data.
func TestParisReferenceAnswers(t *testing.T) {
	c, streets := routingtest.Paris(t)
	h := made(t, c.Graph, c.Points)
	byTime, byLength := customized(t, h, c.Millis), customized(t, h, c.Metres)
	times, lengths := byTime.NewQuery(), byLength.NewQuery()
	rows := routingtest.Rows(t, "paris-road-graph/shortest_paths_reference.csv", true)
	if len(rows) != 500 {
		t.Fatalf("%d reference answers, want 500", len(rows))
	}
	for _, r := range rows {
		a := askOf(t, r[0], r[1])
		if got, want := times.Cost(a), routing.Weight(routingtest.Number(t, r[2])); got != want {
			t.Errorf("%+v: %d s, want %d", a, got, want)
		}
		if got, want := lengths.Cost(a), routing.Weight(routingtest.Number(t, r[3])); got != want {
			t.Errorf("%+v: %d m, want %d", a, got, want)
		}
	}
	for _, scenario := range []string{"0", "1"} {
		closures(t, byTime, streets, scenario)
	}
}

func askOf(t testing.TB, from, to string) Ask {
	t.Helper()
	return Ask{From: int32(routingtest.Number(t, from)), To: int32(routingtest.Number(t, to))}
}

// closures closes and slows streets and compares the answers, both after an update and
// after all is customized again.
func closures(t *testing.T, m *Metric, streets [][]int32, scenario string) {
	t.Helper()
	var changes []Change
	weights := slices.Clone(m.weights)
	for _, r := range routingtest.Rows(t, "paris-road-graph/closure_scenarios.csv.gz", true) {
		if r[0] != scenario {
			continue
		}
		for _, e := range streets[int(routingtest.Number(t, r[1]))] {
			weights[e] = routing.Infinity
			if r[2] != "closed" {
				weights[e] = m.weights[e] * routing.Weight(routingtest.Number(t, r[3]))
			}
			changes = append(changes, Change{e, weights[e]})
		}
	}
	updated, err := m.Update(changes, 2)
	if err != nil {
		t.Fatal(err)
	}
	same(t, updated, weights)
	q := updated.NewQuery()
	asked, unreachable := 0, 0
	for _, r := range routingtest.Rows(t, "paris-road-graph/closure_scenarios_reference.csv", true) {
		if r[0] != scenario {
			continue
		}
		want := routing.Infinity
		if r[4] != "" {
			want = routing.Weight(routingtest.Number(t, r[4]))
		} else {
			unreachable++
		}
		asked++
		if a := askOf(t, r[1], r[2]); q.Cost(a) != want {
			t.Errorf("scenario %s, %+v: %d s, want %d", scenario, a, q.Cost(a), want)
		}
	}
	if asked != 100 {
		t.Errorf("scenario %s: %d questions, want 100", scenario, asked)
	}
	t.Logf("scenario %s: %d changes, %d of %d without a way", scenario, len(changes), unreachable, asked)
}
