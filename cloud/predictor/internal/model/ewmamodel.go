package model

import (
	"context"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// EWMA trains ewma-lr-v2 as a Model, to be measured beside the others. What it
// forecasts is a score; other quantities are turned into one and back:
//
//	score   as it is
//	speed   1 − speed / the highest speed of the road in the history
//	flow    flow / the highest flow of the road in the history
//
// The definition's v1 score of a speed alone is 1 − speed/90 km/h; with 90 km/h for
// every road it would cut off most of a motorway, so the road's own highest speed is
// kinder to the model. Everything else is the definition, to the rounding of scores to
// 3 decimals. A bucket is a step.
type EWMA struct{}

// ewmaBuckets is how many steps it looks back on.
const ewmaBuckets = 6

// Name is EWMALR.
func (EWMA) Name() string { return EWMALR }

// Train never finds the history too short.
func (EWMA) Train(_ context.Context, h History, o Options) (Model, error) {
	info, err := begin(EWMALR, h, &o)
	if err != nil {
		return nil, err
	}
	info.Depth = ewmaBuckets
	m := &ewmaModel{Head: info, Highest: make([]float32, len(info.Roads))}
	for t := range h.Grid.Steps() {
		for r, v := range h.Grid.Row(t) {
			if !series.Missing(v) {
				m.Highest[r] = max(m.Highest[r], v)
			}
		}
	}
	return m, nil
}

type ewmaModel struct {
	Head    Info
	Highest []float32
}

// Info says what the model is.
func (m *ewmaModel) Info() Info { return m.Head }

// Forecast says nothing about a road without a value among the last buckets.
func (m *ewmaModel) Forecast(w *series.Window, out *Batch) error {
	if err := m.Head.check(w, out); err != nil {
		return err
	}
	out.Clear()
	step := w.Step().Minutes()
	hour := m.Head.Calendar.Local(w.Newest().Add(w.Step())).Hour()
	var fitter Fitter
	points := make([]Point, 0, ewmaBuckets)
	for r := range m.Head.Roads {
		points = points[:0]
		for k := ewmaBuckets - 1; k >= 0; k-- {
			if v := w.Lag(k)[r]; !series.Missing(v) {
				points = append(points, Point{Minute: float64(ewmaBuckets-1-k) * step, Score: m.score(r, v), Samples: 1})
			}
		}
		trend, ok := fitter.Fit(points)
		if !ok {
			continue
		}
		for h, ahead := range m.Head.Horizons {
			v := m.value(r, trend.Score(float64(ewmaBuckets+ahead)*step, hour))
			out.set(r, h, Value{v, v, v}, &m.Head.Quantity)
		}
	}
	return nil
}

func (m *ewmaModel) score(road int, v float32) float64 {
	top := float64(m.Highest[road])
	switch {
	case m.Head.Quantity.Name == "score":
		return float64(v)
	case top <= 0:
		return 0
	case m.Head.Quantity.Name == "speed":
		return min(1, max(0, 1-float64(v)/top))
	}
	return min(1, max(0, float64(v)/top))
}

func (m *ewmaModel) value(road int, score float64) float32 {
	switch m.Head.Quantity.Name {
	case "score":
		return float32(score)
	case "speed":
		return float32((1 - score) * float64(m.Highest[road]))
	}
	return float32(score * float64(m.Highest[road]))
}

// Weeks trains the model that says a moment is like the mean of the same moment in so
// many last weeks: 1 is "last-week", 4 is "four-weeks". It is for measuring: a window
// of weeks is too much memory for a city in steps of minutes.
type Weeks int

// Names of the models of Weeks.
const (
	LastWeekName  = "last-week"
	FourWeeksName = "four-weeks"
)

// Name is LastWeekName for one week, FourWeeksName for more.
func (n Weeks) Name() string {
	if n == 1 {
		return LastWeekName
	}
	return FourWeeksName
}

// Train never finds the history too short.
func (n Weeks) Train(_ context.Context, h History, o Options) (Model, error) {
	info, err := begin(n.Name(), h, &o)
	if err != nil {
		return nil, err
	}
	info.Depth = int(n)*int(7*series.Day/info.Step) + 1
	return &weeksModel{Head: info, Weeks: int(n)}, nil
}

type weeksModel struct {
	Head  Info
	Weeks int
}

// Info says what the model is.
func (m *weeksModel) Info() Info { return m.Head }

// Forecast says nothing about a road that was not measured in any of the weeks.
func (m *weeksModel) Forecast(w *series.Window, out *Batch) error {
	if err := m.Head.check(w, out); err != nil {
		return err
	}
	out.Clear()
	week := int(7 * series.Day / w.Step())
	for h, ahead := range m.Head.Horizons {
		for r := range m.Head.Roads {
			var sum, count float32
			for k := 1; k <= m.Weeks; k++ {
				if v := w.Lag(k*week - ahead)[r]; !series.Missing(v) {
					sum, count = sum+v, count+1
				}
			}
			v := sum / count
			out.set(r, h, Value{v, v, v}, &m.Head.Quantity)
		}
	}
	return nil
}
