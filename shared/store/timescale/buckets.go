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

const hourMicros = 3600 * 1_000_000

// Buckets averages readings by road and time. Where the averages of five minutes or of
// hours are up to date and give the same result, it adds up those; for the rest, which
// is what came lately, it adds up readings.
func (s *Store) Buckets(ctx context.Context, q store.BucketQuery) ([]traffic.Bucket, error) {
	if q.From.IsZero() || q.To.IsZero() || q.Width < time.Second || q.Width%time.Second != 0 {
		return nil, fmt.Errorf("average readings: from %s, to %s, width %s: want both bounds and a width of whole seconds, at least 1s",
			q.From, q.To, q.Width)
	}
	lo, hi := row.Range(q.From, q.To)
	if lo >= hi || (q.Roads != nil && len(q.Roads) == 0) {
		return nil, nil
	}
	sel := new(query)
	roads := row.IDs(q.Roads)
	if q.Width%(5*time.Minute) != 0 {
		rawBuckets(sel, q, []row.Span{{From: lo, To: hi}}, roads)
		return s.buckets(ctx, sel, q)
	}
	table, unit := "rollup_5m", int64(slotMicros)
	if q.Width%time.Hour == 0 {
		table, unit = "rollup_1h", hourMicros
	}
	blocks, err := s.blocks(ctx, lo, hi, unit)
	if err != nil {
		return nil, err
	}
	raw, rolled := row.Plan(blocks, unit, row.Span{From: lo, To: hi})
	if !rolled {
		rawBuckets(sel, q, raw, roads)
		return s.buckets(ctx, sel, q)
	}
	from, to := spanColumns(raw)
	sel.add(`SELECT road_id, date_bin(?, start, '1970-01-01T00:00:00Z') AS b, sum(speed) / nullif(sum(speed_n), 0), sum(flow) / nullif(sum(flow_n), 0),
		sum(occupancy) / nullif(sum(occupancy_n), 0), sum(score) / nullif(sum(score_n), 0), sum(n)::bigint FROM (
		SELECT r.road_id, r.start, r.speed, r.speed_n, r.flow, r.flow_n, r.occupancy, r.occupancy_n, r.score, r.score_n, r.n FROM `+table+` r
		WHERE r.start >= ? AND r.start <= ?`, interval(q.Width.Microseconds()), row.Time(lo), row.Time(hi-unit)).
		when(q.Roads != nil, `AND r.road_id = ANY(?)`, roads).
		add(`AND NOT EXISTS (SELECT FROM unnest(?::timestamptz[], ?::timestamptz[]) AS x (f, t) WHERE r.start < x.t AND r.start + ?::interval > x.f)
		UNION ALL SELECT r.road_id, r.ts, r.speed_kmh, (r.speed_kmh IS NOT NULL)::int, r.flow_rate, (r.flow_rate IS NOT NULL)::int,
			r.occupancy, (r.occupancy IS NOT NULL)::int, r.score, (r.score IS NOT NULL)::int, 1`, from, to, interval(unit))
	fromSpans(sel, q, raw, roads)
	sel.add(`) AS r (road_id, start, speed, speed_n, flow, flow_n, occupancy, occupancy_n, score, score_n, n) GROUP BY road_id, b ORDER BY road_id, b`)
	return s.buckets(ctx, sel, q)
}

// rawBuckets averages single readings.
func rawBuckets(sel *query, q store.BucketQuery, spans []row.Span, roads []string) {
	sel.add(`SELECT r.road_id, date_bin(?, r.ts, '1970-01-01T00:00:00Z') AS b, avg(r.speed_kmh), avg(r.flow_rate), avg(r.occupancy), avg(r.score), count(*)`,
		interval(q.Width.Microseconds()))
	fromSpans(sel, q, spans, roads)
	sel.add(`GROUP BY r.road_id, b ORDER BY r.road_id, b`)
}

// fromSpans adds the FROM and the WHERE of the readings in some pieces of time. Bounds
// that enclose all of them let the planner leave out chunks and partitions.
func fromSpans(sel *query, q store.BucketQuery, spans []row.Span, roads []string) {
	var all row.Span
	if len(spans) > 0 {
		all = row.Span{From: spans[0].From, To: spans[len(spans)-1].To}
	}
	if len(spans) == 1 {
		sel.add(`FROM traffic_raw r WHERE r.ts >= ? AND r.ts < ?`, row.Time(all.From), row.Time(all.To))
	} else {
		from, to := spanColumns(spans)
		sel.add(`FROM unnest(?::timestamptz[], ?::timestamptz[]) AS x (f, t) JOIN traffic_raw r ON r.ts >= x.f AND r.ts < x.t
			WHERE r.ts >= ? AND r.ts < ?`, from, to, row.Time(all.From), row.Time(all.To))
	}
	sel.when(q.Roads != nil, `AND r.road_id = ANY(?) AND r.sensor_id = ANY(ARRAY(SELECT p.sensor_id FROM road_sensors p WHERE p.road_id = ANY(?)))`, roads, roads)
}

func interval(us int64) pgtype.Interval { return pgtype.Interval{Microseconds: us, Valid: true} }

func spanColumns(spans []row.Span) (from, to []time.Time) {
	return column(spans, func(s *row.Span) time.Time { return row.Time(s.From) }), column(spans, func(s *row.Span) time.Time { return row.Time(s.To) })
}

// blocks lists the blocks of a width that hold readings in [lo, hi), oldest first.
func (s *Store) blocks(ctx context.Context, lo, hi, width int64) ([]row.Block, error) {
	sel := new(query).add(`SELECT date_bin(?, slot, '1970-01-01T00:00:00Z') AS b, bool_and(level >= 1 OR rolled = version), bool_or(level >= 1)
		FROM traffic_slots WHERE slot >= ? AND slot < ? GROUP BY b ORDER BY b`,
		interval(width), row.Time(lo-((lo%width)+width)%width), row.Time(hi))
	var out []row.Block
	err := s.each(ctx, "average readings", sel, func(rows pgx.Rows) error {
		var b row.Block
		var start time.Time
		err := rows.Scan(&start, &b.Ready, &b.Dropped)
		b.Start = row.Micros(start)
		out = append(out, b)
		return err
	})
	return out, err
}

// buckets runs a query for averages.
func (s *Store) buckets(ctx context.Context, sel *query, q store.BucketQuery) ([]traffic.Bucket, error) {
	var out []traffic.Bucket
	err := s.each(ctx, "average readings", sel, func(rows pgx.Rows) error {
		b := traffic.Bucket{Width: q.Width}
		var road string
		err := rows.Scan(&road, &b.Start, (*value)(&b.Speed), (*value)(&b.Flow), (*value)(&b.Occupancy), (*value)(&b.Score), &b.Samples)
		b.Road, b.Start = traffic.RoadID(road), b.Start.UTC()
		out = append(out, b)
		return err
	})
	return out, err
}
