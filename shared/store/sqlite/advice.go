package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// PutReroutes stores the advice computed at one event time and expires older
// proposals.
func (s *Store) PutReroutes(ctx context.Context, at time.Time, rs []traffic.Reroute) error {
	rs, err := row.Reroutes(rs)
	if err != nil {
		return fmt.Errorf("store reroutes: %w", err)
	}
	paths := make([]string, len(rs))
	for i := range rs {
		b, err := json.Marshal(row.IDs(rs[i].Path))
		if err != nil {
			return fmt.Errorf("store reroutes: encode path: %w", err)
		}
		paths[i] = string(b)
	}
	return s.write(ctx, "store reroutes", func(ctx context.Context, w *writer) error {
		before, _ := row.Range(at, time.Time{})
		err := w.exec(ctx, `UPDATE reroutes SET status = ? WHERE status = ? AND ts < ?`,
			string(traffic.RerouteExpired), string(traffic.RerouteProposed), before)
		if err != nil {
			return err
		}
		_, err = w.bulk(`INSERT OR REPLACE INTO reroutes (ts, route_id, alt_route_id, reason, estimated_co2_gain, eta_gain_min, path, share, status)`, 9, "").
			insert(ctx, len(rs), func(args []any, i int) []any {
				r := &rs[i]
				return append(args, row.Micros(r.At), string(r.Route), string(r.Alt), r.Reason, r.CO2GainKg, r.ETAGainMin,
					paths[i], r.Share, string(r.Status))
			})
		return err
	})
}

// Reroutes lists advice: newest first, then by route and alternative.
func (s *Store) Reroutes(ctx context.Context, q store.RerouteQuery) ([]traffic.Reroute, store.Cursor, error) {
	const verb = "list reroutes"
	lo, hi := row.Range(q.From, q.To)
	sel := new(query).add(`SELECT r.ts, r.route_id, r.alt_route_id, r.reason, r.estimated_co2_gain, r.eta_gain_min, r.path, r.share, r.status
		FROM reroutes r WHERE r.ts >= ? AND r.ts < ?`, lo, hi)
	statuses, err := list(q.Statuses)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", verb, err)
	}
	// Most advice ends as expired, so that is read in order of time and not through
	// the index by status, which the + hides.
	column := "r.status"
	if slices.Contains(q.Statuses, traffic.RerouteExpired) {
		column = "+r.status"
	}
	sel.when(q.Statuses != nil, `AND `+column+` IN (SELECT value FROM json_each(?))`, statuses).
		when(q.Route != "", `AND r.route_id = ?`, row.Text(q.Route))
	if q.Page.After != "" {
		var ts int64
		var route, alt string
		if err := q.Page.After.Parse(&ts, &route, &alt); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		sel.add(`AND r.ts <= ? AND (r.ts < ? OR (r.route_id, r.alt_route_id) > (?, ?))`, ts, ts, row.Text(route), row.Text(alt))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY r.ts DESC, r.route_id, r.alt_route_id LIMIT ?`, limit+1)
	var out []traffic.Reroute
	err = s.each(ctx, verb, sel, func(rows *sql.Rows) error {
		r, err := scanReroute(rows)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(r *traffic.Reroute) []any { return []any{row.Micros(r.At), r.Route, r.Alt} })
}

func scanReroute(rows *sql.Rows) (r traffic.Reroute, err error) {
	var ts int64
	var path string
	err = rows.Scan(&ts, &r.Route, &r.Alt, &r.Reason, &r.CO2GainKg, &r.ETAGainMin, &path, &r.Share, &r.Status)
	if err != nil {
		return r, err
	}
	r.At = row.Time(ts)
	if err := json.Unmarshal([]byte(path), &r.Path); err != nil {
		return r, fmt.Errorf("decode path: %w", err)
	}
	if len(r.Path) == 0 {
		r.Path = nil
	}
	return r, nil
}
