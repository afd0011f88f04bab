// Package evaluate scores forecasts when their truth arrives, and says which model may
// speak.
//
//	Issue: forecasts of a cycle ──► pending, by target ──┐
//	Score: what was measured ────────────────────────────┴─► sums by model, horizon and
//	                                                         group, which fade ──► Judge
//
// A Board keeps, for each road, horizon and model, the forecasts whose target is still
// to come: 6 bytes each, as many as the horizon has steps, so memory does not grow with
// history. The sums are a few hundred numbers; they fade with a half-life, so they tell of
// about the last day.
//
// It promises:
//
//   - A target is counted once, in the order of event time. Some steps of grace pass
//     before, so that readings which come late count as truth.
//   - Skill compares on the forecasts that both made, so a model is not better because
//     it is silent on difficult roads.
//   - A model that loses to a baseline by more than a margin is demoted and does not speak
//     for that horizon and group until it wins by the margin. The one that speaks changes
//     only after another was better for several cycles on end: nothing flaps.
//   - Without enough evidence about a group, that about all roads decides; without any,
//     the order in which the models were given.
//
// It knows neither stores nor models, only numbers from 0 to 1. One goroutine uses a
// Board. Package predictor is its only caller.
package evaluate
