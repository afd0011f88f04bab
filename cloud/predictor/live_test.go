package predictor

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// allButNet is the default without the network, which takes long to train.
func allButNet() Config {
	cfg := Default()
	cfg.Models = []string{model.EWMALR, model.PersistenceName, model.ProfileName}
	return cfg
}

// wander makes roads whose speeds go slowly up and down at random, every five minutes:
// what was measured last is the best forecast.
func wander(roads, steps int) []traffic.Reading {
	r := rand.New(rand.NewPCG(5, 5))
	v := make([]float64, roads)
	for i := range v {
		v[i] = 45
	}
	var out []traffic.Reading
	for k := range steps {
		for i := range v {
			v[i] = min(85, max(5, v[i]+8*(r.Float64()-0.5)))
			out = append(out, speed(fmt.Sprintf("road-%02d", i), day.Add(time.Duration(k)*5*time.Minute), v[i]))
		}
	}
	return out
}

func models(ps []traffic.Prediction) map[string]int {
	out := map[string]int{}
	for _, p := range ps {
		out[p.Model]++
	}
	return out
}

func TestTheBetterModelTakesOver(t *testing.T) {
	b := newBenchWith(t, allButNet())
	rs := wander(20, 30)
	for part := range slices.Chunk(rs, 20) {
		b.add(part...)
		b.do(b.r.catchUp)
	}
	b.do(b.r.early)
	table := b.table()
	first, last := table[len(table)-1].At, table[0].At
	for _, p := range table {
		switch {
		case p.At.Equal(first) && (p.Model != model.EWMALR || p.Lower.Known()):
			t.Fatalf("the first cycle, without evidence: %+v", p)
		case p.At.Equal(last) && (p.Model != model.PersistenceName || !p.Lower.Known() || !p.Speed.Known()):
			t.Fatalf("the last cycle: %+v, want persistence with interval and speed", p)
		}
		if lower, upper := p.Lower.Or(p.Score), p.Upper.Or(p.Score); lower > p.Score || upper < p.Score || lower < 0 || upper > 1 {
			t.Fatalf("interval of %+v", p)
		}
	}
	skills, err := b.db.Skills(t.Context())
	if err != nil || len(skills) != 2*4 {
		t.Fatalf("%d rows of skill, %v: want 2 models at 4 horizons in one group", len(skills), err)
	}
	for _, s := range skills {
		coverage := s.Coverage().Or(0.8) // at 60 min nothing is known yet
		if s.Served != (s.Model == model.PersistenceName) || s.MAE().Or(1) > 0.2 || coverage < 0.6 {
			t.Errorf("%s at %d min: served %v, MAE %v, coverage %v", s.Model, s.HorizonMin, s.Served, s.MAE(), s.Coverage())
		}
	}
	if got := testutil.ToFloat64(b.metrics.skill.mae.WithLabelValues(model.PersistenceName, "30", unclassified)); got <= 0 {
		t.Errorf("metric says %v", got)
	}
}

// TestSameWithRestarts: with all models, too, the table does not depend on when somebody
// looks, nor on restarts.
func TestSameWithRestarts(t *testing.T) {
	rs := wander(12, 36)
	var first []traffic.Prediction
	for run := range 3 {
		b := newBenchWith(t, allButNet())
		r := rand.New(rand.NewPCG(uint64(run), 2))
		for rest := rs; len(rest) > 0; {
			n := min(len(rest), 12*(1+r.IntN([]int{100, 3, 8}[run])))
			b.add(rest[:n]...)
			rest = rest[n:]
			b.do(b.r.catchUp)
			if run == 2 {
				b.restart()
			}
			if run > 0 {
				b.do(b.r.early)
			}
		}
		b.do(b.r.early)
		got := b.table()
		if run == 0 {
			first = got
		}
		same := func(a, b traffic.Prediction) bool {
			near := func(x, y traffic.Value) bool { return x.Known() == y.Known() && math.Abs(x.Or(0)-y.Or(0)) < 0.0015 }
			return a.At.Equal(b.At) && a.Road == b.Road && a.HorizonMin == b.HorizonMin && a.Model == b.Model && a.Score == b.Score &&
				near(a.Lower, b.Lower) && near(a.Upper, b.Upper) && near(a.Speed, b.Speed)
		}
		if !slices.EqualFunc(got, first, same) {
			t.Errorf("run %d gave another table: %v, want %v", run, models(got), models(first))
		}
	}
}

// TestTruthIsCountedOnce over restarts, cycles that run again and readings that come late.
func TestTruthIsCountedOnce(t *testing.T) {
	cfg := allButNet()
	cfg.HalfLife = 1e6 * time.Hour
	b := newBenchWith(t, cfg)
	rs := wander(4, 30)
	late := rs[4*20 : 4*20+2] // two of the four readings of 09:40
	rest := slices.Concat(rs[:4*20], rs[4*20+2:])
	for i, part := range slices.Collect(slices.Chunk(rest, 4)) {
		b.add(part...)
		if i == 21 {
			b.add(late...) // within the grace
		}
		b.do(b.r.catchUp)
		b.do(b.r.early)
		if i%7 == 3 {
			b.restart()
		}
	}
	skills, err := b.db.Skills(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range skills {
		// Of 30 steps the last 2 and, for the newest cycle, none more are within the grace;
		// forecasts begin after the first step and are for h/5 steps later.
		want := float64(4 * (30 - 1 - grace - s.HorizonMin/5))
		if math.Abs(s.Weight-want) > 0.5 {
			t.Errorf("%s at %d min: %v forecasts scored, want %v", s.Model, s.HorizonMin, s.Weight, want)
		}
	}
}

func TestFallsDownTheList(t *testing.T) {
	b := newBenchWith(t, allButNet())
	for k := range 12 {
		if k < 2 {
			b.add(speed("silent", day.Add(time.Duration(k)*5*time.Minute), 50))
		}
		b.add(speed("heard", day.Add(time.Duration(k)*5*time.Minute), 50))
	}
	b.add(speed("heard", day.Add(90*time.Minute), 50), speed("heard", day.Add(95*time.Minute), 50))
	b.do(b.r.catchUp)
	said := map[string]string{}
	for _, p := range b.table() {
		said[p.At.Format("15:04")+" "+string(p.Road)] = p.Model
	}
	for when, want := range map[string]string{
		"00:30 silent": model.EWMALR,
		"00:50 silent": model.PersistenceName, // 40 min without a reading
		"01:35 silent": "",                    // 85 min, and no profile was trained
		"01:35 heard":  model.EWMALR,
	} {
		if said[when] != want {
			t.Errorf("%s: %q speaks, want %q", when, said[when], want)
		}
	}
}

// days makes days of a daily pattern with a little noise, on some roads, every 10 minutes.
func days(roads, n int) []traffic.Reading {
	r := rand.New(rand.NewPCG(9, 9))
	var out []traffic.Reading
	for at := day; at.Before(day.AddDate(0, 0, n)); at = at.Add(10 * time.Minute) {
		for i := range roads {
			hour := float64(at.Hour()) + float64(at.Minute())/60
			v := 50 - 30*math.Cos(2*math.Pi*(hour+float64(i))/6) + 4*r.NormFloat64()
			out = append(out, speed(fmt.Sprintf("road-%d", i), at, max(2, v)))
		}
	}
	return out
}

func TestTrainingTakesOverAndComesBack(t *testing.T) {
	cfg := allButNet()
	cfg.Step, cfg.Training.Dir = 10*time.Minute, filepath.Join(t.TempDir(), "models")
	b := newBenchWith(t, cfg)
	rs := days(4, 4)
	b.add(rs[:len(rs)*3/4]...)
	b.do(b.r.catchUp)
	end := day.AddDate(0, 0, 3)
	if err := b.school.train(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	b.add(rs[len(rs)*3/4:]...)
	b.do(b.r.catchUp)
	if got := models(b.table()); got[model.ProfileName] == 0 {
		t.Errorf("with a daily pattern the profile never speaks: %v", got)
	}
	files := func() []string {
		got, err := filepath.Glob(filepath.Join(cfg.Training.Dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if len(files()) != 2 {
		t.Fatalf("files %v, want one for score and one for speed", files())
	}

	// A restart takes the file up; a damaged one is passed over.
	minutes := 0
	again := func() {
		b.restart()
		b.add(speed("road-0", day.AddDate(0, 0, 4).Add(time.Duration(minutes)*time.Minute), 50))
		minutes += 5
		b.do(b.r.early)
	}
	again()
	if b.school.lineup.Load().trained[channelScore] == nil {
		t.Error("the trained profile is gone after a restart")
	}
	for _, f := range files() {
		if err := os.Truncate(f, 500); err != nil {
			t.Fatal(err)
		}
	}
	again()
	if b.school.lineup.Load().trained[channelScore] != nil {
		t.Error("a damaged file was used")
	}
	if p := b.table()[0]; p.Model == model.ProfileName || math.IsNaN(p.Score) {
		t.Errorf("after that %+v", p)
	}
}

// TestWorseModelIsNotTaken: the last day is unlike those before, so that a profile of them
// would be worse than the one in force.
func TestWorseModelIsNotTaken(t *testing.T) {
	cfg := allButNet()
	cfg.Step, cfg.Training.Dir = 10*time.Minute, filepath.Join(t.TempDir(), "models")
	b := newBenchWith(t, cfg)
	b.add(days(3, 4)...)
	b.do(b.r.catchUp)
	if err := b.school.train(t.Context(), day.AddDate(0, 0, 3)); err != nil {
		t.Fatal(err)
	}
	good := b.school.lineup.Load().trained[channelScore]
	// History before the last day that misleads: the city stood still.
	b.school.history = standstill{b.db, day.AddDate(0, 0, 3)}
	if err := b.school.train(t.Context(), day.AddDate(0, 0, 4)); err != nil {
		t.Fatal(err)
	}
	now := b.school.lineup.Load().trained[channelScore]
	if !now.Info().Trained.Equal(good.Info().Trained) {
		t.Errorf("the model of %s took over from that of %s", now.Info().Trained, good.Info().Trained)
	}
	if got := testutil.ToFloat64(b.metrics.training.runs.WithLabelValues(channelScore, "worse")); got != 1 {
		t.Errorf("%v trainings counted as worse, want 1", got)
	}
}

func TestTooLittleHistory(t *testing.T) {
	b := newBenchWith(t, allButNet())
	b.add(wander(3, 20)...)
	b.do(b.r.catchUp)
	if err := b.school.train(t.Context(), day.Add(100*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if b.school.trained || b.school.lineup.Load().trained[channelScore].Learned != nil {
		t.Error("a hundred minutes are enough to learn from")
	}
	if got := testutil.ToFloat64(b.metrics.training.runs.WithLabelValues(channelScore, "thin")); got != 1 {
		t.Errorf("%v trainings counted as thin, want 1", got)
	}
}

func TestDueAtNight(t *testing.T) {
	b := newBench(t)
	s := b.school
	s.plan.Store(&plan{})
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if !s.due(at("2026-03-02T12:00:00+01:00")) {
		t.Error("not due the first time")
	}
	s.tried, s.trained = at("2026-03-02T12:00:00+01:00"), true
	for when, want := range map[string]bool{
		"2026-03-02T23:00:00+01:00": false, "2026-03-03T02:55:00+01:00": false,
		"2026-03-03T03:00:00+01:00": true, "2026-03-01T12:00:00+01:00": true, // the clock went back
	} {
		if got := s.due(at(when)); got != want {
			t.Errorf("%s: due %v", when, got)
		}
	}
	s.trained = false
	if !s.due(at("2026-03-02T18:00:00+01:00")) {
		t.Error("not tried again after 6 h")
	}
}

// TestShards: together, shards forecast every road once.
func TestShards(t *testing.T) {
	rs := wander(30, 6)
	seen := map[traffic.RoadID]int{}
	for shard := range 3 {
		cfg := seedOnly()
		cfg.Shard, cfg.Shards = shard, 3
		b := newBenchWith(t, cfg)
		b.add(rs...)
		b.do(b.r.catchUp)
		own := map[traffic.RoadID]bool{}
		for _, p := range b.table() {
			own[p.Road] = true
		}
		if len(own) < 3 {
			t.Errorf("shard %d has %d of 30 roads", shard, len(own))
		}
		for road := range own {
			seen[road]++
		}
	}
	for road, n := range seen {
		if n != 1 {
			t.Errorf("%s is in %d shards", road, n)
		}
	}
	if len(seen) != 30 {
		t.Errorf("%d roads, want 30", len(seen))
	}
}
