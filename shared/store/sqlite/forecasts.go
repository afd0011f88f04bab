package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const predictionColumns = `p.ts, p.road_id, p.horizon_min, p.model_version, p.congestion_score, p.confidence, p.speed_kmh, p.lower, p.upper`

func scanPrediction(rows *sql.Rows, p *traffic.Prediction) error {
	var ts int64
	err := rows.Scan(&ts, &p.Road, &p.HorizonMin, &p.Model, &p.Score, &p.Confidence, (*value)(&p.Speed), (*value)(&p.Lower), (*value)(&p.Upper))
	p.At = row.Time(ts)
	return err
}

// kind is what there is one newest prediction of.
type kind struct {
	road    string
	horizon int64
	model   string
}

// cycle is one time of one model and horizon.
type cycle struct {
	model   string
	horizon int64
	ts      int64
}

// PutPredictions stores predictions; one that exists is replaced.
func (s *Store) PutPredictions(ctx context.Context, ps []traffic.Prediction) error {
	ps, err := row.Predictions(ps)
	if err != nil {
		return fmt.Errorf("store predictions: %w", err)
	}
	if len(ps) == 0 {
		return nil
	}
	cycles, newest := summarize(ps)
	return s.write(ctx, "store predictions", func(ctx context.Context, w *writer) error {
		_, err := w.bulk(`INSERT OR REPLACE INTO predictions (ts, road_id, horizon_min, model_version, congestion_score, confidence, speed_kmh, lower, upper)`, 9, "").
			insert(ctx, len(ps), func(args []any, i int) []any {
				p := &ps[i]
				return append(args, row.Micros(p.At), string(p.Road), int64(p.HorizonMin), p.Model, p.Score, p.Confidence,
					optional(p.Speed), optional(p.Lower), optional(p.Upper))
			})
		if err != nil {
			return err
		}
		_, err = w.bulk(`INSERT INTO predictions_latest (road_id, horizon_min, model_version, ts)`, 4,
			`ON CONFLICT DO UPDATE SET ts = excluded.ts WHERE excluded.ts > ts`).
			insert(ctx, len(newest), func(args []any, i int) []any {
				p := newest[i]
				return append(args, string(p.Road), int64(p.HorizonMin), p.Model, row.Micros(p.At))
			})
		if err != nil {
			return err
		}
		_, err = w.bulk(`INSERT INTO prediction_cycles (model_version, horizon_min, ts)`, 3, `ON CONFLICT DO NOTHING`).
			insert(ctx, len(cycles), func(args []any, i int) []any {
				return append(args, cycles[i].model, cycles[i].horizon, cycles[i].ts)
			})
		return err
	})
}

// summarize returns the cycles that sorted predictions belong to, and the newest
// prediction of each kind.
func summarize(ps []traffic.Prediction) (cycles []cycle, newest []*traffic.Prediction) {
	seen := map[cycle]bool{}
	for i := range ps {
		p := &ps[i]
		c := cycle{p.Model, int64(p.HorizonMin), row.Micros(p.At)}
		if !seen[c] {
			seen[c] = true
			cycles = append(cycles, c)
		}
	}
	if ps[0].At.Equal(ps[len(ps)-1].At) { // one cycle, so each is the newest
		newest = make([]*traffic.Prediction, len(ps))
		for i := range ps {
			newest[i] = &ps[i]
		}
		return cycles, newest
	}
	place := map[kind]int{}
	for i := range ps { // oldest first
		p := &ps[i]
		k := kind{string(p.Road), int64(p.HorizonMin), p.Model}
		if at, ok := place[k]; ok {
			newest[at] = p
			continue
		}
		place[k] = len(newest)
		newest = append(newest, p)
	}
	return cycles, newest
}

// filterPredictions adds what both lists narrow by; t is the table that has the
// columns of the key.
func filterPredictions(sel *query, t string, q store.PredictionQuery) {
	sel.when(q.HorizonMin != 0, `AND `+t+`.horizon_min = ?`, q.HorizonMin).
		when(q.Model != "", `AND `+t+`.model_version = ?`, row.Text(q.Model))
}

// LatestPredictions lists the newest prediction of each kind among those asked for.
func (s *Store) LatestPredictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error) {
	const verb = "list latest predictions"
	lo, hi := row.Range(q.From, q.To)
	sel := new(query).add(`SELECT ` + predictionColumns + ` FROM predictions_latest l CROSS JOIN predictions p
		ON p.road_id = l.road_id AND p.horizon_min = l.horizon_min AND p.model_version = l.model_version`)
	if hi == math.MaxInt64 {
		sel.add(`AND p.ts = l.ts WHERE l.ts >= ?`, lo)
	} else {
		// As of a time in the past: walk back from it.
		sel.add(`AND p.ts = CASE WHEN l.ts < ? THEN l.ts ELSE (SELECT c.ts FROM prediction_cycles c
			WHERE c.model_version = l.model_version AND c.horizon_min = l.horizon_min AND c.ts < ? AND c.ts >= ?
			AND EXISTS (SELECT 1 FROM predictions x WHERE x.ts = c.ts AND x.road_id = l.road_id
				AND x.horizon_min = l.horizon_min AND x.model_version = l.model_version)
			ORDER BY c.ts DESC LIMIT 1) END WHERE p.ts >= ?`, hi, hi, lo, lo)
	}
	roads, err := list(q.Roads)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", verb, err)
	}
	sel.when(q.Roads != nil, `AND l.road_id IN (SELECT value FROM json_each(?))`, roads)
	filterPredictions(sel, "l", q)
	if q.Page.After != "" {
		var k kind
		if err := q.Page.After.Parse(&k.road, &k.horizon, &k.model); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		sel.add(`AND (l.road_id, l.horizon_min, l.model_version) > (?, ?, ?)`, row.Text(k.road), k.horizon, row.Text(k.model))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY l.road_id, l.horizon_min, l.model_version LIMIT ?`, limit+1)
	out, err := s.predictions(ctx, verb, sel)
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(p *traffic.Prediction) []any { return []any{p.Road, p.HorizonMin, p.Model} })
}

func (s *Store) predictions(ctx context.Context, verb string, sel *query) ([]traffic.Prediction, error) {
	var out []traffic.Prediction
	err := s.each(ctx, verb, sel, func(rows *sql.Rows) error {
		var p traffic.Prediction
		err := scanPrediction(rows, &p)
		out = append(out, p)
		return err
	})
	return out, err
}

// predictionPlace is the cursor of Predictions.
type predictionPlace struct {
	ts int64
	kind
}

// Predictions lists predictions: newest first, then by road, horizon and model.
func (s *Store) Predictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error) {
	const verb = "list predictions"
	var after *predictionPlace
	if q.Page.After != "" {
		after = &predictionPlace{}
		if err := q.Page.After.Parse(&after.ts, &after.road, &after.horizon, &after.model); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
	}
	limit := row.Limit(q.Page)
	read := s.predictionsByCycle
	if q.Roads != nil {
		read = s.predictionsByRoad
	}
	out, err := read(ctx, q, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", verb, err)
	}
	return row.Cut(out, limit, func(p *traffic.Prediction) []any { return []any{row.Micros(p.At), p.Road, p.HorizonMin, p.Model} })
}

// predictionsByRoad looks each road up in each cycle.
func (s *Store) predictionsByRoad(ctx context.Context, q store.PredictionQuery, after *predictionPlace, n int) ([]traffic.Prediction, error) {
	roads, err := list(q.Roads)
	if err != nil {
		return nil, err
	}
	lo, hi := cycleRange(q, after)
	sel := new(query).add(`SELECT `+predictionColumns+` FROM prediction_cycles c CROSS JOIN (SELECT DISTINCT value AS road_id FROM json_each(?)) j
		CROSS JOIN predictions p ON p.ts = c.ts AND p.road_id = j.road_id AND p.horizon_min = c.horizon_min AND p.model_version = c.model_version
		WHERE c.ts >= ? AND c.ts < ?`, roads, lo, hi)
	filterPredictions(sel, "c", q)
	if after != nil {
		sel.add(`AND (p.ts < ? OR (p.road_id, p.horizon_min, p.model_version) > (?, ?, ?))`, after.ts, row.Text(after.road), after.horizon, row.Text(after.model))
	}
	sel.add(`ORDER BY c.ts DESC, p.road_id, p.horizon_min, p.model_version LIMIT ?`, n)
	return s.predictions(ctx, "by road", sel)
}

// predictionsByCycle reads cycle after cycle: within one, the rows are in order.
func (s *Store) predictionsByCycle(ctx context.Context, q store.PredictionQuery, after *predictionPlace, n int) ([]traffic.Prediction, error) {
	var out []traffic.Prediction
	for len(out) < n {
		lo, hi := cycleRange(q, after)
		next := new(query).add(`SELECT c.ts FROM prediction_cycles c WHERE c.ts >= ? AND c.ts < ?`, lo, hi)
		filterPredictions(next, "c", q)
		next.add(`ORDER BY c.ts DESC LIMIT 1`)
		var ts int64
		found := false
		err := s.each(ctx, "find cycle", next, func(rows *sql.Rows) error { found = true; return rows.Scan(&ts) })
		if err != nil || !found {
			return out, err
		}
		sel := new(query).add(`SELECT `+predictionColumns+` FROM predictions p WHERE p.ts = ?`, ts)
		filterPredictions(sel, "p", q)
		if after != nil && ts == after.ts {
			sel.add(`AND (p.road_id, p.horizon_min, p.model_version) > (?, ?, ?)`, row.Text(after.road), after.horizon, row.Text(after.model))
		}
		sel.add(`ORDER BY p.road_id, p.horizon_min, p.model_version LIMIT ?`, n-len(out))
		part, err := s.predictions(ctx, "read cycle", sel)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
		q.To, after = row.Time(ts), nil // go on before this cycle
	}
	return out, nil
}

// cycleRange bounds the times of the cycles that are still to be read.
func cycleRange(q store.PredictionQuery, after *predictionPlace) (lo, hi int64) {
	lo, hi = row.Range(q.From, q.To)
	if after != nil && after.ts < hi {
		hi = after.ts + 1
	}
	return lo, hi
}

// LastCycle is the newest time at which a model spoke, zero when it never did.
func (s *Store) LastCycle(ctx context.Context, model string) (time.Time, error) {
	var ts sql.NullInt64
	sel := new(query).add(`SELECT max(ts) FROM prediction_cycles WHERE model_version = ?`, row.Text(model))
	err := s.each(ctx, "find last cycle", sel, func(rows *sql.Rows) error { return rows.Scan(&ts) })
	if err != nil || !ts.Valid {
		return time.Time{}, err
	}
	return row.Time(ts.Int64), nil
}
