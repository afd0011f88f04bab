// Package series holds measurements the way models want them: a grid of equal steps
// of event time by roads, in float32, with NaN where nothing was measured.
//
// Three nouns:
//
//   - A Grid is a stretch of history: what a model is trained on.
//   - A Window is the last few steps of all roads: what a model forecasts from. It is
//     the whole state of a live predictor, O(depth) per road, and moves on by one row
//     per step; back-tests move the same Window over a Grid.
//   - A Graph says which roads are neighbours; a Calendar which moments resemble each
//     other.
//
// It promises that a Window never shows a value that was not pushed before, and that
// values which are not finite come out as NaN, whatever went in. Rows are shared with
// the caller, never copied on reading; who reads them must not write.
//
// It knows no store, no model and no clock. Packages model and backtest and the
// predictor itself call it.
package series
