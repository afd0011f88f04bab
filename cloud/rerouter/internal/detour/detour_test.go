package detour

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"

	"gonum.org/v1/gonum/graph/path"
	"gonum.org/v1/gonum/graph/simple"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/emission"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/synth"
	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// paris reads the real network beside the repository.
func paris(t testing.TB) *roadnet.Network {
	t.Helper()
	file := realdata.Path(t, "paris-referentiel", "referentiel-comptages-routiers.labels-fr.csv.gz")
	n, _, err := roadnet.Import(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// randomSpeeds are between a crawl and free flow.
func randomSpeeds(rng *rand.Rand, n int) []float64 {
	speeds := make([]float64, n)
	for i := range speeds {
		speeds[i] = 5 + 45*rng.Float64()
	}
	return speeds
}

// bruteForce answers a query with gonum on the graph whose nodes are the roads and
// whose edges are the turns.
func bruteForce(g *Graph, millis []routing.Weight, q query) float64 {
	const start = -1
	turns := simple.NewWeightedDirectedGraph(0, math.Inf(1))
	turn := func(a, b int32) {
		if g.top.To[b] == q.from || slices.Contains(q.avoid, b) || a == b {
			return
		}
		turns.SetWeightedEdge(simple.WeightedEdge{F: simple.Node(a), T: simple.Node(b), W: float64(millis[b])})
	}
	turns.AddNode(simple.Node(start))
	for _, r := range g.top.Out(q.from) {
		if q.before == none || !g.turnsBack(q.before, r) {
			turn(start, r)
		}
	}
	for a := range g.roads {
		if g.top.To[a] == q.to {
			continue
		}
		for _, b := range g.top.Out(g.top.To[a]) {
			if !g.turnsBack(int32(a), b) {
				turn(int32(a), b)
			}
		}
	}
	tree := path.DijkstraFrom(simple.Node(start), turns)
	best := math.Inf(1)
	for _, r := range g.top.In(q.to) {
		if turns.Node(int64(r)) != nil && (q.after == none || !g.turnsBack(r, q.after)) {
			best = min(best, tree.WeightTo(int64(r)))
		}
	}
	return best
}

// made is a graph with speeds and a finder for them.
func made(t testing.TB, roads []traffic.Road, speeds func(n int) []float64) (*Graph, *Finder) {
	t.Helper()
	g, err := NewGraph(t.Context(), roads)
	if err != nil {
		t.Fatal(err)
	}
	return g, NewFinder(NewSpeeds(g, speeds(g.Roads()), nil))
}

func TestFastestAgreesWithGonum(t *testing.T) {
	for name, n := range map[string]*roadnet.Network{
		"paris": paris(t), "generated city": synth.Generate(synth.Params{Seed: 2, Arcs: 600}),
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			g, f := made(t, n.Roads, func(n int) []float64 { return randomSpeeds(rng, n) })
			var found, none int
			for range 25 {
				q := randomQuery(rng, g)
				want := bruteForce(g, f.speeds.millis, q)
				way, ok := f.fastest(q)
				searched, _, okSearched := f.search.fastest(q)
				if ok == math.IsInf(want, 1) || okSearched != ok || f.search.connected(q) != ok {
					t.Fatalf("%+v: %v, searched %v, gonum a way of %g ms", q, ok, okSearched, want)
				}
				if !ok {
					none++
					continue
				}
				found++
				got, searchedCost := routing.Cost(way, f.speeds.millis), routing.Cost(searched, f.speeds.millis)
				if float64(got) != want || got != searchedCost || !f.allowed(q, way) {
					t.Fatalf("%+v: %d ms, searched %d ms, gonum %g", q, got, searchedCost, want)
				}
			}
			if found < 12 {
				t.Errorf("only %d of %d queries had a way", found, found+none)
			}
		})
	}
}

func randomQuery(rng *rand.Rand, g *Graph) query {
	q := query{
		from: int32(rng.IntN(g.Junctions())), to: int32(rng.IntN(g.Junctions())),
		before: none, after: none, budget: unbounded,
	}
	for q.to == q.from {
		q.to = int32(rng.IntN(g.Junctions()))
	}
	if in := g.top.In(q.from); len(in) > 0 && rng.IntN(2) == 0 {
		q.before = in[rng.IntN(len(in))]
	}
	if out := g.top.Out(q.to); len(out) > 0 && rng.IntN(2) == 0 {
		q.after = out[rng.IntN(len(out))]
	}
	for range rng.IntN(4) {
		q.avoid = append(q.avoid, int32(rng.IntN(g.Roads())))
	}
	return q
}

// A bounded search finds what an unbounded one finds, or nothing when that takes
// longer than the bound.
func TestBudgetCutsNothingThatFits(t *testing.T) {
	n := synth.Generate(synth.Params{Seed: 9, Arcs: 600})
	rng := rand.New(rand.NewPCG(3, 4))
	g, f := made(t, n.Roads, func(n int) []float64 { return randomSpeeds(rng, n) })
	for range 300 {
		q := randomQuery(rng, g)
		way, millis, ok := f.search.fastest(q)
		q.budget = routing.Weight(float64(millis) * (0.7 + 0.6*rng.Float64()))
		within, okWithin := f.fastest(q)
		if okWithin != (ok && millis < q.budget) || (okWithin && routing.Cost(way, f.speeds.millis) != routing.Cost(within, f.speeds.millis)) {
			t.Fatalf("%+v: way of %d ms; within %d ms: %v", q, millis, q.budget, okWithin)
		}
	}
}

// checkDetour holds a detour against the promises of the package.
func checkDetour(t *testing.T, g *Graph, speeds []float64, r int32, d Detour, minGain time.Duration) {
	t.Helper()
	top := g.top
	name := fmt.Sprintf("road %s %q", g.ID(r), g.Label(r))
	if !slices.Contains(d.Way, r) || len(d.Way) > maxWay+2 {
		t.Fatalf("%s: way %v does not lead through %d", name, d.Way, r)
	}
	for _, o := range d.Path {
		if slices.Contains(d.Way, o) {
			t.Fatalf("%s: the detour %v uses a road of the way %v", name, d.Path, d.Way)
		}
	}
	for _, way := range [][]int32{d.Way, d.Path} {
		for i := 1; i < len(way); i++ {
			if top.To[way[i-1]] != top.From[way[i]] {
				t.Fatalf("%s: %v is not connected", name, way)
			}
			if g.turnsBack(way[i-1], way[i]) {
				t.Fatalf("%s: %v turns back", name, way)
			}
		}
	}
	if top.From[d.Path[0]] != top.From[d.Way[0]] || top.To[d.Path[len(d.Path)-1]] != top.To[d.Way[len(d.Way)-1]] {
		t.Fatalf("%s: the detour begins or ends elsewhere than the way", name)
	}
	cost := func(way []int32) (seconds, co2 float64) {
		for _, o := range way {
			seconds += g.LengthM(o) / (speeds[o] / 3.6)
			co2 += g.LengthM(o) / 1000 * emission.GramsPerKM(speeds[o])
		}
		return seconds, co2
	}
	for _, c := range []struct {
		way  []int32
		took time.Duration
		co2  float64
	}{{d.Way, d.WayTime, d.WayCO2}, {d.Path, d.PathTime, d.PathCO2}} {
		rounding := 0.0005 * float64(len(c.way)) // each road's time is a whole number of milliseconds
		if seconds, co2 := cost(c.way); math.Abs(seconds-c.took.Seconds()) > rounding+1e-6 || math.Abs(co2-c.co2) > 1e-6 {
			t.Fatalf("%s: recomputed %g s, %g g: stated %+v", name, seconds, co2, d)
		}
	}
	if d.Gain() <= minGain {
		t.Fatalf("%s: gains %v, want more than %v", name, d.Gain(), minGain)
	}
}

// Every eleventh road is jammed in turn, with the others at random speeds.
func TestDetoursKeepTheirPromises(t *testing.T) {
	for name, n := range map[string]*roadnet.Network{
		"paris": paris(t), "generated city": synth.Generate(synth.Params{Seed: 5}),
	} {
		t.Run(name, func(t *testing.T) {
			const minGain = 15 * time.Second
			rng := rand.New(rand.NewPCG(5, 6))
			speeds := []float64(nil)
			g, _ := made(t, n.Roads, func(n int) []float64 { speeds = randomSpeeds(rng, n); return speeds })
			outcomes := make(map[Outcome]int)
			longer := 0
			for r := int32(0); r < int32(g.Roads()); r += 11 {
				speeds = randomSpeeds(rng, g.Roads())
				speeds[r] = 5
				f := NewFinder(NewSpeeds(g, speeds, nil))
				d, outcome := f.Around(r, minGain)
				outcomes[outcome]++
				if outcome != Found {
					continue
				}
				checkDetour(t, g, speeds, r, d, minGain)
				if again, ok := f.Again(d, minGain); !ok || again.PathTime != d.PathTime || again.WayCO2 != d.WayCO2 {
					t.Fatalf("the same detour again is %+v, want %+v", again, d)
				}
				if len(d.Way) > 1 {
					longer++
				}
			}
			t.Logf("%v, %d of them longer than the road itself", outcomes, longer)
			if outcomes[Found] < g.Roads()/44 || outcomes[NoDetour] == 0 || longer == 0 {
				t.Errorf("%v, %d longer: want all kinds", outcomes, longer)
			}
		})
	}
}

func TestSameAnswerEachTime(t *testing.T) {
	n := synth.Generate(synth.Params{Seed: 8, Arcs: 500})
	same := func(n int) []float64 {
		speeds := make([]float64, n)
		for i := range speeds {
			speeds[i] = 30 // many ways that take equally long
			if i%7 == 0 {
				speeds[i] = 5
			}
		}
		return speeds
	}
	g, a := made(t, n.Roads, same)
	_, b := made(t, n.Roads, same)
	for r := range int32(g.Roads()) {
		x, _ := a.Around(r, 0)
		b.Around((r+1)%int32(g.Roads()), 0) // another history
		y, _ := b.Around(r, 0)
		if !slices.Equal(x.Path, y.Path) {
			t.Fatalf("road %d: %v and %v", r, x.Path, y.Path)
		}
	}
}

// A detour never leads over a road that is shut, and is the fastest of those that do not.
func TestDetoursKeepOffShutRoads(t *testing.T) {
	n := synth.Generate(synth.Params{Seed: 12, Arcs: 600})
	g, free := made(t, n.Roads, func(n int) []float64 { return randomSpeeds(rand.New(rand.NewPCG(9, 9)), n) })
	shut := make([]bool, g.Roads())
	slow := slices.Clone(free.speeds.kmh)
	for r := 0; r < len(shut); r += 9 {
		shut[r], slow[r] = true, 5
	}
	f := NewFinder(NewSpeeds(g, slow, shut))
	found := 0
	for r := int32(0); r < int32(len(shut)); r += 9 {
		d, outcome := f.Around(r, time.Second)
		if outcome != Found {
			continue
		}
		found++
		if slices.ContainsFunc(d.Path, func(o int32) bool { return shut[o] }) {
			t.Fatalf("the detour %v leads over a shut road", d.Path)
		}
		if want := bruteForce(g, f.speeds.open, f.queryFor(d.Way)); float64(d.PathTime.Milliseconds()) != want {
			t.Fatalf("the detour %v takes %v, gonum finds %g ms", d.Path, d.PathTime, want)
		}
	}
	if found < 10 {
		t.Errorf("only %d detours", found)
	}
}

func TestNewGraphLeavesOutWhatCannotBeDriven(t *testing.T) {
	m := traffic.Some(100)
	g, err := NewGraph(t.Context(), []traffic.Road{
		{ID: "sensor only"},
		{ID: "half", FromNode: "a", LengthM: m},
		{ID: "no length", FromNode: "a", ToNode: "b"},
		{ID: "zero length", FromNode: "a", ToNode: "b", LengthM: traffic.Some(0)},
		{ID: "endless", FromNode: "a", ToNode: "b", LengthM: traffic.Some(math.Inf(1))},
		{ID: "good", FromNode: "a", ToNode: "b", LengthM: m},
		{ID: "good", FromNode: "a", ToNode: "c", LengthM: m},
	})
	if err != nil {
		t.Fatal(err)
	}
	if g.Roads() != 1 || g.Junctions() != 2 || g.Label(0) != "good" {
		t.Errorf("%d roads, %d junctions, first %q", g.Roads(), g.Junctions(), g.Label(0))
	}
	if _, ok := g.Find("half"); ok {
		t.Error("found a road that cannot be driven")
	}
}

func BenchmarkAroundParis(b *testing.B) {
	n := paris(b)
	rng := rand.New(rand.NewPCG(7, 8))
	g, f := made(b, n.Roads, func(n int) []float64 { return randomSpeeds(rng, n) })
	b.Run("50 congested roads", func(b *testing.B) {
		for b.Loop() {
			for k := range 50 {
				f.Around(int32(k*60), 15*time.Second)
			}
		}
	})
	b.Run("speeds", func(b *testing.B) {
		for b.Loop() {
			NewSpeeds(g, f.speeds.kmh, nil)
		}
	})
	b.Run("graph", func(b *testing.B) {
		for b.Loop() {
			if _, err := NewGraph(b.Context(), n.Roads); err != nil {
				b.Fatal(err)
			}
		}
	})
}
