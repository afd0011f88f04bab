package predictor

import (
	"math"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// rise and fall are how fast the free speed of a road follows speeds above and below
	// it: it ends up near the highest usual ones.
	rise = 0.2
	fall = 0.002
	// slowest is the least free speed in km/h.
	slowest = 20
	// noiseMemory is the share of the old error in its running mean.
	noiseMemory = 0.95
	// nearby is how many steps older a forecast's target may be: a road that reports every
	// ten minutes has none for every second step.
	nearby = 2
)

// levels measure how much slower than free each road is, which is what incidents are
// looked for in. Score v1 is no good for that: it rises with the flow, and a blocked road
// has none. A road of which only the occupancy is measured has that as its level; one of
// which only the flow is measured has none.
type levels struct {
	// free is the free speed of each road in km/h, 0 before the first speed, and noise the
	// running mean of how far its level is from what was forecast.
	free, noise []float32
	now         []float32
	// ahead is the speeds forecast for the next steps, a ring by step.
	ahead []aheadRow
}

type aheadRow struct {
	step   int64
	speeds []float32
}

func newLevels(steps int) *levels { return &levels{ahead: make([]aheadRow, steps+1+nearby)} }

// measure takes in a slot and returns the level of each road, NaN where there is none.
func (l *levels) measure(s *slot, roads int) []float32 {
	for len(l.free) < roads {
		l.free, l.noise, l.now = append(l.free, 0), append(l.noise, 0.05), append(l.now, 0)
	}
	for i := range l.now {
		l.now[i] = series.NaN()
	}
	for _, e := range s.entries {
		if series.Missing(e.speed) {
			l.now[e.road] = e.occupied
			continue
		}
		free := &l.free[e.road]
		switch {
		case *free == 0:
			*free = e.speed
		case e.speed > *free:
			*free += rise * (e.speed - *free)
		default:
			*free += fall * (e.speed - *free)
		}
		l.now[e.road] = l.of(e.road, e.speed)
	}
	return l.now
}

func (l *levels) of(road int32, speed float32) float32 {
	return min(1, max(0, 1-speed/max(slowest, l.free[road])))
}

// keep remembers the speeds that were forecast for a step.
func (l *levels) keep(step int64, roads int, speed func(road int) (float64, bool)) {
	r := &l.ahead[step%int64(len(l.ahead))]
	r.step = step
	if cap(r.speeds) < roads {
		r.speeds = make([]float32, roads)
	}
	r.speeds = r.speeds[:roads]
	for i := range r.speeds {
		r.speeds[i] = series.NaN()
		if v, ok := speed(i); ok {
			r.speeds[i] = float32(v)
		}
	}
}

// foretold is the speed that was forecast for a step, or for one of those just before it.
func (l *levels) foretold(step int64, road int) (float32, bool) {
	for s := step; s >= max(0, step-nearby); s-- {
		r := &l.ahead[s%int64(len(l.ahead))]
		if r.step == s && road < len(r.speeds) && !series.Missing(r.speeds[road]) {
			return r.speeds[road], true
		}
	}
	return 0, false
}

// expected is the level that was forecast for a step, with what its usual error makes of
// it. It is false when no speed was forecast.
func (l *levels) expected(step int64, road int) (evaluate.Forecast, bool) {
	speed, ok := l.foretold(step, road)
	if !ok || l.free[road] == 0 {
		return evaluate.Forecast{}, false
	}
	mean := l.of(int32(road), speed)
	width := l.noise[road] * float32(math.Log(5)) // see evaluate.Board.HalfWidth
	if !series.Missing(l.now[road]) {
		off := min(0.3, float32(math.Abs(float64(l.now[road]-mean))))
		l.noise[road] = noiseMemory*l.noise[road] + (1-noiseMemory)*off
	}
	return evaluate.Forecast{Mean: mean, Lower: max(0, mean-width), Upper: min(1, mean+width)}, true
}
