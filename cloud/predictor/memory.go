package predictor

import (
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// depth is how many steps are remembered: what models look back on.
const depth = 24

// A slot is the buckets of one step.
type slot struct {
	start   time.Time
	samples int64
	entries []entry
}

// An entry is one road's bucket.
type entry struct {
	road    int32
	samples int64
	score   float64
	speed   float32
	// occupied is the score of a road of which only the occupancy is measured, else NaN.
	occupied float32
}

// slots sorts buckets, which are ordered by road, then start, into steps. Roads of other
// shards are left out.
func (c *city) slots(buckets []traffic.Bucket) []slot {
	var out []slot
	index := map[int64]int{}
	for i := range buckets {
		b := &buckets[i]
		v, ok := score.V1(b.Speed, b.Occupancy, b.Flow)
		if !ok {
			continue // no reading is without any quantity
		}
		n := c.number(b.Road)
		if n < 0 {
			continue
		}
		k, ok := index[b.Start.Unix()]
		if !ok {
			k = len(out)
			index[b.Start.Unix()] = k
			out = append(out, slot{start: b.Start})
		}
		s := &out[k]
		s.samples += b.Samples
		e := entry{n, b.Samples, v, float32(b.Speed.Or(float64(series.NaN()))), series.NaN()}
		if !b.Speed.Known() && !b.Flow.Known() {
			e.occupied = float32(v)
		}
		s.entries = append(s.entries, e)
	}
	slices.SortFunc(out, func(a, b slot) int { return a.start.Compare(b.start) })
	return out
}

// memory is the last steps of all roads: all that models see. It is O(1) per road.
type memory struct {
	step time.Duration
	// scores and speeds are v1 scores and km/h.
	scores, speeds *series.Window
	// trend is the last steps as ewma-lr-v2 wants them, a ring by step.
	trend []trendRow
	// heard is the last step with a reading, by road.
	heard []int64
	row   []float32
}

type trendRow struct {
	step  int64
	cells []trendCell
}

// A trendCell without samples is empty.
type trendCell struct {
	score   float64
	samples int64
}

func newMemory(cfg *Config) *memory {
	return &memory{
		step: cfg.Step, trend: make([]trendRow, int(cfg.Lookback/cfg.Step)),
		scores: series.NewWindow(0, depth, cfg.Step), speeds: series.NewWindow(0, depth, cfg.Step),
	}
}

// number is the number of the step that begins at t.
func (m *memory) number(t time.Time) int64 { return t.Unix() / int64(m.step/time.Second) }

// newest is the newest step, 0 when there is none.
func (m *memory) newest() int64 {
	if m.scores.Newest().IsZero() {
		return 0
	}
	return m.number(m.scores.Newest())
}

// grow makes room for so many roads. Those that were there keep their past.
func (m *memory) grow(roads int) {
	old := m.scores.Roads()
	if roads <= old {
		return
	}
	from := make([]int32, roads)
	for i := range from {
		from[i] = int32(i)
		if i >= old {
			from[i] = -1
		}
	}
	m.scores, m.speeds = m.scores.Gather(from, depth), m.speeds.Gather(from, depth)
	m.heard = append(m.heard, make([]int64, roads-old)...)
	m.row = make([]float32, roads)
	for i := range m.trend {
		m.trend[i].cells = append(m.trend[i].cells, make([]trendCell, roads-len(m.trend[i].cells))...)
	}
}

// push remembers a step. One that was pushed before is replaced.
func (m *memory) push(s *slot) error {
	step := m.number(s.start)
	t := &m.trend[step%int64(len(m.trend))]
	t.step = step
	clear(t.cells)
	for _, e := range s.entries {
		t.cells[e.road] = trendCell{e.score, e.samples}
		m.heard[e.road] = max(m.heard[e.road], step)
	}
	for _, channel := range []struct {
		window *series.Window
		value  func(*entry) float32
	}{
		{m.scores, func(e *entry) float32 { return float32(e.score) }},
		{m.speeds, func(e *entry) float32 { return e.speed }},
	} {
		for i := range m.row {
			m.row[i] = series.NaN()
		}
		for i := range s.entries {
			m.row[s.entries[i].road] = channel.value(&s.entries[i])
		}
		if _, err := channel.window.Push(s.start, m.row); err != nil {
			return fmt.Errorf("remember step: %w", err)
		}
	}
	return nil
}

// points are the last steps of a road, up to newest, for ewma-lr-v2. They share the
// memory of buf.
func (m *memory) points(buf []model.Point, road int, newest int64) []model.Point {
	out, n := buf[:0], len(m.trend)
	for i := range n {
		step := newest - int64(n-1-i)
		if step < 0 {
			continue
		}
		t := &m.trend[step%int64(n)]
		if t.step != step || t.cells[road].samples == 0 {
			continue
		}
		c := t.cells[road]
		out = append(out, model.Point{Minute: (time.Duration(i) * m.step).Minutes(), Score: c.score, Samples: c.samples})
	}
	return out
}

// at is the row of a step; false when it is not remembered.
func (m *memory) at(step int64) ([]float32, bool) {
	back := m.newest() - step
	if back < 0 || back >= depth {
		return nil, false
	}
	return m.scores.Lag(int(back)), true
}
