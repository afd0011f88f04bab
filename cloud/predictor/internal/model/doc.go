// Package model holds the forecasting models behind one small interface.
//
//	History ──► Trainer.Train ──► Model ──► Save ──► file ──► Load ──► Model
//	Window (the last Depth steps) ──► Model.Forecast ──► Batch (roads × horizons)
//
// A horizon is counted in steps: horizon k is the value of the step that begins k
// steps after the newest one of the window.
//
// It promises:
//
//   - A model sees the Window and nothing else, so what it says about a moment cannot
//     depend on what came later. The back-test and the live predictor call the same
//     Forecast.
//   - A Batch never holds a value that is not finite or out of the bounds of the
//     quantity. A road without a forecast has none, and the caller goes down its list
//     of models; Persistence is the last, it needs one value in its window.
//   - The same history, options and seed give the same model, on any number of cores.
//   - A file of another format version, another graph or another step, and one that
//     was cut off or changed, is refused with an error that names the difference.
//
// It is arithmetic: it knows neither stores nor clocks. The predictor feeds it, and
// cmd/backtest measures it. ewma-lr-v2, the seed's model, stays exactly as it was: a
// Fitter of its own for the live predictor, and a Model around it for measuring.
package model
