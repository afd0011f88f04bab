package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// putPredictions stores predictions, the newest of each kind once more, and the
// cycles they belong to. Rows are locked in the order of their keys.
const putPredictions = `
WITH input AS (
	SELECT ts, road_id COLLATE "C" AS road_id, horizon_min, model_version COLLATE "C" AS model_version,
		congestion_score, confidence, speed_kmh, lower, upper
	FROM unnest($1::timestamptz[], $2::text[], $3::int[], $4::text[], $5::float8[], $6::float8[], $7::float8[], $8::float8[], $9::float8[])
	AS i (ts, road_id, horizon_min, model_version, congestion_score, confidence, speed_kmh, lower, upper)
), stored AS (
	INSERT INTO predictions (ts, road_id, horizon_min, model_version, congestion_score, confidence, speed_kmh, lower, upper)
	SELECT * FROM input
	ON CONFLICT (ts, road_id, horizon_min, model_version) DO UPDATE SET congestion_score = excluded.congestion_score,
		confidence = excluded.confidence, speed_kmh = excluded.speed_kmh, lower = excluded.lower, upper = excluded.upper
), newest AS (
	INSERT INTO predictions_latest AS l (ts, road_id, horizon_min, model_version, congestion_score, confidence, speed_kmh, lower, upper)
	SELECT DISTINCT ON (road_id, horizon_min, model_version) * FROM input ORDER BY road_id, horizon_min, model_version, ts DESC
	ON CONFLICT (road_id, horizon_min, model_version) DO UPDATE SET ts = excluded.ts, congestion_score = excluded.congestion_score,
		confidence = excluded.confidence, speed_kmh = excluded.speed_kmh, lower = excluded.lower, upper = excluded.upper
	WHERE excluded.ts >= l.ts
)
INSERT INTO prediction_cycles (model_version, ts, horizon_min)
SELECT DISTINCT model_version, ts, horizon_min FROM input ORDER BY model_version, ts, horizon_min
ON CONFLICT DO NOTHING`

// PutPredictions stores predictions; one that exists is replaced.
func (s *Store) PutPredictions(ctx context.Context, ps []traffic.Prediction) error {
	ps, err := row.Predictions(ps)
	if err != nil {
		return fmt.Errorf("store predictions: %w", err)
	}
	if len(ps) == 0 {
		return nil
	}
	type prediction = traffic.Prediction
	args := []any{
		column(ps, func(p *prediction) time.Time { return row.Time(row.Micros(p.At)) }),
		column(ps, func(p *prediction) string { return string(p.Road) }),
		column(ps, func(p *prediction) int32 { return int32(p.HorizonMin) }),
		column(ps, func(p *prediction) string { return p.Model }),
		column(ps, func(p *prediction) float64 { return p.Score }),
		column(ps, func(p *prediction) float64 { return p.Confidence }),
		floats(ps, func(p *prediction) traffic.Value { return p.Speed }),
		floats(ps, func(p *prediction) traffic.Value { return p.Lower }),
		floats(ps, func(p *prediction) traffic.Value { return p.Upper }),
	}
	days := daysOf(ps, func(p *prediction) int64 { return row.Micros(p.At) })
	return s.call(ctx, "store predictions", func(ctx context.Context) error {
		return s.inRoom(ctx, &s.forecasts, days, func() error {
			_, err := s.pool.Exec(ctx, putPredictions, args...)
			return err
		})
	})
}

const predictionColumns = `p.ts, p.road_id, p.horizon_min, p.model_version, p.congestion_score, p.confidence, p.speed_kmh, p.lower, p.upper`

func (s *Store) predictions(ctx context.Context, verb string, sel *query) ([]traffic.Prediction, error) {
	var out []traffic.Prediction
	err := s.each(ctx, verb, sel, func(rows pgx.Rows) error {
		var p traffic.Prediction
		var road string
		err := rows.Scan(&p.At, &road, &p.HorizonMin, &p.Model, &p.Score, &p.Confidence, (*value)(&p.Speed), (*value)(&p.Lower), (*value)(&p.Upper))
		p.At, p.Road = p.At.UTC(), traffic.RoadID(road)
		out = append(out, p)
		return err
	})
	return out, err
}

// filterPredictions narrows by the kinds in table t.
func filterPredictions(sel *query, t string, q store.PredictionQuery) {
	sel.when(q.HorizonMin != 0, `AND `+t+`.horizon_min = ?`, q.HorizonMin).
		when(q.Model != "", `AND `+t+`.model_version = ?`, row.Text(q.Model))
}

// LatestPredictions lists the newest prediction of each kind among those asked for.
func (s *Store) LatestPredictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error) {
	const verb = "list latest predictions"
	lo, hi := bounds(q.From, q.To)
	sel := new(query)
	if hi.InfinityModifier == pgtype.Infinity {
		sel.add(`SELECT `+predictionColumns+` FROM predictions_latest p WHERE p.ts >= ?`, lo)
	} else {
		// As of a time in the past: of each kind that there is, the newest before it.
		sel.add(`SELECT `+predictionColumns+` FROM predictions_latest l CROSS JOIN LATERAL (
			SELECT * FROM predictions x WHERE x.road_id = l.road_id AND x.horizon_min = l.horizon_min AND x.model_version = l.model_version
				AND x.ts >= ? AND x.ts < ? ORDER BY x.ts DESC LIMIT 1) p WHERE true`, lo, hi)
	}
	sel.when(q.Roads != nil, `AND p.road_id = ANY(?)`, row.IDs(q.Roads))
	filterPredictions(sel, "p", q)
	if q.Page.After != "" {
		var road, model string
		var horizon int
		if err := q.Page.After.Parse(&road, &horizon, &model); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		sel.add(`AND (p.road_id, p.horizon_min, p.model_version) > (?, ?, ?)`, row.Text(road), horizon, row.Text(model))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY p.road_id, p.horizon_min, p.model_version LIMIT ?`, limit+1)
	out, err := s.predictions(ctx, verb, sel)
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(p *traffic.Prediction) []any { return []any{p.Road, p.HorizonMin, p.Model} })
}

// Predictions lists predictions: newest first, then by road, horizon and model.
func (s *Store) Predictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error) {
	const verb = "list predictions"
	lo, hi := bounds(q.From, q.To)
	sel := new(query).add(`SELECT `+predictionColumns+` FROM predictions p WHERE p.ts >= ? AND p.ts < ?`, lo, hi).
		when(q.Roads != nil, `AND p.road_id = ANY(?)`, row.IDs(q.Roads))
	filterPredictions(sel, "p", q)
	if q.Model != "" || q.HorizonMin != 0 {
		// Begin where the model last spoke, not at the end of all that others said.
		sel.add(`AND p.ts <= (SELECT max(c.ts) FROM prediction_cycles c WHERE c.ts >= ? AND c.ts < ?`, lo, hi)
		filterPredictions(sel, "c", q)
		sel.add(`)`)
	}
	if q.Page.After != "" {
		var us int64
		var road, model string
		var horizon int
		if err := q.Page.After.Parse(&us, &road, &horizon, &model); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		at := row.Time(us)
		sel.add(`AND p.ts <= ? AND (p.ts < ? OR (p.road_id, p.horizon_min, p.model_version) > (?, ?, ?))`, at, at, row.Text(road), horizon, row.Text(model))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY p.ts DESC, p.road_id, p.horizon_min, p.model_version LIMIT ?`, limit+1)
	out, err := s.predictions(ctx, verb, sel)
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(p *traffic.Prediction) []any { return []any{row.Micros(p.At), p.Road, p.HorizonMin, p.Model} })
}

// LastCycle is the newest time at which a model spoke, zero when it never did.
func (s *Store) LastCycle(ctx context.Context, model string) (time.Time, error) {
	return s.moment(ctx, "find last cycle",
		new(query).add(`SELECT max(ts) FROM prediction_cycles WHERE model_version = ?`, row.Text(model)))
}
