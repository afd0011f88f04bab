// Package incident finds what looks like an accident or a closure: roads that are far more
// congested than their forecast said, together with their neighbours, for more than a
// moment.
//
//	measured ─┐
//	forecast ─┴─► out of the interval? ──► twice, and a neighbour too? ──► incident
//	                                       calm again for a while? ─────► its end
//
// A Detector sees one step after the other. Per road it keeps a few numbers, per
// incident its roads. It promises:
//
//   - One odd reading raises nothing; a road beside which others measure, too, must have
//     one of them out as well, or stay out for longer.
//   - An incident ends only after all its roads were calm, or silent, for several steps.
//     Calm means half-way back to what was forecast when it began: the forecasts
//     themselves get used to the jam.
//   - When a large part of the city is out at once, the forecast is wrong (a holiday
//     nobody told of), and nothing new is raised.
//
// It is arithmetic on roads by number. One goroutine uses a Detector. Package predictor
// is its only caller.
package incident
