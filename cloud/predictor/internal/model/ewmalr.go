package model

import (
	"math"

	"gonum.org/v1/gonum/stat"
)

// EWMALR is the name of the model in predictions.
const EWMALR = "ewma-lr-v2"

const (
	// alpha is the share of the extrapolated score in the blend with the current one.
	alpha = 0.7
	// enoughSamples is how many readings in the window give full confidence.
	enoughSamples = 50.0
	// steepness is how much confidence a slope of one score per minute costs.
	steepness = 10.0
	// minStability bounds that cost from below.
	minStability = 0.3
	// loneStability is the stability of a trend with a single bucket.
	loneStability = 0.5
)

// A Point is the score of one bucket of a road.
type Point struct {
	// Minute is the begin of the bucket in minutes after the begin of the window.
	Minute float64
	// Score is the v1 score of the bucket's averages, 0 to 1.
	Score float64
	// Samples counts the readings in the bucket.
	Samples int64
}

// A Trend is what ewma-lr-v2 knows of a road at one moment: a line through the scores
// of the last buckets.
type Trend struct {
	slope, intercept float64
	current          float64
	lone             bool
	confidence       float64
}

// A Fitter fits trends, one after the other; it keeps memory between them.
type Fitter struct {
	xs, ys []float64
}

// Fit draws the line through the points, which are in order of time. It is false
// when there is none.
func (f *Fitter) Fit(points []Point) (Trend, bool) {
	if len(points) == 0 {
		return Trend{}, false
	}
	f.xs, f.ys = f.xs[:0], f.ys[:0]
	var samples int64
	for _, p := range points {
		f.xs, f.ys = append(f.xs, p.Minute), append(f.ys, p.Score)
		samples += p.Samples
	}
	t := Trend{current: f.ys[len(f.ys)-1], lone: len(points) == 1}
	stability := loneStability
	if !t.lone {
		t.intercept, t.slope = stat.LinearRegression(f.xs, f.ys, nil, false)
		stability = max(minStability, 1-float64(math.Abs(t.slope)*steepness))
	}
	t.confidence = round(min(1, float64(samples)/enoughSamples)*stability, 100)
	return t, true
}

// Score is the predicted score, 0 to 1 with 3 decimals. minute is the predicted moment
// in minutes after the begin of the window, hour the city's local hour in which the
// prediction is made.
func (t Trend) Score(minute float64, hour int) float64 {
	blended := t.current
	if !t.lone {
		blended = ewma(float64(t.slope*minute)+t.intercept, t.current, alpha)
	}
	return round(min(1, max(0, blended*rushFactor(hour))), 1000)
}

// Confidence is 0 to 1 with 2 decimals, the same for every horizon.
func (t Trend) Confidence() float64 { return t.confidence }

// ewma blends as the seed did, to the last bit: 1-alpha is computed at run time, because
// the constant 1-0.7 is another number, and no product is fused with the sum.
func ewma(predicted, current, alpha float64) float64 {
	return float64(alpha*predicted) + float64((1-alpha)*current)
}

// rushFactor weighs the hours of the day: rush from 7 to 9 and 17 to 19, night from 21
// to 6.
func rushFactor(hour int) float64 {
	switch {
	case hour >= 7 && hour < 9, hour >= 17 && hour < 19:
		return 1.15
	case hour >= 21, hour < 6:
		return 0.85
	}
	return 1
}

func round(v, unit float64) float64 { return math.Round(v*unit) / unit }
