package predictor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bench is a predictor on a real store, driven by hand.
type bench struct {
	tb  testing.TB
	db  *sqlite.Store
	cfg Config
	*Predictor
	r *rounds
}

func newBench(tb testing.TB) *bench { return newBenchWith(tb, seedOnly()) }

// seedOnly lets ewma-lr-v2 speak alone, so that its formula says what comes out.
func seedOnly() Config {
	cfg := Default()
	cfg.Models = []string{model.EWMALR}
	return cfg
}

func newBenchWith(tb testing.TB, cfg Config) *bench {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "city.db"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	b := &bench{tb: tb, db: db, cfg: cfg}
	b.restart()
	return b
}

// restart makes a new predictor on the same store, as a new process would.
func (b *bench) restart() {
	b.tb.Helper()
	p, err := New(b.cfg, Deps{Store: b.db, News: inproc.New()}, nil, prometheus.NewRegistry())
	if err != nil {
		b.tb.Fatal(err)
	}
	p.school.trainer = model.Suite{Net: model.MLP{Width: 8, Embed: 2, Epochs: 0.05, MaxSamples: 500}} // quick, not good
	b.Predictor, b.r = p, newRounds(p)
}

func (b *bench) add(rs ...traffic.Reading) {
	b.tb.Helper()
	if _, err := b.db.Append(b.tb.Context(), store.Delivery{Readings: rs}); err != nil {
		b.tb.Fatal(err)
	}
}

func (b *bench) do(f func(context.Context) error) {
	b.tb.Helper()
	if err := f(b.tb.Context()); err != nil {
		b.tb.Fatal(err)
	}
}

// table is the whole predictions table.
func (b *bench) table() []traffic.Prediction {
	b.tb.Helper()
	var out []traffic.Prediction
	q := store.PredictionQuery{Page: store.Page{Limit: 10000}}
	for {
		part, next, err := b.db.Predictions(b.tb.Context(), q)
		if err != nil {
			b.tb.Fatal(err)
		}
		out = append(out, part...)
		if next == "" {
			return out
		}
		q.Page.After = next
	}
}

// boundaries are the times of the cycles in the table, oldest first.
func (b *bench) boundaries() []string {
	var out []string
	for _, p := range b.table() {
		if at := p.At.Format("15:04"); len(out) == 0 || out[len(out)-1] != at {
			out = append(out, at)
		}
	}
	slices.Reverse(out)
	return out
}

var day = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// at is a time of the test day, such as "08:05".
func at(tb testing.TB, clock string) time.Time {
	tb.Helper()
	t, err := time.Parse("15:04", clock)
	if err != nil {
		tb.Fatal(err)
	}
	return day.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
}

func speed(road string, at time.Time, kmh float64) traffic.Reading {
	return traffic.Reading{At: at, Sensor: traffic.SensorID(road), Road: traffic.RoadID(road), Speed: traffic.Some(kmh)}
}

// randomCity makes readings of several roads over some hours in order of time, with
// different quantities, gaps and paces.
func randomCity(seed uint64, roads int, hours int) []traffic.Reading {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []traffic.Reading
	for t := day; t.Before(day.Add(time.Duration(hours) * time.Hour)); t = t.Add(time.Minute) {
		for i := range roads {
			if r.IntN(4) > 0 || i == 0 && t.Hour()%3 == 1 {
				continue // the first road is silent for hours
			}
			rd := speed(fmt.Sprintf("road-%d", i), t.Add(time.Duration(r.IntN(60000))*time.Millisecond), 90*r.Float64())
			if i%3 > 0 {
				rd.Occupancy = traffic.Some(r.Float64())
			}
			if i%3 > 1 {
				rd.Speed, rd.Flow = traffic.Value{}, traffic.Some(2000*r.Float64())
			}
			out = append(out, rd)
		}
	}
	slices.SortStableFunc(out, func(a, b traffic.Reading) int { return a.At.Compare(b.At) })
	return out
}

// expected computes the table from all readings at once, with none of the package's
// code but the score.
func expected(rs []traffic.Reading, zone *time.Location) map[string]float64 {
	type sums struct{ v, nv, q, nq, k, nk float64 }
	add := func(v traffic.Value, sum, n *float64) {
		if f, ok := v.Get(); ok {
			*sum, *n = *sum+f, *n+1
		}
	}
	mean := func(sum, n float64) traffic.Value { return traffic.Some(sum / n) } // absent for 0/0
	buckets := map[traffic.RoadID]map[int64]*sums{}
	slots := map[int64]bool{}
	for _, r := range rs {
		slot := r.At.Unix() / 300
		slots[slot] = true
		if buckets[r.Road] == nil {
			buckets[r.Road] = map[int64]*sums{}
		}
		if buckets[r.Road][slot] == nil {
			buckets[r.Road][slot] = &sums{}
		}
		s := buckets[r.Road][slot]
		add(r.Speed, &s.v, &s.nv)
		add(r.Flow, &s.q, &s.nq)
		add(r.Occupancy, &s.k, &s.nk)
	}
	out := map[string]float64{}
	for slot := range slots {
		boundary := time.Unix((slot+1)*300, 0).In(zone)
		factor := 1.0
		switch h := boundary.Hour(); {
		case h == 7 || h == 8 || h == 17 || h == 18:
			factor = 1.15
		case h >= 21 || h < 6:
			factor = 0.85
		}
		for road, own := range buckets {
			var n, sx, sy, sxx, sxy, y float64
			for k := range int64(6) {
				if s := own[slot-5+k]; s != nil {
					y, _ = score.V1(mean(s.v, s.nv), mean(s.k, s.nk), mean(s.q, s.nq))
					x := float64(5 * k)
					n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
				}
			}
			for _, h := range []float64{5, 15, 30, 60} {
				key := fmt.Sprintf("%s %s %v", boundary.UTC().Format(time.RFC3339), road, h)
				switch {
				case n == 1:
					out[key] = math.Min(1, y*factor)
				case n > 1:
					slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
					blended := 0.7*((sy-slope*sx)/n+slope*(30+h)) + 0.3*y
					out[key] = math.Max(0, math.Min(1, blended*factor))
				}
			}
		}
	}
	return out
}

func checkTable(t *testing.T, got []traffic.Prediction, want map[string]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d predictions, want %d", len(got), len(want))
	}
	for _, p := range got {
		key := fmt.Sprintf("%s %s %d", p.At.Format(time.RFC3339), p.Road, p.HorizonMin)
		w, ok := want[key]
		if !ok || math.Abs(p.Score-w) > 0.00051 {
			t.Fatalf("%s: score %v, want %v (%v)", key, p.Score, w, ok)
		}
	}
}

// TestSameAtAnySpeed feeds one day in pieces of different size, looks at different
// moments and restarts in between. The table is always the same, and what the
// formula says.
func TestSameAtAnySpeed(t *testing.T) {
	rs := randomCity(7, 6, 9)
	want := expected(rs, mustZone(t))
	var first []traffic.Prediction
	for run := range 5 {
		b := newBench(t)
		r := rand.New(rand.NewPCG(uint64(run), 2))
		for rest := rs; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN([]int{10000, 20, 200, 1000, 60}[run]))
			b.add(rest[:n]...)
			rest = rest[n:]
			switch r.IntN(4) {
			case 0:
				b.do(b.r.catchUp)
			case 1:
				b.do(b.r.early)
			case 2:
				if run%2 == 0 {
					b.restart()
				}
			}
		}
		b.do(b.r.early)
		got := b.table()
		if run == 0 {
			checkTable(t, got, want)
			first = got
		}
		if !slices.Equal(got, first) {
			t.Errorf("run %d gave another table", run)
		}
	}
}

// TestSameWhenSlightlyOutOfOrder mixes the arrival of readings as several uplinks do.
func TestSameWhenSlightlyOutOfOrder(t *testing.T) {
	rs := randomCity(8, 5, 6)
	want := expected(rs, mustZone(t))
	b := newBench(t)
	r := rand.New(rand.NewPCG(9, 9))
	arrival := slices.Clone(rs)
	delay := func(rd traffic.Reading) time.Time { return rd.At.Add(time.Duration(r.IntN(1200)) * time.Second) }
	due := map[traffic.Reading]time.Time{}
	for _, rd := range arrival {
		due[rd] = delay(rd)
	}
	slices.SortStableFunc(arrival, func(x, y traffic.Reading) int { return due[x].Compare(due[y]) })
	for part := range slices.Chunk(arrival, 37) {
		b.add(part...)
		b.do(b.r.catchUp)
	}
	b.do(b.r.early)
	checkTable(t, b.table(), want)
	if testutil.ToFloat64(b.metrics.repeated) == 0 {
		t.Error("nothing came late: the test tests nothing")
	}
}

func mustZone(tb testing.TB) *time.Location {
	tb.Helper()
	z, err := time.LoadLocation(Default().Zone)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

func TestBoundaries(t *testing.T) {
	b := newBench(t)
	b.do(b.r.early)
	if got := b.boundaries(); got != nil {
		t.Fatalf("nothing stored, but cycles %v", got)
	}
	b.add(speed("a", at(t, "08:00"), 50), speed("a", at(t, "08:04"), 40), speed("b", at(t, "08:20"), 40))
	b.do(b.r.catchUp)
	// 08:05 is due. The bucket of 08:20 is open, the empty ones between have no cycle.
	if got, want := b.boundaries(), []string{"08:05"}; !slices.Equal(got, want) {
		t.Errorf("due: %v, want %v", got, want)
	}
	b.do(b.r.early)
	if got, want := b.boundaries(), []string{"08:05", "08:25"}; !slices.Equal(got, want) {
		t.Errorf("early: %v, want %v", got, want)
	}
	early := b.table()
	// Both roads are in the window of 08:25, but only a was in that of 08:05.
	if n := len(early); n != 3*4 {
		t.Errorf("%d predictions, want 12", n)
	}
	b.add(speed("b", at(t, "08:24"), 5), speed("a", at(t, "08:25"), 40))
	b.do(b.r.catchUp)
	if now := b.table(); slices.Equal(now, early) || len(now) != len(early) {
		t.Error("the early cycle was not run again in its time")
	}
}

func TestNoReadingInWindowNoPrediction(t *testing.T) {
	b := newBench(t)
	b.add(speed("a", at(t, "08:00"), 50), speed("b", at(t, "08:26"), 50), speed("b", at(t, "08:31"), 50), speed("b", at(t, "08:36"), 50))
	b.do(b.r.catchUp)
	roads := map[string][]traffic.RoadID{}
	for _, p := range b.table() {
		if p.HorizonMin == 30 {
			roads[p.At.Format("15:04")] = append(roads[p.At.Format("15:04")], p.Road)
		}
	}
	for boundary, want := range map[string][]traffic.RoadID{"08:05": {"a"}, "08:30": {"a", "b"}, "08:35": {"b"}, "08:40": nil} {
		if got := roads[boundary]; !slices.Equal(got, want) {
			t.Errorf("%s: roads %v, want %v", boundary, got, want)
		}
	}
}

func TestLateReadings(t *testing.T) {
	b := newBench(t)
	for m := 0; m <= 60; m += 5 {
		b.add(speed("a", at(t, "08:00").Add(time.Duration(m)*time.Minute), 45))
	}
	b.do(b.r.catchUp)
	score := func(boundary string) float64 {
		for _, p := range b.table() {
			if p.At.Equal(at(t, boundary)) && p.HorizonMin == 5 && p.Road == "a" {
				return p.Score
			}
		}
		t.Fatalf("no prediction at %s", boundary)
		return 0
	}
	before := map[string]float64{"08:10": score("08:10"), "08:45": score("08:45"), "09:00": score("09:00")}
	// One reading is 20 minutes late, one 50, which is too late to repeat a cycle for.
	b.add(speed("a", at(t, "08:41"), 0), speed("a", at(t, "08:06"), 0), speed("a", at(t, "09:05"), 45))
	b.do(b.r.catchUp)
	if score("08:45") == before["08:45"] || score("09:00") == before["09:00"] {
		t.Error("a late reading in the watched buckets did not repeat the cycles that see it")
	}
	if score("08:10") != before["08:10"] {
		t.Error("an old cycle was changed")
	}
}

// TestGapsAreCheap crosses years without data.
func TestGapsAreCheap(t *testing.T) {
	b := newBench(t)
	counting := &countingHistory{History: b.db}
	b.cycles.history, b.history = counting, counting
	b.add(speed("a", day.AddDate(-15, 0, 0), 50), speed("a", day.AddDate(-4, 0, 0), 50), speed("a", day, 50), speed("a", day.Add(time.Hour), 50))
	b.do(b.r.catchUp)
	if got := len(b.table()); got != 3*4 {
		t.Errorf("%d predictions, want 12", got)
	}
	if counting.calls > 12 {
		t.Errorf("%d store calls for three cycles", counting.calls)
	}
}

type countingHistory struct {
	History
	calls int
}

func (c *countingHistory) Buckets(ctx context.Context, q store.BucketQuery) ([]traffic.Bucket, error) {
	c.calls++
	return c.History.Buckets(ctx, q)
}

func (c *countingHistory) FirstSince(ctx context.Context, from time.Time) (time.Time, error) {
	c.calls++
	return c.History.FirstSince(ctx, from)
}

// TestWatermarkIsCapped: one sensor whose clock runs ahead moves nobody's now.
func TestWatermarkIsCapped(t *testing.T) {
	b := newBench(t)
	b.now = func() time.Time { return at(t, "08:10") }
	b.add(speed("a", at(t, "08:00"), 50), speed("a", at(t, "08:07"), 50), speed("mad", at(t, "08:19"), 50))
	b.do(b.r.catchUp)
	if got, want := b.boundaries(), []string{"08:05"}; !slices.Equal(got, want) {
		t.Errorf("cycles %v, want %v", got, want)
	}
}

// TestStoreFailsInBetween: a store that refuses every third write, also halfway through
// catching up, leaves no hole and no cycle twice in one write.
func TestStoreFailsInBetween(t *testing.T) {
	rs := randomCity(11, 12, 24)
	b := newBench(t)
	b.cycles.forecasts = &refusing{Forecasts: b.db, tb: t}
	b.add(rs...)
	failures := 0
	for b.r.early(t.Context()) != nil {
		if failures++; failures > 20 {
			t.Fatal("never succeeds")
		}
	}
	if failures < 2 {
		t.Errorf("only %d failures: the test tests nothing", failures)
	}
	checkTable(t, b.table(), expected(rs, mustZone(t)))
}

// refusing refuses every third write.
type refusing struct {
	Forecasts
	tb    testing.TB
	calls int
}

func (r *refusing) PutPredictions(ctx context.Context, ps []traffic.Prediction) error {
	seen := map[traffic.Prediction]bool{}
	for _, p := range ps {
		name := traffic.Prediction{At: p.At, Road: p.Road, HorizonMin: p.HorizonMin, Model: p.Model}
		if seen[name] {
			r.tb.Errorf("%v is twice in one write", name)
		}
		seen[name] = true
	}
	if r.calls++; r.calls%3 == 1 {
		return errGone
	}
	return r.Forecasts.PutPredictions(ctx, ps)
}

func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"zone":            func(c *Config) { c.Zone = "Paris" },
		"empty zone":      func(c *Config) { c.Zone = "" },
		"no horizons":     func(c *Config) { c.Horizons = nil },
		"zero horizon":    func(c *Config) { c.Horizons = []int{0} },
		"far horizon":     func(c *Config) { c.Horizons = []int{MaxHorizonMin + 1} },
		"same horizon":    func(c *Config) { c.Horizons = []int{30, 30} },
		"crooked step":    func(c *Config) { c.Step = 7 * time.Minute },
		"fine step":       func(c *Config) { c.Step = 500 * time.Millisecond },
		"crooked look":    func(c *Config) { c.Lookback = 31 * time.Minute },
		"no look":         func(c *Config) { c.Lookback = 0 },
		"negative cap":    func(c *Config) { c.Tolerance = -1 },
		"never quiet":     func(c *Config) { c.Quiet = 0 },
		"polls all along": func(c *Config) { c.Poll = 0 },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s was taken", name)
		}
		if _, err := New(c, Deps{}, nil, prometheus.NewRegistry()); err == nil {
			t.Errorf("%s: New took it", name)
		}
	}
	if c := Default(); c.Validate() != nil {
		t.Error("the default is refused")
	}
}

var errGone = errors.New("database is gone")
