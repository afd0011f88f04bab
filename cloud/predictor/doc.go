// Package predictor forecasts the congestion of every road, some minutes to an hour
// ahead, and measures how well it does.
//
// It works in event time. Every five minutes of the readings' own time there is a
// boundary; the cycle of boundary B predicts from the readings before B, and runs once
// the watermark (the newest event time in the store) has reached B:
//
//	     ◄──────── memory ──────────►
//	─────┬────┬────┬────┬────┬────┬────┬─────► event time
//	                     └────┘    B    ▲
//	                    a bucket        watermark
//
//	bucket ─► memory ─► models, side by side ─► who speaks? ─► store, bus
//	   └────► truth of older forecasts ─► evaluate ─┘
//	   └────► out of its interval? ─► incident ─► alerts
//	history, at night ─► training ─► models
//
// It promises:
//
//   - Every boundary runs whose bucket (the five minutes before it) holds data, in
//     order, none skipped. Stretches without data cost nothing.
//   - The boundary after the watermark runs early when no news came for a while, and
//     again when its time has come: the newest readings are never left without a
//     forecast.
//   - Readings that come late count in every later cycle, and the last few cycles are
//     run again when their buckets have grown. Older cycles stay as they were.
//   - Of each road and horizon one forecast is stored, that of the model that speaks for
//     roads of its class, or of the next one that can; it names the model. All models
//     are scored all the same, when their truth has come. A model that loses to
//     a baseline loses the word by itself.
//   - Nothing in memory grows with history: per road the last steps, the forecasts whose
//     truth is to come, and a few numbers. A cycle reads new buckets only (and the watched
//     ones), and makes one call to the store for its predictions.
//   - After a restart it goes on where the stored predictions end; what memory held is
//     read from the store, what was found out about the models too.
//   - Training never holds up a cycle. A new model takes over only when it is not worse than
//     the one in force on the last day. With the same models, a recorded day gives the
//     same predictions at any speed.
//   - While the store is gone it keeps trying, and Ready says so.
//
// Several predictors may share the roads (Config.Shards); each sees only its own.
// News on the bus only says when to look. Who reads the predictions is none of this
// package's business; the rerouter and the API do. The callers are cmd/predictor and the
// standalone binary.
package predictor
