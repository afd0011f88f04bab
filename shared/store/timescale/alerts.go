package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const putAlert = `INSERT INTO alerts (ts, road_id, kind, end_ts, updated_ts, severity, roads, observed, expected, lat, lng, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (ts, road_id, kind) DO UPDATE SET end_ts = excluded.end_ts, updated_ts = excluded.updated_ts, severity = excluded.severity,
	roads = excluded.roads, observed = excluded.observed, expected = excluded.expected, lat = excluded.lat, lng = excluded.lng, detail = excluded.detail`

// PutAlerts stores alerts, with one round trip; one that exists is replaced.
func (s *Store) PutAlerts(ctx context.Context, as []traffic.Alert) error {
	as, err := row.Alerts(as)
	if err != nil {
		return fmt.Errorf("store alerts: %w", err)
	}
	if len(as) == 0 {
		return nil
	}
	return s.transaction(ctx, "store alerts", func(ctx context.Context, tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for i := range as {
			a := &as[i]
			batch.Queue(putAlert, instant(a.Start), string(a.Road), string(a.Kind), moment(a.End), instant(a.Updated), string(a.Severity),
				row.IDs(a.Roads), a.Observed, a.Expected, optional(a.Lat), optional(a.Lng), a.Detail)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// Alerts lists alerts: newest first, then by road and kind.
func (s *Store) Alerts(ctx context.Context, q store.AlertQuery) ([]traffic.Alert, store.Cursor, error) {
	const verb = "list alerts"
	lo, hi := bounds(q.From, q.To)
	sel := new(query).add(`SELECT ts, road_id, kind, end_ts, updated_ts, severity, roads, observed, expected, lat, lng, detail
		FROM alerts WHERE ts >= ? AND ts < ?`, lo, hi).
		when(q.State == store.AlertActive, `AND end_ts IS NULL`).
		when(q.State == store.AlertEnded, `AND end_ts IS NOT NULL`)
	if q.Page.After != "" {
		var us int64
		var road, kind string
		if err := q.Page.After.Parse(&us, &road, &kind); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		at := row.Time(us)
		sel.add(`AND ts <= ? AND (ts < ? OR (road_id, kind) > (?, ?))`, at, at, row.Text(road), row.Text(kind))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY ts DESC, road_id, kind LIMIT ?`, limit+1)
	var out []traffic.Alert
	err := s.each(ctx, verb, sel, func(rows pgx.Rows) error {
		a, err := scanAlert(rows)
		out = append(out, a)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(a *traffic.Alert) []any { return []any{row.Micros(a.Start), a.Road, a.Kind} })
}

func scanAlert(rows pgx.Rows) (a traffic.Alert, err error) {
	var road, kind, severity string
	var roads []string
	var end *time.Time
	err = rows.Scan(&a.Start, &road, &kind, &end, &a.Updated, &severity, &roads, &a.Observed, &a.Expected,
		(*value)(&a.Lat), (*value)(&a.Lng), &a.Detail)
	a.Road, a.Kind, a.Severity = traffic.RoadID(road), traffic.AlertKind(kind), traffic.Severity(severity)
	a.Start, a.Updated = a.Start.UTC(), a.Updated.UTC()
	if end != nil {
		a.End = end.UTC()
	}
	a.Roads = make([]traffic.RoadID, len(roads))
	for i, id := range roads {
		a.Roads[i] = traffic.RoadID(id)
	}
	return a, err
}
