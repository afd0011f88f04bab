package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

func config() Config {
	return Config{
		Models: []string{"line", "persistence", "profile", "net"}, Persistence: "persistence", Profile: "profile",
		HorizonMin: []int{5, 15}, Steps: []int{1, 3}, Groups: []string{"a", "b"},
		Step: 5 * time.Minute, Grace: 1, HalfLife: 24 * time.Hour,
	}
}

// TestSumsAreRight compares a board with sums over everything that was ever said.
func TestSumsAreRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, roads := config(), 3
		b := New(cfg)
		b.SetRoads([]uint8{0, 1, 0})
		said := map[[4]int]Forecast{} // model, horizon, road, target
		var steps []int
		for step := 1000; step < 1000+rapid.IntRange(3, 12).Draw(t, "steps"); step++ {
			steps = append(steps, step)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		truths := map[int][]float32{}
		for _, step := range steps {
			for m := range cfg.Models {
				b.Issue(int64(step), m, func(road, h int) (Forecast, bool) {
					f := Forecast{Mean: r.Float32()}
					f.Lower, f.Upper = max(0, f.Mean-0.2), min(1, f.Mean+0.2)
					if r.IntN(5) == 0 {
						return f, false
					}
					said[[4]int{m, h, road, step + cfg.Steps[h]}] = f
					return f, true
				})
			}
			row := []float32{r.Float32(), float32(math.NaN()), r.Float32()}
			truths[step] = row
			b.Score(int64(step), row)
			b.Score(int64(step), row)   // counts once
			b.Score(int64(step-1), row) // and never what is older
		}
		b.sum()
		last := steps[len(steps)-1]
		for m := range cfg.Models {
			for h := range cfg.Steps {
				var want traffic.Skill
				for _, step := range steps {
					w := math.Exp2(-float64(last-step) * 5 / (24 * 60))
					for road := range roads {
						f, ok := said[[4]int{m, h, road, step}]
						truth := truths[step][road]
						if !ok || !(truth >= 0) {
							continue
						}
						want.Weight += w
						want.AbsErr += w * math.Abs(float64(f.Mean-truth))
						want.Err += w * float64(f.Mean-truth)
						if f.Lower <= truth && truth <= f.Upper {
							want.Covered += w
						}
						if p, ok := said[[4]int{1, h, road, step}]; ok {
							want.Persistence.Other += w * math.Abs(float64(p.Mean-truth))
						}
					}
				}
				got := b.tallies[m][h][b.all()].skill()
				for name, d := range map[string]float64{
					"weight": got.Weight - want.Weight, "abs": got.AbsErr - want.AbsErr, "err": got.Err - want.Err,
					"other": got.Persistence.Other - want.Persistence.Other,
				} {
					if math.Abs(d) > 0.002 {
						t.Fatalf("model %d horizon %d: %s differs by %v", m, h, name, d)
					}
				}
				// The 1/65534 of a cell may move a truth over a bound.
				if math.Abs(got.Covered-want.Covered) > 1.001 {
					t.Fatalf("covered %v, want %v", got.Covered, want.Covered)
				}
			}
		}
	})
}

// play runs cycles with a fixed error of each model on 20 roads of group a, and calls each
// after every one.
func play(b *Board, from, cycles int, errors func(step int) []float32, each func(step int)) {
	groups := make([]uint8, 20)
	b.SetRoads(groups)
	row := make([]float32, len(groups))
	for step := from; step < from+cycles; step++ {
		for i := range row {
			row[i] = 0.5
		}
		b.Score(int64(step), row)
		b.Judge()
		for m, e := range errors(step) {
			b.Issue(int64(step), m, func(int, int) (Forecast, bool) {
				return Forecast{0.5 + e, 0.5 + e, 0.5 + e}, e < 0.5
			})
		}
		each(step)
	}
}

func TestTheBestSpeaks(t *testing.T) {
	b := New(config())
	if got := b.Order(0, 0); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("without evidence: %v", got)
	}
	play(b, 1000, 30, func(int) []float32 { return []float32{0.2, 0.1, 0.15, 0.05} }, func(int) {})
	if got := b.Order(1, 0); !slices.Equal(got, []int{3, 1, 2, 0}) {
		t.Errorf("order %v, want the best first and the demoted last", got)
	}
	if got := b.Order(1, 1); got[0] != 3 {
		t.Errorf("a group without roads begins with %d: want what is best for all", got[0])
	}
	for _, s := range b.Skills(7) {
		if s.Shard != 7 || s.Served != (s.Model == "net") || s.Demoted != (s.Model == "line") {
			t.Errorf("%+v", s)
		}
	}
}

// TestDemotedAndBack: a model that was best becomes worse than persistence, and later good
// again.
func TestDemotedAndBack(t *testing.T) {
	cfg := config()
	cfg.HalfLife = time.Hour
	b := New(cfg)
	var served []int
	note := func(int) {
		if o := b.Order(0, 0)[0]; len(served) == 0 || served[len(served)-1] != o {
			served = append(served, o)
		}
	}
	good, bad := []float32{0.9, 0.1, 0.2, 0.05}, []float32{0.9, 0.1, 0.2, 0.4}
	play(b, 1000, 40, func(int) []float32 { return good }, note)
	play(b, 1040, 40, func(int) []float32 { return bad }, note)
	if !b.choices[0][0].demoted[3] {
		t.Error("the bad model was not demoted")
	}
	play(b, 1080, 80, func(int) []float32 { return good }, note)
	if want := []int{0, 3, 1, 3}; !slices.Equal(served, want) {
		t.Errorf("served %v, want %v", served, want)
	}
}

// TestNoFlapping: two models that take turns in being better by little.
func TestNoFlapping(t *testing.T) {
	b := New(config())
	changes, last := 0, -1
	play(b, 1000, 300, func(step int) []float32 {
		e := []float32{0.9, 0.2, 0.2, 0.1}
		e[0] = 0.1
		e[step/5%2*3] += 0.03
		return e
	}, func(int) {
		if o := b.Order(0, 0)[0]; o != last {
			changes, last = changes+1, o
		}
	})
	if changes > 2 {
		t.Errorf("who speaks changed %d times", changes)
	}
}

func TestRestore(t *testing.T) {
	b := New(config())
	play(b, 1000, 30, func(int) []float32 { return []float32{0.2, 0.1, 0.15, 0.05} }, func(int) {})
	fresh := New(config())
	fresh.SetRoads(make([]uint8, 20))
	fresh.Restore(append(b.Skills(0), traffic.Skill{Model: "gone"}, traffic.Skill{Model: "net", HorizonMin: 7}))
	if !slices.Equal(fresh.Order(0, 0), b.Order(0, 0)) || fresh.Through() != b.Through() || !slices.Equal(fresh.Skills(0), b.Skills(0)) {
		t.Errorf("restored %v, %d; want %v, %d", fresh.Order(0, 0), fresh.Through(), b.Order(0, 0), b.Through())
	}
}

func TestHalfWidthHoldsFourFifths(t *testing.T) {
	b := New(config())
	b.SetRoads(make([]uint8, 50))
	if _, ok := b.HalfWidth(3, 0, 0); ok {
		t.Error("a width without evidence")
	}
	r := rand.New(rand.NewPCG(1, 1))
	row := make([]float32, 50)
	inside, n := 0, 0
	for step := int64(1); step < 60; step++ {
		for i := range row {
			row[i] = float32(min(1, max(0, 0.5+r.ExpFloat64()*0.05*float64(1-2*r.IntN(2)))))
			if w, ok := b.HalfWidth(3, 0, 0); ok {
				n++
				if math.Abs(float64(row[i]-0.5)) <= float64(w) {
					inside++
				}
			}
		}
		b.Score(step, row)
		b.Issue(step, 3, func(int, int) (Forecast, bool) { return Forecast{0.5, 0.5, 0.5}, true })
	}
	if share := float64(inside) / float64(n); share < 0.75 || share > 0.87 {
		t.Errorf("%.2f of %d inside", share, n)
	}
}

// A road may come while others are pending.
func TestMoreRoads(t *testing.T) {
	b := New(config())
	b.SetRoads([]uint8{0})
	say := func(int, int) (Forecast, bool) { return Forecast{Mean: 0.25}, true }
	b.Issue(10, 0, say)
	b.SetRoads([]uint8{0, 1})
	b.Score(11, []float32{0.5, 0.5})
	b.Issue(11, 0, say)
	b.Score(12, []float32{0.5, 0.5})
	if f, ok := b.Pending(0, 0, 1, 12); !ok || math.Abs(float64(f.Mean-0.25)) > 1e-4 {
		t.Errorf("pending %v, %v", f, ok)
	}
	if _, ok := b.Pending(0, 0, 1, 99); ok {
		t.Error("a forecast that nobody made")
	}
	b.sum()
	if w := b.tallies[0][0][b.all()].weight; math.Abs(w-3) > 0.01 {
		t.Errorf("weight %v, want 3", w)
	}
}
