package cch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/dissect"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

// report prints a figure the way `make bench-route` collects them.
func report(name string, value float64, unit string) {
	fmt.Printf("BENCH %s %.6g %s\n", name, value, unit)
}

// BenchmarkRoute measures everything once on a generated region of a million edges,
// and counts wrong answers there and on every graph of the data folder.
func BenchmarkRoute(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		wrong := 0
		for name, c := range routingtest.Cases(b) {
			h := made(b, c.Graph, c.Points)
			for _, weights := range [][]routing.Weight{c.Millis, c.Metres} {
				wrong += mismatches(b, customized(b, h, weights), 10_000)
			}
			b.Logf("%s: 10,000 questions by time and 10,000 by length", name)
		}
		c := routingtest.Region(1, 1_030_000)
		if c.Graph.Edges() < 1_000_000 {
			b.Fatalf("the region has %d edges", c.Graph.Edges())
		}
		b.StartTimer()
		m := benchBuild(b, c)
		wrong += benchManyToMany(b, m, 100)
		report("route_mismatches", float64(wrong), "answers")
		benchQueries(b, c, m)
	}
}

// benchBuild measures what comes before the first question.
func benchBuild(b *testing.B, c *routingtest.Case) *Metric {
	begin := time.Now()
	order, err := dissect.Order(context.Background(), c.Graph, c.Points, dissect.Options{})
	if err != nil {
		b.Fatal(err)
	}
	report("route_order_1m_edges_s", time.Since(begin).Seconds(), "s")
	h, err := New(c.Graph, order)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("region: %d nodes, %d edges, %d arcs, height %d", c.Graph.Nodes(), c.Graph.Edges(), h.Arcs(), h.Height())
	var times []time.Duration
	for range 5 {
		begin = time.Now()
		customized(b, h, c.Millis)
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	report("route_customize_1m_edges_s", times[2].Seconds(), "s")
	return benchLoad(b, c, h)
}

// benchLoad measures a start with the order from a file, and the memory that stays.
func benchLoad(b *testing.B, c *routingtest.Case, h *Hierarchy) *Metric {
	path := filepath.Join(b.TempDir(), "order")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := h.Save(file); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	edges := make([]routing.Edge, c.Graph.Edges())
	for e := range edges {
		edges[e] = routing.Edge{From: c.Graph.From(int32(e)), To: c.Graph.To(int32(e))}
	}
	before := heapBytes()
	begin := time.Now()
	g, err := routing.NewGraph(c.Graph.Nodes(), edges)
	if err != nil {
		b.Fatal(err)
	}
	if file, err = os.Open(path); err != nil {
		b.Fatal(err)
	}
	loaded, err := Load(g, file)
	if err != nil {
		b.Fatal(err)
	}
	m := customized(b, loaded, c.Millis)
	report("route_load_s", time.Since(begin).Seconds(), "s")
	report("route_bytes_per_edge", float64(heapBytes()-before)/float64(g.Edges()), "bytes")
	_ = file.Close()
	runtime.KeepAlive(edges)
	return m
}

func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// benchManyToMany compares n times n answers: a search by Dijkstra's algorithm a
// beginning.
func benchManyToMany(b *testing.B, m *Metric, n int) int {
	rng := rand.New(rand.NewPCG(8, 9))
	node := func() int32 { return int32(rng.IntN(m.h.g.Nodes())) }
	search, q := routing.NewSearch(m.h.g), m.NewQuery()
	wrong := 0
	for range n {
		from := node()
		search.Run(routing.Task{From: from, To: routing.Everywhere, Weights: m.weights})
		for range n {
			a := Ask{From: from, To: node()}
			cost, way := q.Cost(a), q.Way(nil)
			if cost != search.Dist(a.To) || routing.Cost(way, m.weights) != cost || !m.h.g.Connected(way, a.From, a.To) {
				wrong++
			}
		}
	}
	return wrong
}

// benchQueries measures random questions, beside other ways to answer them.
func benchQueries(b *testing.B, c *routingtest.Case, m *Metric) {
	rng := rand.New(rand.NewPCG(10, 11))
	asks := make([]Ask, 20_000)
	for i := range asks {
		asks[i] = Ask{From: int32(rng.IntN(c.Graph.Nodes())), To: int32(rng.IntN(c.Graph.Nodes()))}
	}
	q := m.NewQuery()
	var costs, both []time.Duration
	var way []int32
	for _, a := range asks {
		begin := time.Now()
		q.Cost(a)
		costs = append(costs, time.Since(begin))
		way = q.Way(way[:0])
		both = append(both, time.Since(begin))
	}
	mean := 0.0
	for _, t := range both {
		mean += t.Seconds() / float64(len(both))
	}
	slices.Sort(costs)
	slices.Sort(both)
	report("route_query_p99_ms", 1000*both[len(both)*99/100].Seconds(), "ms")
	report("route_query_mean_ms", 1000*mean, "ms")
	report("route_cost_only_p99_ms", 1000*costs[len(costs)*99/100].Seconds(), "ms")
	search := routing.NewSearch(c.Graph)
	dijkstra := timed(asks[:40], func(a Ask) {
		search.Run(routing.Task{From: a.From, To: a.To, Weights: c.Millis})
	})
	report("route_vs_dijkstra", dijkstra/mean, "times")
	crow := timed(asks[:40], func(a Ask) {
		search.Run(routing.Task{From: a.From, To: a.To, Weights: c.Millis, Bound: c.Crow(a.To)})
	})
	report("route_vs_astar", crow/mean, "times")
	benchUpdates(b, c, m)
	report("route_vs_pgrouting", pgRouting(b, c, asks[:5], q)/mean, "times")
}

// timed is the mean time of a question in seconds.
func timed(asks []Ask, answer func(Ask)) float64 {
	begin := time.Now()
	for _, a := range asks {
		answer(a)
	}
	return time.Since(begin).Seconds() / float64(len(asks))
}

// benchUpdates measures new metrics of which one edge, or a thousand, changed.
func benchUpdates(b *testing.B, c *routingtest.Case, m *Metric) {
	rng := rand.New(rand.NewPCG(12, 13))
	for _, n := range []int{1, 1000} {
		var times []time.Duration
		for range 15 {
			changes := make([]Change, n)
			for i := range changes {
				e := int32(rng.IntN(c.Graph.Edges()))
				changes[i] = Change{e, c.Millis[e] * 5}
			}
			begin := time.Now()
			if _, err := m.Update(changes, 2); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(begin))
		}
		slices.Sort(times)
		report(fmt.Sprintf("route_update_%d_edges_ms", n), 1000*times[len(times)/2].Seconds(), "ms")
	}
}
