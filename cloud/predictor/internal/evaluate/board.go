package evaluate

import (
	"math"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Config says what is evaluated.
type Config struct {
	// Models are the names, in the order in which they speak without evidence.
	Models []string
	// Persistence and Profile are the names of the baselines.
	Persistence, Profile string
	// HorizonMin are the horizons in minutes, Steps the same in steps.
	HorizonMin, Steps []int
	// Groups are the names of the groups of roads.
	Groups []string
	// Step is the length of a step.
	Step time.Duration
	// Grace is how many steps after its end a step is taken for the truth.
	Grace int
	// HalfLife is the event time in which a forecast loses half its weight.
	HalfLife time.Duration
}

// A Forecast is a mean with its 80 % interval, each 0 to 1. Lower = Upper says that there
// is no interval.
type Forecast struct{ Mean, Lower, Upper float32 }

// Bounded reports whether there is an interval.
func (f Forecast) Bounded() bool { return f.Lower < f.Upper }

// A Board is what is known about the models. Steps are numbered since 1970.
type Board struct {
	cfg     Config
	groupOf []uint8
	// sizes is how many roads each group has.
	sizes []int
	// pending is [model][horizon].
	pending [][]ring
	// tallies is [model][horizon][group], the last group being all roads.
	tallies [][][]tally
	// through is the last step that was taken for the truth.
	through int64
	// choices is [horizon][group], like tallies.
	choices [][]choice
	// persistence and profile are the baselines' places among the models, -1 without.
	persistence, profile int
}

// New makes a board without roads and evidence.
func New(cfg Config) *Board {
	b := &Board{
		cfg: cfg, sizes: make([]int, len(cfg.Groups)+1), persistence: slices.Index(cfg.Models, cfg.Persistence), profile: slices.Index(cfg.Models, cfg.Profile),
		pending: make([][]ring, len(cfg.Models)), tallies: make([][][]tally, len(cfg.Models)), choices: make([][]choice, len(cfg.Steps)),
	}
	for m := range cfg.Models {
		b.pending[m] = make([]ring, len(cfg.Steps))
		b.tallies[m] = make([][]tally, len(cfg.Steps))
		for h, k := range cfg.Steps {
			b.pending[m][h] = newRing(k + cfg.Grace + 1)
			b.tallies[m][h] = make([]tally, len(cfg.Groups)+1)
		}
	}
	for h := range b.choices {
		b.choices[h] = make([]choice, len(cfg.Groups)+1)
		for g := range b.choices[h] {
			b.choices[h][g] = newChoice(len(cfg.Models))
		}
	}
	return b
}

// all is the group of all roads.
func (b *Board) all() int { return len(b.cfg.Groups) }

// SetRoads says which group each road is in, by index into Config.Groups. Roads keep
// their places; there may be more of them than before.
func (b *Board) SetRoads(groupOf []uint8) {
	b.groupOf = groupOf
	b.sizes = make([]int, len(b.cfg.Groups)+1)
	for _, g := range groupOf {
		b.sizes[g]++
		b.sizes[b.all()]++
	}
}

// Through is the last step that was taken for the truth, 0 when there was none.
func (b *Board) Through() int64 { return b.through }

// Issue keeps what a model forecast after the step newest. forecast gives that of a road
// at the horizon of an index; it is false when there is none.
func (b *Board) Issue(newest int64, m int, forecast func(road, horizon int) (Forecast, bool)) {
	for h, k := range b.cfg.Steps {
		cells := b.pending[m][h].open(newest+int64(k), len(b.groupOf))
		for road := range cells {
			if f, ok := forecast(road, h); ok {
				cells[road] = pack(f)
			}
		}
	}
}

// Pending is what a model forecast for a step at the horizon of an index, while that is
// remembered.
func (b *Board) Pending(m, h, road int, target int64) (Forecast, bool) {
	cells := b.pending[m][h].find(target)
	if road >= len(cells) || cells[road].mean == none {
		return Forecast{}, false
	}
	return cells[road].unpack(), true
}

// Score takes measured values for the truth of a step, by road, NaN where there is none.
// A step that is not after Through was counted before and is left out.
func (b *Board) Score(target int64, truth []float32) {
	if target <= b.through {
		return
	}
	if b.through > 0 {
		b.fade(target - b.through)
	}
	b.through = target
	for h := range b.cfg.Steps {
		base, profile := b.cells(b.persistence, h, target), b.cells(b.profile, h, target)
		for m := range b.cfg.Models {
			cells := b.cells(m, h, target)
			for road, c := range cells {
				if c.mean == none || road >= len(truth) || !(truth[road] >= 0) {
					continue
				}
				o := c.compare(truth[road])
				o.persistence, o.hasPersistence = errorAt(base, road, truth[road])
				o.profile, o.hasProfile = errorAt(profile, road, truth[road])
				b.tallies[m][h][b.groupOf[road]].add(o)
			}
		}
	}
}

func (b *Board) cells(m, h int, target int64) []cell {
	if m < 0 {
		return nil
	}
	return b.pending[m][h].find(target)
}

// errorAt is the absolute error of a baseline; false where it said nothing.
func errorAt(cells []cell, road int, truth float32) (float64, bool) {
	if road >= len(cells) || cells[road].mean == none {
		return 0, false
	}
	return math.Abs(float64(cells[road].unpack().Mean - truth)), true
}

// fade lets everything that was counted lose weight over some steps.
func (b *Board) fade(steps int64) {
	f := math.Exp2(-float64(steps) * float64(b.cfg.Step) / float64(b.cfg.HalfLife))
	for m := range b.tallies {
		for h := range b.tallies[m] {
			for g := range b.tallies[m][h] {
				b.tallies[m][h][g].scale(f)
			}
		}
	}
}

// HalfWidth is half the width of an interval that holds 80 % of the truths of a model that
// gives none itself, as its mean error tells; false without enough evidence.
func (b *Board) HalfWidth(m, h, group int) (float32, bool) {
	t := b.evidence(m, h, group)
	if t == nil {
		return 0, false
	}
	// Errors fall off about exponentially: 80 % are below ln 5 mean errors.
	return float32(math.Log(5)*t.absErr/t.weight + minHalfWidth), true
}

// minHalfWidth keeps an interval open where a model has not erred yet.
const minHalfWidth = 0.005

// Skills is everything that was found, for the store and for metrics.
func (b *Board) Skills(shard int) []traffic.Skill {
	var out []traffic.Skill
	for m, name := range b.cfg.Models {
		for h, minutes := range b.cfg.HorizonMin {
			for g, group := range b.cfg.Groups {
				if b.tallies[m][h][g].weight < minShown {
					continue
				}
				s := b.tallies[m][h][g].skill()
				c := &b.choices[h][g]
				s.Shard, s.Model, s.HorizonMin, s.Group = shard, name, minutes, group
				s.Through = time.Unix(b.through*int64(b.cfg.Step/time.Second), 0).UTC()
				s.Served, s.Demoted = c.served == m, c.demoted[m]
				out = append(out, s)
			}
		}
	}
	return out
}

// minShown is the weight below which nothing is left of a tally.
const minShown = 1e-6

// Restore takes over what Skills gave before a restart. Rows of models, horizons and
// groups that are not evaluated any more are left out.
func (b *Board) Restore(skills []traffic.Skill) {
	for i := range skills {
		s := &skills[i]
		m, h, g := slices.Index(b.cfg.Models, s.Model), slices.Index(b.cfg.HorizonMin, s.HorizonMin), slices.Index(b.cfg.Groups, s.Group)
		if m < 0 || h < 0 || g < 0 {
			continue
		}
		b.tallies[m][h][g].take(s)
		b.choices[h][g].demoted[m] = s.Demoted
		if s.Served {
			b.choices[h][g].served = m
		}
		b.through = max(b.through, s.Through.Unix()/int64(b.cfg.Step/time.Second))
	}
	b.sum()
	b.order()
}

// sum makes the tallies of all roads from those of the groups.
func (b *Board) sum() {
	for m := range b.tallies {
		for h := range b.tallies[m] {
			t := tally{}
			for g := range b.cfg.Groups {
				t.merge(&b.tallies[m][h][g])
			}
			b.tallies[m][h][b.all()] = t
		}
	}
}
