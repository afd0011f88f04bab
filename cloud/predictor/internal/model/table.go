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
	towardsWeek = 0.3
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

// A place is the two slots around the middle of a step.
type place struct {
	// a and b index a table, and second is the weight of b.
	a, b   int
	second float32
	// onA and onB number the same slots without repeating: slots since 1970.
	onA, onB int
}

// at is the place of the step that begins at t.
func (l layout) at(c *series.Calendar, t time.Time, step time.Duration) place {
	weekday, clock := c.Slot(t)
	x := float64(clock+step/2)/float64(series.Day)*float64(l.Slots) - 0.5
	low := int(math.Floor(x))
	y, m, d := c.Local(t).Date()
	today := int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86400) * l.Slots
	index := func(slot int) int {
		day := weekday
		switch {
		case slot < 0:
			day, slot = (weekday+6)%7, slot+l.Slots
		case slot >= l.Slots:
			day, slot = (weekday+1)%7, slot-l.Slots
		}
		return l.kind(c, day)*l.Slots + slot
	}
	return place{a: index(low), b: index(low + 1), second: float32(x - float64(low)), onA: today + low, onB: today + low + 1}
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
	p := m.Layout.at(c, t, step)
	second := p.second
	a := m.Means[p.a*m.Roads : (p.a+1)*m.Roads]
	b := m.Means[p.b*m.Roads : (p.b+1)*m.Roads]
	for r := range dst {
		dst[r] = a[r] + second*(b[r]-a[r])
	}
}

// sums is what a table is made of.
type sums struct {
	grid   *series.Grid
	layout layout
	// all are by kind and slot, slots by slot over all kinds; own is by slot since
	// the one numbered first, each once.
	all, slots, own tally
	first           int
	// roads are the means of all values of a road; NaN without any.
	roads []float32
}

// A tally is sums and counts, [slot][road]. A count of 1 is a whole slot.
type tally struct{ sum, days []float32 }

func newTally(n int) tally { return tally{make([]float32, n), make([]float32, n)} }

func (t *tally) add(i int, v, share float32) {
	t.sum[i] += share * v
	t.days[i] += share
}

func newSums(g *series.Grid) *sums {
	l, n, c := newLayout(g), len(g.Roads), &g.Calendar
	s := &sums{grid: g, layout: l, all: newTally(l.Kinds * l.Slots * n), slots: newTally(l.Slots * n)}
	s.first = l.at(c, g.Start, g.Step).onA - l.Slots
	last := l.at(c, g.Time(g.Steps()), g.Step).onB + l.Slots
	s.own = newTally((last - s.first + 1) * n)
	share := min(1, float32(g.Step)/float32(minSlot))
	for step := range g.Steps() {
		p := l.at(c, g.Time(step), g.Step)
		for r, v := range g.Row(step) {
			if series.Missing(v) {
				continue
			}
			s.add(p.a, p.onA, r, v, share*(1-p.second))
			s.add(p.b, p.onB, r, v, share*p.second)
		}
	}
	s.means()
	return s
}

func (s *sums) add(slot, on, road int, v, share float32) {
	n := len(s.grid.Roads)
	s.all.add(slot*n+road, v, share)
	s.slots.add(slot%s.layout.Slots*n+road, v, share)
	s.own.add((on-s.first)*n+road, v, share)
}

func (s *sums) means() {
	n := len(s.grid.Roads)
	s.roads = make([]float32, n)
	for r := range n {
		var sum, days float32
		for i := r; i < len(s.slots.sum); i += n {
			sum, days = sum+s.slots.sum[i], days+s.slots.days[i]
		}
		s.roads[r] = sum / days
	}
}

// mean is the mean of a slot, drawn towards coarser ones where there is little. The
// slot numbered without does not count; -1 is none.
func (s *sums) mean(slot, without, road int) float32 {
	n := len(s.grid.Roads)
	i, j := slot*n+road, slot%s.layout.Slots*n+road
	sum, days, daySum, dayDays := s.all.sum[i], s.all.days[i], s.slots.sum[j], s.slots.days[j]
	if k := (without-s.first)*n + road; without >= s.first && k < len(s.own.sum) {
		own, count := s.own.sum[k], s.own.days[k]
		sum, days, daySum, dayDays = sum-own, max(0, days-count), daySum-own, max(0, dayDays-count)
	}
	day := (daySum + towardsDay*s.roads[road]) / (dayDays + towardsDay)
	return (sum + towardsWeek*day) / (days + towardsWeek)
}

// table is the means of all slots.
func (s *sums) table() *table {
	n := len(s.grid.Roads)
	t := &table{Layout: s.layout, Roads: n, Means: make([]float32, len(s.all.sum))}
	for i := range t.Means {
		t.Means[i] = s.mean(i/n, -1, i%n)
	}
	return t
}

// without fills dst with the means at the step that begins at t, as they would be
// without what was measured then.
func (s *sums) without(dst []float32, t time.Time) {
	p := s.layout.at(&s.grid.Calendar, t, s.grid.Step)
	for r := range dst {
		a, b := s.mean(p.a, p.onA, r), s.mean(p.b, p.onB, r)
		dst[r] = a + p.second*(b-a)
	}
}
