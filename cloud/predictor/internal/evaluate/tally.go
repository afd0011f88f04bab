package evaluate

import (
	"math"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An outcome is one forecast beside its truth.
type outcome struct {
	err                        float64
	bounded, covered           bool
	persistence, profile       float64
	hasPersistence, hasProfile bool
}

// A tally is sums over outcomes.
type tally struct {
	weight, absErr, err  float64
	intervals, covered   float64
	persistence, profile traffic.Duel
}

func (t *tally) add(o outcome) {
	size := math.Abs(o.err)
	t.weight, t.absErr, t.err = t.weight+1, t.absErr+size, t.err+o.err
	if o.bounded {
		t.intervals++
		if o.covered {
			t.covered++
		}
	}
	if o.hasPersistence {
		fight(&t.persistence, size, o.persistence)
	}
	if o.hasProfile {
		fight(&t.profile, size, o.profile)
	}
}

func fight(d *traffic.Duel, own, other float64) {
	d.Weight, d.Own, d.Other = d.Weight+1, d.Own+own, d.Other+other
}

func (t *tally) scale(f float64) {
	t.weight, t.absErr, t.err = t.weight*f, t.absErr*f, t.err*f
	t.intervals, t.covered = t.intervals*f, t.covered*f
	for _, d := range []*traffic.Duel{&t.persistence, &t.profile} {
		d.Weight, d.Own, d.Other = d.Weight*f, d.Own*f, d.Other*f
	}
}

func (t *tally) skill() traffic.Skill {
	return traffic.Skill{
		Weight: t.weight, AbsErr: t.absErr, Err: t.err, Intervals: t.intervals, Covered: t.covered,
		Persistence: t.persistence, Profile: t.profile,
	}
}

func (t *tally) take(s *traffic.Skill) {
	*t = tally{
		weight: s.Weight, absErr: s.AbsErr, err: s.Err, intervals: s.Intervals, covered: s.Covered,
		persistence: s.Persistence, profile: s.Profile,
	}
}

func (t *tally) merge(o *tally) {
	s, other := t.skill(), o.skill()
	s.Add(&other)
	t.take(&s)
}
