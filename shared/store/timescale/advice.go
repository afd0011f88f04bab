package timescale

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const putReroute = `
INSERT INTO reroutes (ts, route_id, alt_route_id, reason, estimated_co2_gain, eta_gain_min, path, share, status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (ts, route_id, alt_route_id) DO UPDATE SET reason = excluded.reason, estimated_co2_gain = excluded.estimated_co2_gain,
	eta_gain_min = excluded.eta_gain_min, path = excluded.path, share = excluded.share, status = excluded.status`

// PutReroutes stores the advice computed at one event time and expires older
// proposals, in one transaction and one round trip.
func (s *Store) PutReroutes(ctx context.Context, at time.Time, rs []traffic.Reroute) error {
	rs, err := row.Reroutes(rs)
	if err != nil {
		return fmt.Errorf("store reroutes: %w", err)
	}
	before, _ := bounds(at, time.Time{})
	return s.call(ctx, "store reroutes", func(ctx context.Context) error {
		var b pgx.Batch
		b.Queue(`UPDATE reroutes SET status = $1 WHERE status = $2 AND ts < $3`,
			string(traffic.RerouteExpired), string(traffic.RerouteProposed), before)
		for i := range rs {
			r := &rs[i]
			b.Queue(putReroute, row.Time(row.Micros(r.At)), string(r.Route), string(r.Alt), r.Reason, r.CO2GainKg, r.ETAGainMin,
				row.IDs(r.Path), r.Share, string(r.Status))
		}
		return s.send(ctx, &b)
	})
}

// Reroutes lists advice: newest first, then by route and alternative.
func (s *Store) Reroutes(ctx context.Context, q store.RerouteQuery) ([]traffic.Reroute, store.Cursor, error) {
	const verb = "list reroutes"
	lo, hi := bounds(q.From, q.To)
	sel := new(query).add(`SELECT r.ts, r.route_id, r.alt_route_id, r.reason, r.estimated_co2_gain, r.eta_gain_min, r.path, r.share, r.status
		FROM reroutes r WHERE r.ts >= ? AND r.ts < ?`, lo, hi)
	// Most advice ends as expired, so that is read in order of time and not through
	// the index by status, which the concatenation hides.
	column := `r.status`
	if slices.Contains(q.Statuses, traffic.RerouteExpired) {
		column = `(r.status || '')`
	}
	sel.when(q.Statuses != nil, `AND `+column+` = ANY(?)`, row.IDs(q.Statuses)).
		when(q.Route != "", `AND r.route_id = ?`, row.Text(q.Route))
	if q.Page.After != "" {
		var us int64
		var route, alt string
		if err := q.Page.After.Parse(&us, &route, &alt); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		at := row.Time(us)
		sel.add(`AND r.ts <= ? AND (r.ts < ? OR (r.route_id, r.alt_route_id) > (?, ?))`, at, at, row.Text(route), row.Text(alt))
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY r.ts DESC, r.route_id, r.alt_route_id LIMIT ?`, limit+1)
	var out []traffic.Reroute
	err := s.each(ctx, verb, sel, func(rows pgx.Rows) error {
		r, err := scanReroute(rows)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(r *traffic.Reroute) []any { return []any{row.Micros(r.At), r.Route, r.Alt} })
}

func scanReroute(rows pgx.Rows) (r traffic.Reroute, err error) {
	var route, alt, status string
	var path []string
	err = rows.Scan(&r.At, &route, &alt, &r.Reason, &r.CO2GainKg, &r.ETAGainMin, &path, &r.Share, &status)
	r.At, r.Route, r.Alt, r.Status = r.At.UTC(), traffic.RoadID(route), traffic.RoadID(alt), traffic.RerouteStatus(status)
	for _, id := range path {
		r.Path = append(r.Path, traffic.RoadID(id))
	}
	return r, err
}
