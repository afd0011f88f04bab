package synth_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/synth"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func ExampleGenerate() {
	n := synth.Generate(synth.Params{Seed: 7})
	_, sets := n.Topology().StrongComponents()
	fmt.Println(len(n.Roads) > 900 && len(n.Roads) < 1100, len(sets))
	// Output: true 1
}

// cities are those that the tests look at: several seeds, the smallest, and large.
func cities() map[string]synth.Params {
	out := map[string]synth.Params{
		"smallest": {Seed: 3, Arcs: synth.MinArcs},
		"large":    {Seed: 4, Arcs: 3000},
		"southern": {Seed: 5, Arcs: 1200, Center: traffic.Point{Lat: -33.9, Lng: 151.2}},
	}
	for seed := range uint64(3) {
		out[fmt.Sprintf("seed %d", seed)] = synth.Params{Seed: seed}
	}
	return out
}

func TestCitiesAreSound(t *testing.T) {
	for name, p := range cities() {
		t.Run(name, func(t *testing.T) {
			n := synth.Generate(p)
			want := p.Arcs
			if want == 0 {
				want = synth.DefaultArcs
			}
			if off := math.Abs(float64(len(n.Roads))/float64(want) - 1); off > 0.1 {
				t.Errorf("%d roads: want %d within 10%%", len(n.Roads), want)
			}
			if _, sets := n.Topology().StrongComponents(); len(sets) != 1 {
				t.Errorf("%d sets of junctions that reach each other: want 1", len(sets))
			}
			for _, r := range n.Roads {
				checkRoad(t, n, r)
			}
			checkDegrees(t, n)
			checkClasses(t, n)
		})
	}
}

func checkRoad(t *testing.T, n *roadnet.Network, r traffic.Road) {
	t.Helper()
	length := r.LengthM.Or(0)
	switch {
	case length < 15 || length > 2500:
		t.Errorf("%s %q: %g m long", r.ID, r.Label, length)
	case math.Abs(length-roadnet.LengthM(r.Geometry)) > 0.01:
		t.Errorf("%s: length %g m, geometry %g m", r.ID, length, roadnet.LengthM(r.Geometry))
	case r.Label == "" || len(r.Label) > traffic.MaxLabelBytes:
		t.Errorf("%s (%s): label %q", r.ID, r.Class, r.Label)
	case r.FreeFlowKMH.Or(0) < 30 || r.CapacityVPH.Or(0) < 300 || r.CapacityVPH.Or(0) > 7000:
		t.Errorf("%s: free flow %v, capacity %v", r.ID, r.FreeFlowKMH, r.CapacityVPH)
	}
	line := r.Geometry[0]
	from, to := n.Nodes[r.FromNode], n.Nodes[r.ToNode]
	if d := max(roadnet.DistanceM(line[0], from), roadnet.DistanceM(line[len(line)-1], to)); d > 30 {
		t.Errorf("%s %q: ends %g m from its junction", r.ID, r.Label, d)
	}
	if mid := (traffic.Point{Lat: r.Lat.Or(0), Lng: r.Lng.Or(0)}); roadnet.DistanceM(mid, line[0]) > length+10 {
		t.Errorf("%s: its point for labels is not on it", r.ID)
	}
	if length > 1.9*roadnet.DistanceM(from, to)+60 && r.Class != traffic.ClassSecondary {
		t.Errorf("%s %q (%s): %g m for junctions %g m apart", r.ID, r.Label, r.Class, length, roadnet.DistanceM(from, to))
	}
}

// A street plan has mostly junctions of three and four arms, few dead ends, and
// nothing like a star.
func checkDegrees(t *testing.T, n *roadnet.Network) {
	t.Helper()
	top := n.Topology()
	var count [12]float64
	for i := range top.Nodes {
		arms := map[int32]bool{}
		for _, r := range top.Out(int32(i)) {
			arms[top.To[r]] = true
		}
		for _, r := range top.In(int32(i)) {
			arms[top.From[r]] = true
		}
		count[min(len(arms), 11)]++
	}
	total := float64(len(top.Nodes))
	switch share := (count[3] + count[4]) / total; {
	case share < 0.75:
		t.Errorf("arms of junctions: %v: want three or four at most of them", count)
	case count[1]/total > 0.06:
		t.Errorf("arms of junctions: %v: too many dead ends", count)
	case count[7]+count[8]+count[9]+count[10]+count[11] > 0:
		t.Errorf("arms of junctions: %v: a star", count)
	}
}

func checkClasses(t *testing.T, n *roadnet.Network) {
	t.Helper()
	length := map[traffic.Class]float64{}
	var total float64
	bridges := map[string]bool{}
	for _, r := range n.Roads {
		length[r.Class] += r.LengthM.Or(0)
		total += r.LengthM.Or(0)
		if strings.HasPrefix(r.Label, "Pont ") {
			bridges[r.Label] = true
		}
	}
	for class, limits := range map[traffic.Class][2]float64{
		traffic.ClassMotorway: {0.03, 0.25}, traffic.ClassTrunk: {0.002, 0.12}, traffic.ClassPrimary: {0.1, 0.4},
		traffic.ClassSecondary: {0.1, 0.5}, traffic.ClassTertiary: {0.05, 0.5}, traffic.ClassResidential: {0.03, 0.4},
	} {
		if share := length[class] / total; share < limits[0] || share > limits[1] {
			t.Errorf("%s roads are %.0f%% of the length: want %.0f to %.0f%%", class, 100*share, 100*limits[0], 100*limits[1])
		}
	}
	if len(bridges) < 3 || len(bridges) > 30 {
		t.Errorf("%d bridges", len(bridges))
	}
}

// Where both directions exist, they lie apart, each on its right.
func TestDirectionsLieBesideEachOther(t *testing.T) {
	n := synth.Generate(synth.Params{Seed: 1})
	top := n.Topology()
	var pairs, oneWay int
	for i := range n.Roads {
		back := -1
		for _, r := range top.Out(top.To[i]) {
			if top.To[r] == top.From[i] {
				back = int(r)
			}
		}
		if back < 0 {
			oneWay++
			continue
		}
		pairs++
		a, b := n.Roads[i], n.Roads[back]
		d := roadnet.DistanceM(traffic.Point{Lat: a.Lat.Or(0), Lng: a.Lng.Or(0)}, traffic.Point{Lat: b.Lat.Or(0), Lng: b.Lng.Or(0)})
		if d < 5 || d > 20 {
			t.Errorf("%s and %s lie %g m apart", a.ID, b.ID, d)
		}
		if cross(a, b) > 0 {
			t.Errorf("%s drives on the left of %s", a.ID, b.ID)
		}
	}
	if oneWay < 60 || pairs < 500 {
		t.Errorf("%d one-way roads, %d two-way", oneWay, pairs)
	}
}

// cross is positive when the point of b for labels lies to the right of a.
func cross(a, b traffic.Road) float64 {
	line := a.Geometry[0]
	mid := traffic.Point{Lat: a.Lat.Or(0), Lng: a.Lng.Or(0)}
	scale := math.Cos(mid.Lat * math.Pi / 180)
	dx, dy := (line[len(line)-1].Lng-line[0].Lng)*scale, line[len(line)-1].Lat-line[0].Lat
	return (b.Lat.Or(0)-mid.Lat)*-dx + (b.Lng.Or(0)-mid.Lng)*scale*dy
}

func TestSameSeedSameCity(t *testing.T) {
	p := synth.Params{Seed: 11, Arcs: 600}
	a, b := synth.Generate(p), synth.Generate(p)
	if !reflect.DeepEqual(a, b) {
		t.Error("two cities of the same seed differ")
	}
	p.Seed++
	if c := synth.Generate(p); reflect.DeepEqual(a.Roads[0].Geometry, c.Roads[0].Geometry) {
		t.Error("two cities of different seeds begin alike")
	}
}

func TestParamsAreChecked(t *testing.T) {
	for _, c := range []struct {
		p    synth.Params
		want string
	}{
		{synth.Params{}, ""},
		{synth.Params{Arcs: 10}, "arcs: 10 is not allowed: want 400 to 6000"},
		{synth.Params{Arcs: 100000}, "arcs"},
		{synth.Params{Center: traffic.Point{Lat: 80}}, "latitude: 80"},
		{synth.Params{Center: traffic.Point{Lat: math.NaN()}}, "latitude: NaN"},
		{synth.Params{Center: traffic.Point{Lng: 179.5}}, "longitude"},
	} {
		err := c.p.Validate()
		if (c.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %v, want %q", c.p, err, c.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("generated a city of 10 arcs")
		}
	}()
	synth.Generate(synth.Params{Arcs: 10})
}

func BenchmarkGenerate(b *testing.B) {
	for _, arcs := range []int{1000, 5000} {
		b.Run(fmt.Sprint(arcs), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				synth.Generate(synth.Params{Seed: 1, Arcs: arcs})
			}
		})
	}
}
