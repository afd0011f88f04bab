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

const readingColumns = `r.ts, r.sensor_id, r.road_id, r.speed_kmh, r.flow_rate, r.occupancy, r.score, r.quality, r.edge_id`

func scanReading(rows *sql.Rows, r *traffic.Reading) error {
	// Plain types, because database/sql takes ours through reflection and decimal digits.
	var ts, quality int64
	err := rows.Scan(&ts, (*string)(&r.Sensor), (*string)(&r.Road), (*value)(&r.Speed), (*value)(&r.Flow), (*value)(&r.Occupancy),
		(*value)(&r.Score), &quality, (*string)(&r.Edge))
	r.At, r.Quality = row.Time(ts), traffic.Quality(quality)
	return err
}

// Readings lists a road's readings: newest first, then by sensor.
func (s *Store) Readings(ctx context.Context, q store.ReadingQuery) ([]traffic.Reading, store.Cursor, error) {
	lo, hi := row.Range(q.From, q.To)
	limit := row.Limit(q.Page)
	var ts int64
	var sensor string
	if q.Page.After != "" {
		if err := q.Page.After.Parse(&ts, &sensor); err != nil {
			return nil, "", fmt.Errorf("list readings: %w", err)
		}
		hi = min(hi, ts+1)
	}
	if lo >= hi {
		return nil, "", nil
	}
	road := row.Text(q.Road)
	sel := new(query).
		add(`SELECT `+readingColumns+` FROM traffic_slots t CROSS JOIN road_sensors p CROSS JOIN traffic_raw r
			ON r.slot = t.slot AND r.sensor_id = p.sensor_id
			WHERE t.slot BETWEEN ? AND ? AND p.road_id = ? AND r.road_id = ? AND r.ts >= ? AND r.ts < ?`,
			slot(lo), slot(hi-1), road, road, lo, hi).
		when(q.Page.After != "", `AND (r.ts < ? OR r.sensor_id > ?)`, ts, row.Text(sensor)).
		add(`ORDER BY t.slot DESC, r.ts DESC, r.sensor_id LIMIT ?`, limit+1)
	var out []traffic.Reading
	err := s.each(ctx, "list readings", sel, func(rows *sql.Rows) error {
		var r traffic.Reading
		err := scanReading(rows, &r)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(r *traffic.Reading) []any { return []any{row.Micros(r.At), r.Sensor} })
}

// Latest lists the newest state of each road, by road.
func (s *Store) Latest(ctx context.Context, f store.RoadFilter, p store.Page) ([]traffic.RoadState, store.Cursor, error) {
	sel := new(query).add(`SELECT ` + readingColumns + ` FROM road_latest r`)
	if f.BBox != nil {
		sel.add(`JOIN roads g ON g.road_id = r.road_id`)
	}
	if err := filterRoads(sel, "r", "g", f, p); err != nil {
		return nil, "", fmt.Errorf("list latest states: %w", err)
	}
	limit := row.Limit(p)
	sel.add(`ORDER BY r.road_id LIMIT ?`, limit+1)
	var out []traffic.RoadState
	err := s.each(ctx, "list latest states", sel, func(rows *sql.Rows) error {
		var r traffic.RoadState
		err := scanReading(rows, &r.Reading)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(r *traffic.RoadState) []any { return []any{r.Road} })
}

// Watermark is the newest event time that is not after limit.
func (s *Store) Watermark(ctx context.Context, limit time.Time) (time.Time, error) {
	most := row.Micros(limit)
	return s.edge(ctx, "find newest reading",
		new(query).add(`SELECT slot, last_ts, first_ts FROM traffic_slots WHERE slot <= ? AND level = 0 ORDER BY slot DESC LIMIT 2`, slot(most)),
		func(at int64) bool { return at <= most },
		`SELECT max(ts) FROM traffic_raw WHERE slot = ? AND ts <= ?`, most)
}

// FirstSince is the oldest event time that is not before from.
func (s *Store) FirstSince(ctx context.Context, from time.Time) (time.Time, error) {
	least, _ := row.Range(from, time.Time{})
	if from.IsZero() {
		least = math.MinInt64
	}
	return s.edge(ctx, "find oldest reading",
		new(query).add(`SELECT slot, first_ts, last_ts FROM traffic_slots WHERE slot >= ? AND level = 0 ORDER BY slot LIMIT 2`, slot(least)),
		func(at int64) bool { return at >= least },
		`SELECT min(ts) FROM traffic_raw WHERE slot = ? AND ts >= ?`, least)
}

// edge finds the outermost time that is within a bound. The slots come nearest to
// the bound first, each with its outer and its inner time; only a slot that the
// bound cuts through has to be searched.
func (s *Store) edge(ctx context.Context, verb string, slots *query, within func(int64) bool, inSlot string, bound int64) (time.Time, error) {
	type span struct{ slot, outer, inner int64 }
	var spans []span
	err := s.each(ctx, verb, slots, func(rows *sql.Rows) error {
		var b span
		err := rows.Scan(&b.slot, &b.outer, &b.inner)
		spans = append(spans, b)
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	for _, b := range spans {
		if within(b.outer) {
			return row.Time(b.outer), nil
		}
		if !within(b.inner) {
			continue
		}
		var at int64
		err := s.each(ctx, verb, new(query).add(inSlot, b.slot, bound), func(rows *sql.Rows) error { return rows.Scan(&at) })
		return row.Time(at), err
	}
	return time.Time{}, nil
}
