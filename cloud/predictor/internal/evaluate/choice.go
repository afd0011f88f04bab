package evaluate

import (
	"cmp"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// enough is how many scored forecasts are evidence, enoughCycles of how many cycles
	// when every road is in each.
	enough       = 100
	enoughCycles = 6
	// margin is by how much, as a share of the error, a model must lose to be demoted, win
	// to come back, and beat the one that speaks to take its place.
	margin = 0.02
	// patience is for how many cycles on end it must.
	patience = 6
)

// A choice is who speaks at one horizon for one group.
type choice struct {
	// served is the model that speaks, -1 while there is no evidence.
	served int
	// rival was better than served for the last streak cycles.
	rival, streak int
	demoted       []bool
	// turning counts the cycles on end for which a model should have been demoted, or
	// have come back.
	turning []int
	// order is the models in the order in which they are asked.
	order []int
}

func newChoice(models int) choice {
	c := choice{served: -1, rival: -1, demoted: make([]bool, models), turning: make([]int, models), order: make([]int, models)}
	for m := range c.order {
		c.order[m] = m
	}
	return c
}

// Order is the models to ask for a road of a group, the one that is served first. A model
// without a forecast for the road passes the word to the next. It is shared: read only.
func (b *Board) Order(h, group int) []int { return b.choices[h][group].order }

// Judge decides anew who speaks, once a cycle.
func (b *Board) Judge() {
	b.sum()
	for h := range b.choices {
		for g := range b.choices[h] {
			b.demote(h, g)
			b.choose(h, g)
		}
	}
	b.order()
}

// evidence is what is known of a model: of the group, or else of all roads; nil when that
// is not enough.
func (b *Board) evidence(m, h, g int) *tally {
	for _, g := range []int{g, b.all()} {
		if t := &b.tallies[m][h][g]; t.weight >= max(enough, float64(enoughCycles*b.sizes[g])) {
			return t
		}
	}
	return nil
}

// ratio is a model's error as a share of persistence's, 1 being as good; false without
// enough evidence. Roads that never change make 1 of two errors of nothing.
func (b *Board) ratio(m, h, g int) (float64, bool) {
	t := b.evidence(m, h, g)
	if t == nil || t.persistence.Weight < enough/2 {
		return 0, false
	}
	tiny := 1e-4 * t.persistence.Weight
	return (t.persistence.Own + tiny) / (t.persistence.Other + tiny), true
}

// demote takes the word from models that lose to a baseline, and gives it back.
func (b *Board) demote(h, g int) {
	c := &b.choices[h][g]
	for m := range c.demoted {
		t := b.evidence(m, h, g)
		if t == nil || m == b.persistence || m == b.profile {
			continue
		}
		worst := worstSkill(t)
		turn := c.demoted[m] && worst > margin || !c.demoted[m] && worst < -margin
		if !turn {
			c.turning[m] = 0
			continue
		}
		if c.turning[m]++; c.turning[m] >= patience {
			c.demoted[m], c.turning[m] = !c.demoted[m], 0
		}
	}
}

// worstSkill is the skill against the baseline that is harder to beat; 0 without any.
func worstSkill(t *tally) float64 {
	worst, known := 0.0, false
	for _, d := range []traffic.Duel{t.persistence, t.profile} {
		if v, ok := d.Skill().Get(); ok && d.Weight >= enough/2 && (!known || v < worst) {
			worst, known = v, true
		}
	}
	return worst
}

// choose looks for a model that is better than the one that speaks.
func (b *Board) choose(h, g int) {
	c := &b.choices[h][g]
	best, low := -1, 0.0
	for m := range c.order {
		if r, ok := b.ratio(m, h, g); ok && !c.demoted[m] && (best < 0 || r < low) {
			best, low = m, r
		}
	}
	if best < 0 {
		return
	}
	now, known := 0.0, false
	if c.served >= 0 && !c.demoted[c.served] {
		now, known = b.ratio(c.served, h, g)
	}
	switch {
	case !known:
		c.served, c.rival, c.streak = best, -1, 0
	case best == c.served || low > now*(1-margin):
		c.rival, c.streak = -1, 0
	case best != c.rival:
		c.rival, c.streak = best, 1
	default:
		if c.streak++; c.streak >= patience {
			c.served, c.rival, c.streak = best, -1, 0
		}
	}
}

// order sorts the models: the one that speaks, then by error, those without evidence as
// they were given, and last those that are demoted.
func (b *Board) order() {
	for h := range b.choices {
		for g := range b.choices[h] {
			c := &b.choices[h][g]
			rank := func(m int) (class int, ratio float64) {
				r, known := b.ratio(m, h, g)
				switch {
				case m == c.served && !c.demoted[m]:
					return 0, 0
				case c.demoted[m]:
					return 3, r
				case !known:
					return 2, 0
				}
				return 1, r
			}
			slices.SortStableFunc(c.order, func(x, y int) int {
				cx, rx := rank(x)
				cy, ry := rank(y)
				return cmp.Or(cmp.Compare(cx, cy), cmp.Compare(rx, ry), cmp.Compare(x, y))
			})
		}
	}
}
