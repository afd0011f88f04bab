package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// TestQuantilePaper follows the worked example of the paper (p = 0.5, 20 observations).
func TestQuantilePaper(t *testing.T) {
	var q quantile
	for _, x := range []float64{0.02, 0.15, 0.74, 3.39, 0.83, 22.37, 10.15, 15.43, 38.62, 15.92, 34.60, 10.28, 1.47, 0.40, 0.05, 11.39, 0.27, 0.42, 0.09, 11.37} {
		q.observe(0.5, x)
	}
	if got := q.value(0.5); math.Abs(got-4.44) > 0.005 {
		t.Errorf("got %.4f, the paper has 4.44", got)
	}
	if want := [5]int64{1, 6, 10, 16, 20}; q.pos != want {
		t.Errorf("markers at %v, the paper has %v", q.pos, want)
	}
}

// TestQuantileNearExact compares with sorting, over distributions as traffic has them.
func TestQuantileNearExact(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) float64{
		"uniform":         func(r *rand.Rand) float64 { return r.Float64() * 100 },
		"normal":          func(r *rand.Rand) float64 { return 60 + 10*r.NormFloat64() },
		"free and jammed": func(r *rand.Rand) float64 { return []float64{15, 55}[r.IntN(2)] + 5*r.NormFloat64() },
		"exponential":     func(r *rand.Rand) float64 { return 300 * r.ExpFloat64() },
	} {
		for _, p := range []float64{freeFlowQuantile, capacityQuantile} {
			r := rand.New(rand.NewPCG(1, 2))
			var q quantile
			all := make([]float64, 20000)
			for i := range all {
				all[i] = draw(r)
				q.observe(p, all[i])
			}
			slices.Sort(all)
			// Within two percentiles of the wanted one.
			lo, hi := all[int(float64(len(all))*(p-0.02))], all[int(float64(len(all))*(p+0.02))]
			if got := q.value(p); got < lo || got > hi {
				t.Errorf("%s, %v: got %v, want %v to %v", name, p, got, lo, hi)
			}
		}
	}
}

func TestQuantileProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(0, 300), 1, 300).Draw(t, "values")
		var q quantile
		for _, x := range xs {
			q.observe(0.85, x)
		}
		if v := q.value(0.85); !(v >= slices.Min(xs) && v <= slices.Max(xs)) {
			t.Fatalf("%v is outside the values", v)
		}
		if q.n >= 5 && !slices.IsSorted(q.height[:]) {
			t.Fatalf("markers %v are not in order", q.height)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(0, 300).Draw(t, "x")
		var q quantile
		for range rapid.IntRange(1, 50).Draw(t, "n") {
			q.observe(0.97, x)
		}
		if q.value(0.97) != x {
			t.Fatalf("always %v gives %v", x, q.value(0.97))
		}
	})
	if v := new(quantile).value(0.5); v != 0 {
		t.Errorf("nothing observed: %v", v)
	}
}

func TestLearner(t *testing.T) {
	prior := Prior(traffic.ClassTrunk)
	l := NewLearner(prior)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 4 * MinSamples {
		if i < MinSamples && l.Reference() != prior {
			t.Fatalf("after %d readings: %+v", i, l.Reference())
		}
		l.Observe(&traffic.Reading{Speed: some(40 + 20*r.Float64()), Flow: some(1000 * r.Float64())})
	}
	got := l.Reference()
	if math.Abs(got.FreeFlowKMH-57) > 1 || math.Abs(got.CapacityVPH-970) > 30 {
		t.Errorf("learned %+v, want about 57 km/h and 970 veh/h", got)
	}
}

func TestLearnerGuards(t *testing.T) {
	var zero Learner
	if zero.Reference() != Prior("") {
		t.Errorf("the zero learner has %+v", zero.Reference())
	}
	var empty, jammed Learner
	for range 2 * MinSamples {
		empty.Observe(&traffic.Reading{Speed: some(0), Flow: some(0), Occupancy: some(0)})
		jammed.Observe(&traffic.Reading{Speed: some(3)})
	}
	if got := empty.Reference(); got.FreeFlowKMH != Prior("").FreeFlowKMH || got.CapacityVPH != minCapacityVPH {
		t.Errorf("a road that nobody uses learned %+v", got)
	}
	if got := jammed.Reference(); got.FreeFlowKMH != minFreeFlowKMH || got.CapacityVPH != Prior("").CapacityVPH {
		t.Errorf("a road that never moves learned %+v", got)
	}
	if size := unsafe.Sizeof(Learner{}); size > 256 {
		t.Errorf("a learner has %d bytes", size)
	}
}

func stream(n, roads int) []traffic.Reading {
	r := rand.New(rand.NewPCG(5, 6))
	out := make([]traffic.Reading, n)
	for i := range out {
		out[i] = traffic.Reading{Road: traffic.RoadID(fmt.Sprint("r", i%roads)), Speed: some(100 * r.Float64()), Flow: some(2000 * r.Float64())}
	}
	return out
}

// TestScorerDeterministic: the way a stream is cut into batches changes nothing.
func TestScorerDeterministic(t *testing.T) {
	whole, cut := stream(5000, 7), stream(5000, 7)
	NewScorer(5).Score(whole)
	s := NewScorer(5)
	for rest := cut; len(rest) > 0; {
		n := min(len(rest), 1+len(rest)%13)
		s.Score(rest[:n])
		rest = rest[n:]
	}
	for i := range whole {
		if whole[i] != cut[i] {
			t.Fatalf("reading %d: %v and %v", i, whole[i].Score, cut[i].Score)
		}
		v, ok := whole[i].Score.Get()
		if !ok || math.Round(v*1000)/1000 != v {
			t.Fatalf("score %v is not rounded to 3 decimals", whole[i].Score)
		}
	}
}

func TestScorerBound(t *testing.T) {
	s := NewScorer(2)
	s.Score(stream(3000, 3))
	if len(s.roads) != 2 {
		t.Errorf("%d roads learned, want 2", len(s.roads))
	}
	if s.Reference("r0") == Prior("") || s.Reference("r2") != Prior("") || s.Reference("never") != Prior("") {
		t.Errorf("references %+v, %+v", s.Reference("r0"), s.Reference("r2"))
	}
}

func TestScorerLeavesScored(t *testing.T) {
	batch := []traffic.Reading{{Road: "a", Speed: some(10), Score: some(0.123456)}, {Road: "a"}}
	NewScorer(10).Score(batch)
	if batch[0].Score != some(0.123456) || batch[1].Score.Known() {
		t.Errorf("got %v and %v", batch[0].Score, batch[1].Score)
	}
}

// TestScorerLearns: a motorway that looks free by the prior of an unknown road is
// judged by its own speeds later.
func TestScorerLearns(t *testing.T) {
	s := NewScorer(10)
	for range MinSamples {
		s.Score([]traffic.Reading{{Road: "m", Speed: some(110)}})
	}
	batch := []traffic.Reading{{Road: "m", Speed: some(55)}}
	s.Score(batch)
	if batch[0].Score != some(0.5) {
		t.Errorf("half of the free flow scores %v", batch[0].Score)
	}
}

func BenchmarkScorer(b *testing.B) {
	batch := stream(1000, 50)
	s := NewScorer(100)
	b.ReportAllocs()
	for b.Loop() {
		for i := range batch {
			batch[i].Score = traffic.Value{}
		}
		s.Score(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/reading")
}

func ExampleScorer() {
	s := NewScorer(1000)
	batch := []traffic.Reading{
		{Road: "PARIS-4264", Flow: traffic.Some(840), Occupancy: traffic.Some(0.17)},
		{Road: "PARIS-4264", Speed: traffic.Some(20)},
	}
	s.Score(batch)
	fmt.Println(batch[0].Score, batch[1].Score)
	// Output: 0.283 0.6
}
