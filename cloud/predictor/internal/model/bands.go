package model

import (
	"math"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// calmSteps is how many of the last steps tell how restless a road is.
	calmSteps = 6
	// calmBins and moveBins are how many classes there are of restlessness, and of how
	// far a forecast is from the present value; hourBins of the time of day.
	calmBins, moveBins, hourBins = 4, 3, 4
	bandBins                     = calmBins * moveBins * hourBins
	// roadWeight is how many errors of all roads count into the mean of one.
	roadWeight = 100
	// binFewest is the least number of errors to take a quantile from.
	binFewest = 100
)

// bands are the intervals of a model: quantiles of its errors on history it was not
// trained with, by horizon, restlessness of the road, distance of the forecast from the
// present and time of day, in units of the road's mean error.
type bands struct {
	// Road is the mean error of each road, Calm and Move the edges of the classes in
	// the same unit.
	Road       []float32
	Calm, Move []float32
	// Low and High are the quantiles, [horizon][class].
	Low, High [][bandBins]float32
}

// An outcome is a forecast that was not trained on and what became of it.
type outcome struct {
	road              int32
	horizon, hour     int16
	error, calm, move float32
	mean, truth       float32
}

// restless is the range of a road's last values; 0 when there are fewer than two.
func restless(w *series.Window, road int) float32 {
	low, high := float32(math.Inf(1)), float32(math.Inf(-1))
	for k := range min(calmSteps, w.Depth()) {
		if v := w.Lag(k)[road]; !series.Missing(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	return max(0, high-low)
}

// newBands learns from outcomes; they may be of any order.
func newBands(all []outcome, roads, horizons int) *bands {
	b := &bands{Road: make([]float32, roads), Low: make([][bandBins]float32, horizons), High: make([][bandBins]float32, horizons)}
	sum, count := make([]float64, roads), make([]float64, roads)
	var total float64
	for _, o := range all {
		e := math.Abs(float64(o.error))
		sum[o.road], count[o.road], total = sum[o.road]+e, count[o.road]+1, total+e
	}
	mean := max(total/max(1, float64(len(all))), 1e-9)
	for r := range roads {
		b.Road[r] = float32((sum[r] + roadWeight*mean) / (count[r] + roadWeight))
	}
	b.Calm = edges(all, calmBins, func(o outcome) float32 { return o.calm / b.Road[o.road] })
	b.Move = edges(all, moveBins, func(o outcome) float32 { return o.move / b.Road[o.road] })
	for h := range horizons {
		b.quantiles(all, h)
	}
	return b
}

// edges are the limits between n classes of equal size.
func edges(all []outcome, n int, of func(outcome) float32) []float32 {
	values := make([]float32, len(all))
	for i, o := range all {
		values[i] = of(o)
	}
	slices.Sort(values)
	out := make([]float32, n-1)
	for i := range out {
		if len(values) > 0 {
			out[i] = values[(i+1)*len(values)/n]
		}
	}
	return out
}

// quantiles fills the classes of a horizon. A class with few errors has those of all.
func (b *bands) quantiles(all []outcome, h int) {
	var bins [bandBins][]float32
	var every []float32
	for _, o := range all {
		if int(o.horizon) == h {
			i := b.class(int(o.road), o.calm, o.move, int(o.hour))
			v := o.error / b.Road[o.road]
			bins[i], every = append(bins[i], v), append(every, v)
		}
	}
	low, high := tails(every)
	for i := range bins {
		b.Low[h][i], b.High[h][i] = low, high
		if len(bins[i]) >= binFewest {
			b.Low[h][i], b.High[h][i] = tails(bins[i])
		}
	}
}

// tails are the quantiles that leave out the uncovered share, half on either side.
func tails(v []float32) (low, high float32) {
	if len(v) == 0 {
		return 0, 0
	}
	slices.Sort(v)
	out := (1 - covered) / 2
	at := func(q float64) float32 { return v[min(len(v)-1, int(q*float64(len(v))))] }
	return min(0, at(out)), max(0, at(1-out))
}

func (b *bands) class(road int, calm, move float32, hour int) int {
	bin := func(v float32, edges []float32) int {
		n := 0
		for n < len(edges) && v/b.Road[road] >= edges[n] {
			n++
		}
		return n
	}
	return (bin(calm, b.Calm)*moveBins+bin(move, b.Move))*hourBins + hour*hourBins/24
}

// apply puts intervals around the forecasts of a batch.
func (b *bands) apply(w *series.Window, info *Info, out *Batch) {
	hours := make([]int, len(info.Horizons))
	for h, ahead := range info.Horizons {
		hours[h] = info.Calendar.Local(w.Newest().Add(time.Duration(ahead) * w.Step())).Hour()
	}
	for r := range info.Roads {
		if _, ok := out.At(r, 0); !ok {
			continue
		}
		calm := restless(w, r)
		now, known := last(w, r, min(w.Depth(), patience))
		for h := range info.Horizons {
			v, ok := out.At(r, h)
			if !ok {
				continue
			}
			i := b.class(r, calm, moved(v.Mean, now, known), hours[h])
			v.Lower, v.Upper = v.Mean+b.Road[r]*b.Low[h][i], v.Mean+b.Road[r]*b.High[h][i]
			out.set(r, h, v, &info.Quantity)
		}
	}
}

// moved is how far a forecast is from the present value, 0 when there is none.
func moved(mean, now float32, known bool) float32 {
	if !known {
		return 0
	}
	return max(mean-now, now-mean)
}
