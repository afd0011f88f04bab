package predictor

import (
	"math"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// silentAfter is for how long without any reading a road still gets a forecast from a
// model that needs none, such as the profile.
const silentAfter = 24 * time.Hour

// serve appends the forecasts of one boundary, by road, then by horizon: of each the one of
// the model that speaks for the road's group, or of the next one that can.
func (c *cycles) serve(rows []traffic.Prediction, at time.Time) []traffic.Prediction {
	oldest := c.memory.number(at.Add(-silentAfter))
	for _, road := range c.city.order {
		if c.memory.heard[road] < oldest {
			continue
		}
		group := int(c.city.groups[road])
		for h := range c.cfg.Horizons {
			for _, m := range c.board.Order(h, group) {
				if f, ok := c.speakers.score(m, int(road), h); ok {
					rows = append(rows, c.row(m, int(road), h, at, f))
					break
				}
			}
		}
	}
	return rows
}

// row is a model's forecast as it is stored.
func (c *cycles) row(m, road, h int, at time.Time, f evaluate.Forecast) traffic.Prediction {
	out := traffic.Prediction{
		At: at, Road: c.city.roads[road].id, HorizonMin: c.cfg.Horizons[h], Model: c.cfg.Models[m], Score: round(float64(f.Mean), 1000),
	}
	f, known := c.interval(f, m, h, int(c.city.groups[road]))
	if known {
		out.Lower = traffic.Some(math.Min(out.Score, round(float64(f.Lower), 1000)))
		out.Upper = traffic.Some(math.Max(out.Score, round(float64(f.Upper), 1000)))
	}
	if m == c.speakers.trend {
		out.Score, out.Confidence = c.speakers.levels[road*len(c.cfg.Horizons)+h], c.speakers.confidence[road]
		return out
	}
	out.Confidence = confidence(f, known)
	if v, ok := c.speakers.speed(m, road, h); ok {
		out.Speed = traffic.Some(round(v, 10))
	}
	return out
}

// interval gives a forecast without an interval the one that the model's errors tell. It is
// false when they tell nothing yet.
func (c *cycles) interval(f evaluate.Forecast, m, h, group int) (evaluate.Forecast, bool) {
	if f.Bounded() {
		return f, true
	}
	w, ok := c.board.HalfWidth(m, h, group)
	if !ok {
		return f, false
	}
	f.Lower, f.Upper = max(0, f.Mean-w), min(1, f.Mean+w)
	return f, true
}

// unsure is the confidence in a forecast whose error is not known.
const unsure = 0.3

// confidence is 1 for an interval that is a point and 0 for one that says nothing.
func confidence(f evaluate.Forecast, known bool) float64 {
	if !known {
		return unsure
	}
	return round(max(0, 1-float64(f.Upper-f.Lower)), 100)
}

func round(v, unit float64) float64 { return math.Round(v*unit) / unit }

// issue keeps all forecasts of the newest step, with their intervals, until their truth
// comes.
func (c *cycles) issue() {
	newest := c.memory.newest()
	for m := range c.cfg.Models {
		c.board.Issue(newest, m, func(road, h int) (evaluate.Forecast, bool) {
			f, ok := c.speakers.score(m, road, h)
			if !ok {
				return f, false
			}
			f, _ = c.interval(f, m, h, int(c.city.groups[road]))
			return f, true
		})
	}
}

// learn takes the steps whose grace is over for the truth.
func (c *cycles) learn() {
	newest := c.memory.newest()
	first := max(c.board.Through()+1, newest-depth+1)
	if c.board.Through() == 0 {
		first = newest - grace
	}
	for step := first; step <= newest-grace; step++ {
		if truth, ok := c.memory.at(step); ok {
			c.board.Score(step, truth)
		}
	}
}
