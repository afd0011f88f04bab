package model

import (
	"math"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// covered is the share of truths that an interval should hold.
	covered = 0.8
	// widthRate is how fast widths move: a step in which twice as many truths fell out
	// as should moves the logarithm by that much.
	widthRate = 0.05
	// widest bounds the factor and its inverse.
	widest = 4.0
)

// Widths keeps the intervals of one model honest while it runs: one factor per
// horizon and side that grows after steps in which too many truths fell out on that
// side. Its state is two numbers per horizon. It is for one goroutine.
type Widths struct {
	// lower and upper are logarithms of the factors.
	lower, upper []float64
}

// NewWidths begins with factors of 1.
func NewWidths(horizons int) *Widths {
	return &Widths{make([]float64, horizons), make([]float64, horizons)}
}

// Observe tells what became of the forecasts of one moment at the horizon of that
// index. b are the intervals as they were given out, truth the values of all roads.
func (w *Widths) Observe(horizon int, b *Batch, truth []float32) {
	var below, above, count float64
	for road, t := range truth {
		v, ok := b.At(road, horizon)
		if !ok || series.Missing(t) {
			continue
		}
		count++
		if t < v.Lower {
			below++
		}
		if t > v.Upper {
			above++
		}
	}
	w.Count(horizon, below, above, count)
}

// Count is Observe for who has counted already: how many truths fell below and above
// their interval, out of count.
func (w *Widths) Count(horizon int, below, above, count float64) {
	if count == 0 {
		return
	}
	// A step with few truths tells little.
	rate := widthRate * count / (count + 20)
	limit := math.Log(widest)
	move := func(v *float64, share float64) {
		*v = min(limit, max(-limit, *v+rate*(share-(1-covered)/2)/((1-covered)/2)))
	}
	move(&w.lower[horizon], below/count)
	move(&w.upper[horizon], above/count)
}

// Apply widens or narrows the intervals of a batch, within the bounds of q.
func (w *Widths) Apply(b *Batch, q series.Quantity) {
	for h := range b.horizons {
		low, high := float32(math.Exp(w.lower[h])), float32(math.Exp(w.upper[h]))
		for i := h; i < len(b.values); i += b.horizons {
			v := &b.values[i]
			v.Lower = bound(v.Mean-low*(v.Mean-v.Lower), &q)
			v.Upper = bound(v.Mean+high*(v.Upper-v.Mean), &q)
		}
	}
}
