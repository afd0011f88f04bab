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

// PutSensors keeps what is newer than what is known. The order of names spares writers
// from waiting for each other in a circle.
func (s *Store) PutSensors(ctx context.Context, hs []traffic.SensorHealth) error {
	type health = traffic.SensorHealth
	return s.call(ctx, "store sensors", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `INSERT INTO sensors AS s (sensor_id, road_id, edge_id, last_ts, interval_us, stuck_since, inconsistent, length_m, usual_length_m)
			SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::timestamptz[], $7::float8[], $8::float8[], $9::float8[])
			AS i (sensor_id, road_id, edge_id, last_ts, interval_us, stuck_since, inconsistent, length_m, usual_length_m) ORDER BY sensor_id
			ON CONFLICT (sensor_id) DO UPDATE SET road_id = excluded.road_id, edge_id = excluded.edge_id, last_ts = excluded.last_ts,
				interval_us = excluded.interval_us, stuck_since = excluded.stuck_since, inconsistent = excluded.inconsistent,
				length_m = excluded.length_m, usual_length_m = excluded.usual_length_m WHERE excluded.last_ts > s.last_ts`,
			column(hs, func(h *health) string { return row.Text(h.Sensor) }),
			column(hs, func(h *health) string { return row.Text(h.Road) }),
			column(hs, func(h *health) string { return row.Text(h.Edge) }),
			column(hs, func(h *health) time.Time { return instant(h.Last) }),
			column(hs, func(h *health) int64 { return h.Interval.Microseconds() }),
			column(hs, func(h *health) pgtype.Timestamptz { return moment(h.StuckSince) }),
			column(hs, func(h *health) float64 { return h.Inconsistent }),
			floats(hs, func(h *health) traffic.Value { return h.Length }),
			floats(hs, func(h *health) traffic.Value { return h.UsualLength }))
		return err
	})
}

// Sensors lists sensors by name.
func (s *Store) Sensors(ctx context.Context, q store.SensorQuery) ([]traffic.SensorHealth, store.Cursor, error) {
	const verb = "list sensors"
	sel := new(query).add(`SELECT * FROM (SELECT sensor_id, road_id, edge_id, last_ts, interval_us, stuck_since, inconsistent, length_m, usual_length_m,
		CASE WHEN ?::timestamptz - last_ts > greatest(?::bigint, ?::bigint * interval_us) * interval '1 microsecond' THEN 'silent'
			WHEN stuck_since IS NOT NULL THEN 'stuck'
			WHEN inconsistent > ?::float8 THEN 'inconsistent'
			WHEN length_m > usual_length_m * ?::float8 OR length_m < usual_length_m / ?::float8 THEN 'drifting'
			ELSE 'ok' END AS status FROM sensors) s WHERE true`,
		instant(q.At), traffic.MinSilence.Microseconds(), traffic.SilentIntervals, traffic.MaxInconsistent, 1+traffic.MaxDrift, 1+traffic.MaxDrift).
		when(q.Status != "", `AND status = ?`, row.Text(q.Status)).
		when(q.Road != "", `AND road_id = ?`, row.Text(q.Road)).
		when(q.Edge != "", `AND edge_id = ?`, row.Text(q.Edge))
	if q.Page.After != "" {
		var after string
		if err := q.Page.After.Parse(&after); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		sel.add(`AND sensor_id > ?`, row.Text(after))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY sensor_id LIMIT ?`, limit+1)
	var out []traffic.SensorHealth
	err := s.each(ctx, verb, sel, func(rows pgx.Rows) error {
		h, err := scanSensor(rows)
		out = append(out, h)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(h *traffic.SensorHealth) []any { return []any{h.Sensor} })
}

func scanSensor(rows pgx.Rows) (h traffic.SensorHealth, err error) {
	var sensor, road, edge, status string
	var interval int64
	var stuck *time.Time
	err = rows.Scan(&sensor, &road, &edge, &h.Last, &interval, &stuck, &h.Inconsistent, (*value)(&h.Length), (*value)(&h.UsualLength), &status)
	h.Sensor, h.Road, h.Edge, h.Last = traffic.SensorID(sensor), traffic.RoadID(road), traffic.EdgeID(edge), h.Last.UTC()
	h.Interval = time.Duration(interval) * time.Microsecond
	if stuck != nil {
		h.StuckSince = stuck.UTC()
	}
	return h, err
}
