package export

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// prediction is a row of an export of predictions.
type prediction struct {
	TS         time.Time `csv:"ts" json:"ts" parquet:"ts,timestamp(microsecond)"`
	Target     time.Time `csv:"target_ts" json:"target_ts" parquet:"target_ts,timestamp(microsecond)"`
	Road       string    `csv:"road_id" json:"road_id" parquet:"road_id,dict"`
	Horizon    int32     `csv:"horizon_min" json:"horizon_min" parquet:"horizon_min"`
	Score      float64   `csv:"congestion_score" json:"congestion_score" parquet:"congestion_score"`
	Confidence float64   `csv:"confidence" json:"confidence" parquet:"confidence"`
	Model      string    `csv:"model_version" json:"model_version" parquet:"model_version,dict"`
	Speed      *float64  `csv:"speed_kmh" json:"speed_kmh,omitempty" parquet:"speed_kmh,optional"`
	Lower      *float64  `csv:"lower" json:"lower,omitempty" parquet:"lower,optional"`
	Upper      *float64  `csv:"upper" json:"upper,omitempty" parquet:"upper,optional"`
}

// Forecasts lists predictions a page at a time, as every store does.
type Forecasts interface {
	Predictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error)
}

// Predictions writes the predictions whose At is in a window, newest first, and returns
// how many there were. On an error w holds the beginning of a file and no end.
func Predictions(ctx context.Context, w io.Writer, f Format, from Forecasts, win Window) (rows int, err error) {
	t, err := newTable[prediction](w, f, win.Places)
	if err != nil {
		return 0, err
	}
	piece := make([]prediction, 0, store.ScanPiece)
	q := store.PredictionQuery{From: win.From, To: win.To, Page: store.Page{Limit: store.ScanPiece}}
	for {
		ps, next, err := from.Predictions(ctx, q)
		if err != nil {
			return rows, fmt.Errorf("export predictions: %w", err)
		}
		piece = piece[:0]
		for i := range ps {
			if win.wants(ps[i].Road) {
				piece = append(piece, predictionOf(&ps[i]))
			}
		}
		rows += len(piece)
		if err := t.write(piece); err != nil {
			return rows, err
		}
		win.report(rows)
		if q.Page.After = next; next == "" {
			return rows, t.close()
		}
	}
}

func predictionOf(p *traffic.Prediction) prediction {
	return prediction{
		TS: p.At.UTC(), Target: p.Target().UTC(), Road: string(p.Road), Horizon: int32(p.HorizonMin),
		Score: p.Score, Confidence: p.Confidence, Model: p.Model,
		Speed: optional(p.Speed), Lower: optional(p.Lower), Upper: optional(p.Upper),
	}
}
