package backtest

import (
	"math"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
)

// Errors are sums over forecasts.
type Errors struct {
	Count, Covered           int
	Absolute, Square, Signed float64
	// Share is the sum of errors relative to truths that are not 0; Shares counts them.
	Share  float64
	Shares int
	// Width is the sum of the widths of intervals.
	Width float64
}

func (e *Errors) add(v model.Value, truth float32) {
	d := float64(v.Mean) - float64(truth)
	e.Count++
	e.Absolute += math.Abs(d)
	e.Square += d * d
	e.Signed += d
	if truth != 0 {
		e.Share += math.Abs(d / float64(truth))
		e.Shares++
	}
	if v.Lower <= truth && truth <= v.Upper {
		e.Covered++
	}
	e.Width += float64(v.Upper) - float64(v.Lower)
}

// MAE is the mean absolute error; NaN without forecasts, like the others.
func (e *Errors) MAE() float64 { return e.Absolute / float64(e.Count) }

// RMSE is the root of the mean square error.
func (e *Errors) RMSE() float64 { return math.Sqrt(e.Square / float64(e.Count)) }

// MAPE is the mean absolute error in percent of truths that are not 0.
func (e *Errors) MAPE() float64 { return 100 * e.Share / float64(e.Shares) }

// Bias is the mean error: above 0 when forecasts are too high.
func (e *Errors) Bias() float64 { return e.Signed / float64(e.Count) }

// Coverage is the percentage of truths within their interval.
func (e *Errors) Coverage() float64 { return 100 * float64(e.Covered) / float64(e.Count) }

// MeanWidth is the mean width of an interval.
func (e *Errors) MeanWidth() float64 { return e.Width / float64(e.Count) }
