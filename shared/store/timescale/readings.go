package timescale

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const readingColumns = `r.ts, r.sensor_id, r.road_id, r.speed_kmh, r.flow_rate, r.occupancy, r.score, r.quality, r.edge_id`

func scanReading(rows pgx.Rows, r *traffic.Reading) error {
	var sensor, road, edge string
	var quality int64
	err := rows.Scan(&r.At, &sensor, &road, (*value)(&r.Speed), (*value)(&r.Flow), (*value)(&r.Occupancy), (*value)(&r.Score), &quality, &edge)
	r.At, r.Quality = r.At.UTC(), traffic.Quality(quality)
	r.Sensor, r.Road, r.Edge = traffic.SensorID(sensor), traffic.RoadID(road), traffic.EdgeID(edge)
	return err
}

// Readings lists a road's readings: newest first, then by sensor.
func (s *Store) Readings(ctx context.Context, q store.ReadingQuery) ([]traffic.Reading, store.Cursor, error) {
	lo, hi := bounds(q.From, q.To)
	limit := row.Limit(q.Page)
	// Of each sensor of the road as many as may be needed, and of those the newest.
	sel := new(query).add(`SELECT `+readingColumns+` FROM road_sensors p CROSS JOIN LATERAL (
		SELECT * FROM traffic_raw r WHERE r.sensor_id = p.sensor_id AND r.road_id = ? AND r.ts >= ? AND r.ts < ?`, row.Text(q.Road), lo, hi)
	if q.Page.After != "" {
		var us int64
		var sensor string
		if err := q.Page.After.Parse(&us, &sensor); err != nil {
			return nil, "", fmt.Errorf("list readings: %w", err)
		}
		at := row.Time(us)
		sel.add(`AND r.ts <= ? AND (r.ts < ? OR r.sensor_id > ?)`, at, at, row.Text(sensor))
	}
	sel.add(`ORDER BY r.ts DESC LIMIT ?) r WHERE p.road_id = ? ORDER BY r.ts DESC, r.sensor_id LIMIT ?`, limit+1, row.Text(q.Road), limit+1)
	var out []traffic.Reading
	err := s.each(ctx, "list readings", sel, func(rows pgx.Rows) error {
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

// Watermark is the newest event time that is not after limit. Only a block of time
// that the limit cuts through has to be searched.
func (s *Store) Watermark(ctx context.Context, limit time.Time) (time.Time, error) {
	most := row.Time(row.Micros(limit))
	return s.moment(ctx, "find newest reading", new(query).add(`
		SELECT CASE WHEN last_ts <= ? THEN last_ts ELSE (SELECT max(r.ts) FROM traffic_raw r WHERE r.ts >= t.slot AND r.ts <= ?) END
		FROM traffic_slots t WHERE slot <= ? AND first_ts <= ? AND level = 0 ORDER BY slot DESC LIMIT 1`, most, most, most, most))
}

// FirstSince is the oldest event time that is not before from.
func (s *Store) FirstSince(ctx context.Context, from time.Time) (time.Time, error) {
	least, _ := bounds(from, time.Time{})
	return s.moment(ctx, "find oldest reading", new(query).add(`
		SELECT CASE WHEN first_ts >= ? THEN first_ts ELSE (SELECT min(r.ts) FROM traffic_raw r WHERE r.ts >= ? AND r.ts < t.slot + INTERVAL '5 minutes') END
		FROM traffic_slots t WHERE slot > ?::timestamptz - INTERVAL '5 minutes' AND last_ts >= ? AND level = 0 ORDER BY slot LIMIT 1`, least, least, least, least))
}

// moment reads the one time that a query finds, zero when it finds none.
func (s *Store) moment(ctx context.Context, verb string, sel *query) (time.Time, error) {
	var at *time.Time
	err := s.each(ctx, verb, sel, func(rows pgx.Rows) error { return rows.Scan(&at) })
	if err != nil || at == nil {
		return time.Time{}, err
	}
	return at.UTC(), nil
}

// Rejected lists what was refused, in the reverse order of its arrival.
func (s *Store) Rejected(ctx context.Context, p store.Page) ([]traffic.Rejected, store.Cursor, error) {
	limit := row.Limit(p)
	var after int64
	if p.After != "" {
		if err := p.After.Parse(&after); err != nil {
			return nil, "", fmt.Errorf("list rejected messages: %w", err)
		}
	}
	sel := new(query).add(`SELECT id, ts, edge_id, origin, payload, reason, detail FROM rejected`).
		when(p.After != "", `WHERE id < ?`, after).
		add(`ORDER BY id DESC LIMIT ?`, limit+1)
	var out []traffic.Rejected
	err := s.each(ctx, "list rejected messages", sel, func(rows pgx.Rows) error {
		var r traffic.Rejected
		var id int64
		var edge, reason string
		err := rows.Scan(&id, &r.At, &edge, &r.Origin, &r.Payload, &reason, &r.Detail)
		r.ID, r.At, r.Edge, r.Reason = strconv.FormatInt(id, 10), r.At.UTC(), traffic.EdgeID(edge), traffic.Reason(reason)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	// The key is a number in the cursor; an id that the store made is one.
	return row.Cut(out, limit, func(r *traffic.Rejected) []any {
		id, _ := strconv.ParseInt(r.ID, 10, 64)
		return []any{id}
	})
}
