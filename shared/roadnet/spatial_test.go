package roadnet_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/synth"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// The index finds what looking at every road finds, dense points along each standing
// for the road.
func TestIndexFindsWhatAFullSearchFinds(t *testing.T) {
	city := synth.Generate(synth.Params{Seed: 3, Arcs: 400})
	x := roadnet.NewIndex(city.Roads)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 12 {
		base := city.Roads[rng.IntN(len(city.Roads))].Geometry[0][0]
		p := traffic.Point{Lat: base.Lat + (rng.Float64()-0.5)/200, Lng: base.Lng + (rng.Float64()-0.5)/200}
		const radius = 250
		want := make(map[int]float64)
		for i := range city.Roads {
			if d := distanceTo(city.Roads[i].Geometry[0], p); d <= radius {
				want[i] = d
			}
		}
		found := x.Within(p, radius)
		for i, f := range found {
			d, ok := want[f.Road]
			if !ok && f.DistanceM < radius-1 || ok && math.Abs(d-f.DistanceM) > 0.5 {
				t.Fatalf("road %d at %.2f m, a full search says %.2f (%v)", f.Road, f.DistanceM, d, ok)
			}
			if i > 0 && f.DistanceM < found[i-1].DistanceM {
				t.Fatal("not in order of distance")
			}
			if math.Abs(roadnet.DistanceM(p, f.At)-f.DistanceM) > 0.1 {
				t.Fatalf("%v is not %.2f m away", f.At, f.DistanceM)
			}
			if length := city.Roads[f.Road].LengthM.Or(0); f.OffsetM < 0 || f.OffsetM > length+0.01 {
				t.Fatalf("offset %.2f of %.2f m", f.OffsetM, length)
			}
			delete(want, f.Road)
		}
		for r, d := range want {
			if d < radius-1 {
				t.Fatalf("road %d at %.2f m was not found", r, d)
			}
		}
		if near, ok := x.Nearest(p, 1000); ok && len(found) > 0 && near != found[0] {
			t.Fatalf("nearest %+v, want %+v", near, found[0])
		}
	}
	if _, ok := x.Nearest(traffic.Point{Lat: 10, Lng: 10}, 1000); ok {
		t.Error("a road in the Gulf of Guinea")
	}
	if x.Within(traffic.Point{Lat: math.NaN()}, 10) != nil || x.Within(traffic.Point{}, -1) != nil {
		t.Error("a place that is none")
	}
}

// distanceTo measures to points a metre apart.
func distanceTo(line []traffic.Point, p traffic.Point) float64 {
	best := math.Inf(1)
	for i := 1; i < len(line); i++ {
		a, b := line[i-1], line[i]
		n := int(roadnet.DistanceM(a, b)) + 1
		for k := range n + 1 {
			f := float64(k) / float64(n)
			best = min(best, roadnet.DistanceM(p, traffic.Point{Lat: a.Lat + f*(b.Lat-a.Lat), Lng: a.Lng + f*(b.Lng-a.Lng)}))
		}
	}
	return best
}

func TestIndexInBox(t *testing.T) {
	x := roadnet.NewIndex([]traffic.Road{
		{ID: "a", Geometry: [][]traffic.Point{{{Lat: 1, Lng: 1}, {Lat: 2, Lng: 2}, {Lat: 3, Lng: 3}}}},
		{ID: "b", Geometry: [][]traffic.Point{{{Lat: 5, Lng: 5}, {Lat: 6, Lng: 6}}}},
		{ID: "none"},
	})
	for _, c := range []struct {
		size float64
		want int
	}{{0.5, 0}, {1.5, 1}, {9, 2}} {
		if got := x.InBox(traffic.Point{}, traffic.Point{Lat: c.size, Lng: c.size}); len(got) != c.want {
			t.Errorf("box of %g degrees: %v, want %d roads", c.size, got, c.want)
		}
	}
}

func TestBearing(t *testing.T) {
	paris := traffic.Point{Lat: 48.85, Lng: 2.35}
	for want, to := range map[float64]traffic.Point{
		0: {Lat: 48.86, Lng: 2.35}, 90: {Lat: 48.85, Lng: 2.36}, 180: {Lat: 48.84, Lng: 2.35}, 270: {Lat: 48.85, Lng: 2.34},
	} {
		if got := roadnet.BearingDeg(paris, to); math.Abs(got-want) > 0.01 {
			t.Errorf("to %v: %g degrees, want %g", to, got, want)
		}
	}
	for _, c := range [][3]float64{{10, 350, 20}, {0, 180, 180}, {90, 80, 10}, {359, 1, 2}} {
		if got := roadnet.TurnDeg(c[0], c[1]); math.Abs(got-c[2]) > 1e-9 {
			t.Errorf("%g to %g: %g, want %g", c[0], c[1], got, c[2])
		}
	}
}
