package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// PutSensors keeps what is newer than what is known.
func (s *Store) PutSensors(ctx context.Context, hs []traffic.SensorHealth) error {
	return s.write(ctx, "store sensors", func(ctx context.Context, w *writer) error {
		_, err := w.bulk(`INSERT INTO sensors (sensor_id, road_id, edge_id, last_ts, interval_us, stuck_since, inconsistent, length_m, usual_length_m)`, 9,
			`ON CONFLICT DO UPDATE SET road_id = excluded.road_id, edge_id = excluded.edge_id, last_ts = excluded.last_ts,
				interval_us = excluded.interval_us, stuck_since = excluded.stuck_since, inconsistent = excluded.inconsistent,
				length_m = excluded.length_m, usual_length_m = excluded.usual_length_m WHERE excluded.last_ts > last_ts`).
			insert(ctx, len(hs), func(args []any, i int) []any {
				h := &hs[i]
				return append(args, row.Text(h.Sensor), row.Text(h.Road), row.Text(h.Edge), row.Micros(h.Last), h.Interval.Microseconds(),
					moment(h.StuckSince), h.Inconsistent, optional(h.Length), optional(h.UsualLength))
			})
		return err
	})
}

// Sensors lists sensors by name.
func (s *Store) Sensors(ctx context.Context, q store.SensorQuery) ([]traffic.SensorHealth, store.Cursor, error) {
	const verb = "list sensors"
	sel := new(query).add(`SELECT * FROM (SELECT sensor_id, road_id, edge_id, last_ts, interval_us, stuck_since, inconsistent, length_m, usual_length_m,
		CASE WHEN ? - last_ts > max(?, ? * interval_us) THEN 'silent'
			WHEN stuck_since IS NOT NULL THEN 'stuck'
			WHEN inconsistent > ? THEN 'inconsistent'
			WHEN length_m > usual_length_m * ? OR length_m < usual_length_m / ? THEN 'drifting'
			ELSE 'ok' END AS status FROM sensors) WHERE true`,
		row.Micros(q.At), traffic.MinSilence.Microseconds(), traffic.SilentIntervals, traffic.MaxInconsistent, 1+traffic.MaxDrift, 1+traffic.MaxDrift).
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
	err := s.each(ctx, verb, sel, func(rows *sql.Rows) error {
		h, err := scanSensor(rows)
		out = append(out, h)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(h *traffic.SensorHealth) []any { return []any{h.Sensor} })
}

func scanSensor(rows *sql.Rows) (h traffic.SensorHealth, err error) {
	var last, interval int64
	var stuck sql.NullInt64
	var status string
	err = rows.Scan(&h.Sensor, &h.Road, &h.Edge, &last, &interval, &stuck, &h.Inconsistent, (*value)(&h.Length), (*value)(&h.UsualLength), &status)
	h.Last, h.Interval = row.Time(last), time.Duration(interval)*time.Microsecond
	if stuck.Valid {
		h.StuckSince = row.Time(stuck.Int64)
	}
	return h, err
}
