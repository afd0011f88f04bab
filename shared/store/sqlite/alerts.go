package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// PutAlerts stores alerts; one that exists is replaced.
func (s *Store) PutAlerts(ctx context.Context, as []traffic.Alert) error {
	as, err := row.Alerts(as)
	if err != nil {
		return fmt.Errorf("store alerts: %w", err)
	}
	roads := make([]string, len(as))
	for i := range as {
		b, err := json.Marshal(row.IDs(as[i].Roads))
		if err != nil {
			return fmt.Errorf("store alerts: encode roads: %w", err)
		}
		roads[i] = string(b)
	}
	return s.write(ctx, "store alerts", func(ctx context.Context, w *writer) error {
		_, err := w.bulk(`INSERT OR REPLACE INTO alerts (ts, road_id, kind, end_ts, updated_ts, severity, roads, observed, expected, lat, lng, detail)`, 12, "").
			insert(ctx, len(as), func(args []any, i int) []any {
				a := &as[i]
				return append(args, row.Micros(a.Start), string(a.Road), string(a.Kind), moment(a.End), row.Micros(a.Updated), string(a.Severity),
					roads[i], a.Observed, a.Expected, optional(a.Lat), optional(a.Lng), a.Detail)
			})
		return err
	})
}

// Alerts lists alerts: newest first, then by road and kind.
func (s *Store) Alerts(ctx context.Context, q store.AlertQuery) ([]traffic.Alert, store.Cursor, error) {
	const verb = "list alerts"
	lo, hi := row.Range(q.From, q.To)
	sel := new(query).add(`SELECT ts, road_id, kind, end_ts, updated_ts, severity, roads, observed, expected, lat, lng, detail
		FROM alerts WHERE ts >= ? AND ts < ?`, lo, hi).
		when(q.State == store.AlertActive, `AND end_ts IS NULL`).
		when(q.State == store.AlertEnded, `AND end_ts IS NOT NULL`)
	if q.Page.After != "" {
		var ts int64
		var road, kind string
		if err := q.Page.After.Parse(&ts, &road, &kind); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		sel.add(`AND ts <= ? AND (ts < ? OR (road_id, kind) > (?, ?))`, ts, ts, row.Text(road), row.Text(kind))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY ts DESC, road_id, kind LIMIT ?`, limit+1)
	var out []traffic.Alert
	err := s.each(ctx, verb, sel, func(rows *sql.Rows) error {
		a, err := scanAlert(rows)
		out = append(out, a)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(a *traffic.Alert) []any { return []any{row.Micros(a.Start), a.Road, a.Kind} })
}

func scanAlert(rows *sql.Rows) (a traffic.Alert, err error) {
	var start, updated int64
	var end sql.NullInt64
	var roads string
	err = rows.Scan(&start, &a.Road, &a.Kind, &end, &updated, &a.Severity, &roads, &a.Observed, &a.Expected,
		(*value)(&a.Lat), (*value)(&a.Lng), &a.Detail)
	if err != nil {
		return a, err
	}
	a.Start, a.Updated = row.Time(start), row.Time(updated)
	if end.Valid {
		a.End = row.Time(end.Int64)
	}
	return a, json.Unmarshal([]byte(roads), &a.Roads)
}
