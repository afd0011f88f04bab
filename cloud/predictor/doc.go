// Package predictor forecasts the congestion of every road, some minutes to an hour
// ahead.
//
// It works in event time. Every five minutes of the readings' own time there is a
// boundary; the cycle of boundary B predicts from the readings in [B−30 min, B), and
// runs once the watermark (the newest event time in the store) has reached B:
//
//	     ◄──────── lookback ────────►
//	─────┬────┬────┬────┬────┬────┬────┬─────► event time
//	                     └────┘    B    ▲
//	                    a bucket        watermark
//
// It promises:
//
//   - Every boundary runs whose bucket (the five minutes before it) holds data, in
//     order, none skipped, so a recorded day gives the same predictions at any speed.
//     Stretches without data cost nothing.
//   - The boundary after the watermark runs early when no news came for a while, and
//     again when its time has come: the newest readings are never left without a
//     forecast.
//   - Readings that come late count in every later cycle, and the last few cycles are
//     run again when their buckets have grown. Older cycles stay as they were.
//   - After a restart it goes on where the stored predictions end.
//   - While the store is gone it keeps trying, and Ready says so.
//
// Nothing is kept in memory between cycles except the position and the sizes of the
// last few buckets: the store is the state. News on the bus only says when to look.
// Who reads the predictions is none of this package's business; the rerouter and the
// API do. The callers are cmd/predictor and the standalone binary.
package predictor
