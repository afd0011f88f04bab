// Package backtest measures forecasting models on recorded data, by the protocols of
// the field, so that figures compare with papers.
//
// It moves a window over the grid, from the first test moment to the last, and lets
// every model forecast from it: the same calls as in the live predictor. What comes
// after the window is only read to score a forecast.
//
// It promises that test values reach no statistic, no training and no choice, and that
// all models are scored on the same values: where a model has no forecast, the one of
// persistence counts for it, and how often that was is counted.
//
// It knows no file formats. cmd/backtest calls it.
package backtest
