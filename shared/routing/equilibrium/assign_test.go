package equilibrium_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/routing/equilibrium"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

// model is a network of the data folder with its demand.
func model(t testing.TB, name string) (*routingtest.TNTP, *equilibrium.Network, []equilibrium.Trip) {
	t.Helper()
	f := routingtest.ReadTNTP(t, name)
	links := make([]equilibrium.Link, len(f.Links))
	for i, l := range f.Links {
		links[i] = equilibrium.Link{
			From: int32(l.From - 1), To: int32(l.To - 1), FreeTime: l.FreeTime, Capacity: l.Capacity, B: l.B, Power: l.Power,
		}
	}
	n, err := equilibrium.NewNetwork(t.Context(), f.Nodes, f.FirstThrough-1, links)
	if err != nil {
		t.Fatal(err)
	}
	var trips []equilibrium.Trip
	for from, row := range f.Trips {
		for to, v := range row {
			if v > 0 {
				trips = append(trips, equilibrium.Trip{From: int32(from), To: int32(to), Vehicles: v})
			}
		}
	}
	return f, n, trips
}

func assigned(t testing.TB, n *equilibrium.Network, trips []equilibrium.Trip, o equilibrium.Options) *equilibrium.Result {
	t.Helper()
	r, err := n.Assign(t.Context(), trips, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// off is how far flows lie from the known ones: the sum of differences over the sum.
func off(known, flows []float64) float64 {
	var differ, sum float64
	for i := range known {
		differ += math.Abs(known[i] - flows[i])
		sum += known[i]
	}
	return differ / sum
}

// The objective is that of the best-known flows, 4231335.287107, whose gap is below 1e-15.
func TestSiouxFallsIsReproduced(t *testing.T) {
	f, n, trips := model(t, "SiouxFalls")
	r := assigned(t, n, trips, equilibrium.Options{})
	t.Logf("%d steps to a gap of %.2g; objective %.3f; flows %.3f %% off", r.Steps, r.Gap, r.Objective, 100*off(f.Volume, r.Flows))
	if r.Gap > 1e-4 || len(r.Unserved) > 0 {
		t.Errorf("gap %g, %d trips without a way", r.Gap, len(r.Unserved))
	}
	if low, high := 4231335.287, 4231335.287*(1+1e-4); r.Objective < low || r.Objective > high {
		t.Errorf("objective %f: want %f to %f", r.Objective, low, high)
	}
	if d := off(f.Volume, r.Flows); d > 0.01 {
		t.Errorf("flows are %.2f %% off", 100*d)
	}
}

// No way may lead through a zone: with zones open, flows are others.
func TestAnaheimKeepsOutOfZones(t *testing.T) {
	f, n, trips := model(t, "Anaheim")
	r := assigned(t, n, trips, equilibrium.Options{})
	t.Logf("%d steps to a gap of %.2g; flows %.3f %% off", r.Steps, r.Gap, 100*off(f.Volume, r.Flows))
	if d := off(f.Volume, r.Flows); r.Gap > 1e-4 || d > 0.02 || len(r.Unserved) > 0 {
		t.Errorf("gap %g, flows are %.2f %% off", r.Gap, 100*d)
	}
	out := make([]float64, f.Zones)
	for i, l := range f.Links {
		if l.From <= f.Zones {
			out[l.From-1] += r.Flows[i]
		}
	}
	for z, row := range f.Trips {
		want := 0.0
		for _, v := range row {
			want += v
		}
		if math.Abs(out[z]-want) > 1e-6*want+1e-6 {
			t.Errorf("%g vehicles leave zone %d, its own are %g", out[z], z+1, want)
		}
	}
}

// With the road that makes all slower, everybody drives 92 min; each way has 2 vehicles.
func TestBraess(t *testing.T) {
	_, n, trips := model(t, "Braess-Example")
	r := assigned(t, n, trips, equilibrium.Options{Gap: 1e-7})
	for i, want := range []float64{4, 2, 2, 2, 4} {
		if math.Abs(r.Flows[i]-want) > 0.01 {
			t.Errorf("flows %v: want 4 2 2 2 4", r.Flows)
		}
	}
	if took := r.Times[0] + r.Times[2]; math.Abs(took-92) > 0.1 {
		t.Errorf("a drive takes %g min, want 92", took)
	}
}

func road(from, to int32, minutes float64) equilibrium.Link {
	return equilibrium.Link{From: from, To: to, FreeTime: minutes, Capacity: 10, B: 0.15, Power: 4}
}

func TestTripsWithoutAWayAreNamed(t *testing.T) {
	n, err := equilibrium.NewNetwork(t.Context(), 3, 2, []equilibrium.Link{road(0, 1, 1), road(1, 2, 1)})
	if err != nil {
		t.Fatal(err)
	}
	trips := []equilibrium.Trip{{From: 0, To: 1, Vehicles: 5}, {From: 0, To: 2, Vehicles: 7}, {From: 1, To: 2, Vehicles: 3}, {From: 1, To: 1, Vehicles: 9}}
	r := assigned(t, n, trips, equilibrium.Options{})
	if !slices.Equal(r.Unserved, trips[1:2]) {
		t.Errorf("unserved %v: want those through zone 1", r.Unserved)
	}
	if !slices.Equal(r.Flows, []float64{5, 3}) {
		t.Errorf("flows %v", r.Flows)
	}
}

func TestBadInputIsAnError(t *testing.T) {
	for _, l := range []equilibrium.Link{road(0, 2, 1), road(-1, 0, 1), road(0, 1, math.NaN()), road(0, 1, -1), {To: 1, FreeTime: 1, B: 1, Power: 4}, {To: 1, FreeTime: 1, B: 1, Power: 0.5, Capacity: 1}} {
		if _, err := equilibrium.NewNetwork(t.Context(), 2, 0, []equilibrium.Link{l}); err == nil {
			t.Errorf("%+v was accepted", l)
		}
	}
	n, err := equilibrium.NewNetwork(t.Context(), 2, 0, []equilibrium.Link{road(0, 1, 1), road(0, 1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, trip := range []equilibrium.Trip{{To: 2}, {From: -1}, {To: 1, Vehicles: -1}, {To: 1, Vehicles: math.NaN()}} {
		if _, err := n.Assign(t.Context(), []equilibrium.Trip{trip}, equilibrium.Options{}); err == nil {
			t.Errorf("%+v was accepted", trip)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Assign(ctx, []equilibrium.Trip{{To: 1, Vehicles: 50}}, equilibrium.Options{Gap: 1e-12}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if r := assigned(t, n, nil, equilibrium.Options{}); r.Gap != 0 || r.Steps != 0 {
		t.Errorf("no trips: %+v", r)
	}
}

// BenchmarkEquilibrium finds the known equilibria.
func BenchmarkEquilibrium(b *testing.B) {
	for b.Loop() {
		for name, short := range map[string]string{"SiouxFalls": "siouxfalls", "Anaheim": "anaheim", "Winnipeg": "winnipeg"} {
			f, n, trips := model(b, name)
			begin := time.Now()
			r := assigned(b, n, trips, equilibrium.Options{})
			fmt.Printf("BENCH route_%s_s %.6g s\n", short, time.Since(begin).Seconds())
			fmt.Printf("BENCH route_%s_gap %.6g relative\n", short, r.Gap)
			b.Logf("%s: %d steps, objective %.3f, flows %.3f %% off the best known", name, r.Steps, r.Objective, 100*off(f.Volume, r.Flows))
		}
	}
}
