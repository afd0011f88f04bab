package model

import "github.com/2zrhun/city-flow/cloud/predictor/internal/series"

// A Value is a forecast with its 80 % interval: Lower ≤ Mean ≤ Upper, all finite.
type Value struct{ Mean, Lower, Upper float32 }

// A Batch is the forecasts of one moment, roads × horizons. It is made once and filled
// again every cycle; it takes 13 bytes per forecast.
type Batch struct {
	horizons int
	values   []Value
	there    []bool
}

// NewBatch makes an empty batch.
func NewBatch(roads, horizons int) *Batch {
	n := roads * horizons
	return &Batch{horizons: max(1, horizons), values: make([]Value, n), there: make([]bool, n)}
}

// Roads is the number of rows.
func (b *Batch) Roads() int { return len(b.values) / b.horizons }

// Horizons is the number of columns.
func (b *Batch) Horizons() int { return b.horizons }

// At is the forecast of a road at the horizon of that index. It is false when there is
// none.
func (b *Batch) At(road, horizon int) (Value, bool) {
	i := road*b.horizons + horizon
	return b.values[i], b.there[i]
}

// Clear takes every forecast away.
func (b *Batch) Clear() { clear(b.there) }

// set puts a forecast within the bounds of q. One that is not finite is left out. It
// is safe for several goroutines as long as they set different roads.
func (b *Batch) set(road, horizon int, v Value, q *series.Quantity) {
	if series.Missing(v.Mean) {
		return
	}
	v.Mean = bound(v.Mean, q)
	if series.Missing(v.Lower) {
		v.Lower = v.Mean
	}
	if series.Missing(v.Upper) {
		v.Upper = v.Mean
	}
	v.Lower = min(v.Mean, bound(v.Lower, q))
	v.Upper = max(v.Mean, bound(v.Upper, q))
	i := road*b.horizons + horizon
	b.values[i], b.there[i] = v, true
}

func bound(v float32, q *series.Quantity) float32 { return min(max(v, q.Min), q.Max) }
