package rerouter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// region is a generated road network of about so many roads.
func region(roads int) []traffic.Road {
	c := routingtest.Region(1, roads)
	const metresPerDegree = 111195
	place := func(n int32) traffic.Point {
		return traffic.Point{Lat: c.Points[n].Y / metresPerDegree, Lng: c.Points[n].X / metresPerDegree}
	}
	list := make([]traffic.Road, c.Graph.Edges())
	for e := range list {
		from, to := c.Graph.From(int32(e)), c.Graph.To(int32(e))
		list[e] = traffic.Road{
			ID: traffic.RoadID(fmt.Sprintf("R%07d", e)), FromNode: traffic.NodeID(strconv.Itoa(int(from))), ToNode: traffic.NodeID(strconv.Itoa(int(to))),
			Geometry: [][]traffic.Point{{place(from), place(to)}}, LengthM: traffic.Some(float64(c.Metres[e])),
			FreeFlowKMH: traffic.Some(3600 * float64(c.Metres[e]) / float64(c.Millis[e])), CapacityVPH: traffic.Some(900),
		}
	}
	return list
}

// BenchmarkAdvice is a full cycle with 10,000 congested roads in a region of a million:
// forecasts and readings come from SQLite, the advice goes there.
func BenchmarkAdvice(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		cfg := Default()
		cfg.MaxAdvice = 10_000
		tn := newTown(b, cfg, nil)
		roads := region(1_030_000)
		begin := time.Now()
		graph, err := detour.NewGraph(b.Context(), roads)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("graph of %d roads made in %v", graph.Roads(), time.Since(begin))
		tn.state.graph, tn.state.refs = graph, references(graph, roads)
		var readings []traffic.Reading
		var predictions []traffic.Prediction
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(roads))[:10_000] {
			r := jam(string(roads[i].ID))
			r.Flow = traffic.Some(400)
			readings = append(readings, r)
			predictions = append(predictions, congested(string(roads[i].ID), 0.95))
		}
		tn.measure(readings...)
		tn.forecast(predictions...)
		b.StartTimer()
		var times []time.Duration
		for range 3 { // the first gives all of it, the others hold it
			begin = time.Now()
			if err := tn.advise(b.Context()); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(begin))
		}
		fmt.Printf("BENCH route_advice_10k_s %.6g s\n", slices.Max(times).Seconds())
		fmt.Printf("BENCH route_advice_given %d pieces\n", len(tn.state.advised))
		for _, outcome := range []string{"found", "no_gain", "no_detour", "moves_jam", "minor", "no_sign", "flowing"} {
			b.Logf("%s: %g", outcome, tn.count("cityflow_rerouter_congested_roads_total", outcome))
		}
		b.Logf("cycles: %v", times)
	}
}
