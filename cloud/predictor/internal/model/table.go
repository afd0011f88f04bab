package model

import (
	"math"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// minSlot is the shortest slot of the day: with shorter steps several share one,
	// and values in between are interpolated.
	minSlot = 30 * time.Minute
	// weeklyFrom is how long a history must be to tell the days of the week apart, and
	// kindsFrom to tell weekends from other days.
	weeklyFrom = 14 * series.Day
	kindsFrom  = 3 * series.Day
	// towardsDay and towardsWeek are the weights, in days, of the coarser mean in a
	// finer one: the mean of the road in that of a slot, and that of the slot over all
	// days in that of one kind of day.
	towardsDay  = 0.25
	towardsWeek = 1.0
)

// layout says which slot of a table a moment is in.
type layout struct {
	// Slots is the number of slots in a day.
	Slots int
	// Kinds is how many kinds of days are told apart: 1, 2 (weekends) or 7.
	Kinds int
}

func newLayout(g *series.Grid) layout {
	span := g.Time(g.Steps()).Sub(g.Start)
	l := layout{Slots: int(series.Day / max(g.Step, minSlot)), Kinds: 1}
	switch {
	case span >= weeklyFrom:
		l.Kinds = 7
	case span >= kindsFrom && !g.Calendar.NoDates:
		l.Kinds = 2
	}
	return l
}

// at is the two slots around the middle of the step at t and the weight of the second.
func (l layout) at(c *series.Calendar, t time.Time, step time.Duration) (a, b int, second float32) {
	weekday, clock := c.Slot(t)
	x := float64(clock+step/2)/float64(series.Day)*float64(l.Slots) - 0.5
	low := math.Floor(x)
	kind := func(slot int) int {
		day := (weekday + 7) % 7
		switch {
		case slot < 0:
			day, slot = (weekday+6)%7, slot+l.Slots
		case slot >= l.Slots:
			day, slot = (weekday+1)%7, slot-l.Slots
		}
		return l.kind(c, day)*l.Slots + slot
	}
	return kind(int(low)), kind(int(low) + 1), float32(x - low)
}

func (l layout) kind(c *series.Calendar, weekday int) int {
	switch {
	case l.Kinds == 7:
		return weekday
	case l.Kinds == 2 && c.Weekend(weekday):
		return 1
	}
	return 0
}

// A table is the means of all roads by slot.
type table struct {
	Layout layout
	Roads  int
	// Means are [kind·Slots+slot][road]; NaN where a road has no history at all.
	Means []float32
}

// row fills dst with the means at the step that begins at t.
func (m *table) row(dst []float32, c *series.Calendar, t time.Time, step time.Duration) {
	i, j, second := m.Layout.at(c, t, step)
	a := m.Means[i*m.Roads : (i+1)*m.Roads]
	b := m.Means[j*m.Roads : (j+1)*m.Roads]
	for r := range dst {
		dst[r] = a[r] + second*(b[r]-a[r])
	}
}

// sums is what a table is made of; days can be taken out and put back.
type sums struct {
	grid   *series.Grid
	layout layout
	// sum and days are [kind·Slots+slot][road]; a value counts as the share of a day
	// that a step is of a slot.
	sum, days []float32
}

func newSums(g *series.Grid) *sums {
	l := newLayout(g)
	n := l.Kinds * l.Slots * len(g.Roads)
	s := &sums{grid: g, layout: l, sum: make([]float32, n), days: make([]float32, n)}
	s.add(0, g.Steps(), 1)
	return s
}

// add counts the steps [from, to) with a weight: 1 to put them in, -1 to take them out.
func (s *sums) add(from, to int, weight float32) {
	n := len(s.grid.Roads)
	share := weight * min(1, float32(s.grid.Step)/float32(minSlot))
	for step := from; step < to; step++ {
		a, b, second := s.layout.at(&s.grid.Calendar, s.grid.Time(step), s.grid.Step)
		for r, v := range s.grid.Row(step) {
			if series.Missing(v) {
				continue
			}
			s.sum[a*n+r] += share * (1 - second) * v
			s.days[a*n+r] += share * (1 - second)
			s.sum[b*n+r] += share * second * v
			s.days[b*n+r] += share * second
		}
	}
}

// table is the means, finer ones drawn towards coarser ones where there is little.
func (s *sums) table() *table {
	n, slots := len(s.grid.Roads), s.layout.Slots
	t := &table{Layout: s.layout, Roads: n, Means: make([]float32, len(s.sum))}
	for r := range n {
		var sum, days float32
		for i := r; i < len(s.sum); i += n {
			sum, days = sum+s.sum[i], days+s.days[i]
		}
		road := sum / days // NaN without any value
		for slot := range slots {
			var sum, days float32
			for k := range s.layout.Kinds {
				i := (k*slots+slot)*n + r
				sum, days = sum+s.sum[i], days+s.days[i]
			}
			day := (sum + towardsDay*road) / (days + towardsDay)
			for k := range s.layout.Kinds {
				i := (k*slots+slot)*n + r
				t.Means[i] = (s.sum[i] + towardsWeek*day) / (s.days[i] + towardsWeek)
			}
		}
	}
	return t
}
