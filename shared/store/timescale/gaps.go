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

// queueGaps keeps what edges lost, each gap once.
func queueGaps(b *pgx.Batch, gaps []traffic.Gap) {
	if len(gaps) == 0 {
		return
	}
	gaps = row.Gaps(gaps)
	type gap = traffic.Gap
	b.Queue(`INSERT INTO gaps AS g (edge_id, epoch, first_seq, last_seq, cause, from_ts, to_ts, readings, noticed_at)
		SELECT edge_id, epoch, first_seq, last_seq, cause, from_ts, to_ts, readings, noticed_at
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::timestamptz[])
		WITH ORDINALITY AS i (edge_id, epoch, first_seq, last_seq, cause, from_ts, to_ts, readings, noticed_at, ord) ORDER BY ord
		ON CONFLICT (edge_id, epoch, first_seq, cause) DO UPDATE SET last_seq = excluded.last_seq, from_ts = excluded.from_ts,
			to_ts = excluded.to_ts, readings = excluded.readings, noticed_at = excluded.noticed_at
		WHERE excluded.last_seq > g.last_seq`,
		column(gaps, func(g *gap) string { return string(g.Edge) }),
		column(gaps, func(g *gap) int64 { return int64(g.Epoch) }),
		column(gaps, func(g *gap) int64 { return int64(g.FirstSeq) }),
		column(gaps, func(g *gap) int64 { return int64(g.LastSeq) }),
		column(gaps, func(g *gap) string { return string(g.Cause) }),
		column(gaps, func(g *gap) pgtype.Timestamptz { return moment(g.From) }),
		column(gaps, func(g *gap) pgtype.Timestamptz { return moment(g.To) }),
		column(gaps, func(g *gap) int64 { return int64(g.Readings) }),
		column(gaps, func(g *gap) time.Time { return row.Time(row.Micros(g.Noticed)) }))
}

// moment is NULL for a time that nobody knows.
func moment(t time.Time) pgtype.Timestamptz {
	return pgtype.Timestamptz{Time: row.Time(row.Micros(t)), Valid: !t.IsZero()}
}

// Gaps lists what edges lost, in the reverse order in which that became known.
func (s *Store) Gaps(ctx context.Context, q store.GapQuery) ([]traffic.Gap, store.Cursor, error) {
	const verb = "list gaps"
	lo, hi := bounds(q.From, q.To)
	sel := new(query).add(`SELECT id, edge_id, epoch, first_seq, last_seq, cause, from_ts, to_ts, readings, noticed_at FROM gaps
		WHERE coalesce(to_ts, noticed_at) >= ? AND coalesce(from_ts, noticed_at) < ?`, lo, hi).
		when(q.Edge != "", `AND edge_id = ?`, row.Text(q.Edge))
	if q.Page.After != "" {
		var after int64
		if err := q.Page.After.Parse(&after); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
		sel.add(`AND id < ?`, after)
	}
	limit := row.Limit(q.Page)
	sel.add(`ORDER BY id DESC LIMIT ?`, limit+1)
	var out []traffic.Gap
	var ids []int64
	err := s.each(ctx, verb, sel, func(rows pgx.Rows) error {
		g, id, err := scanGap(rows)
		out, ids = append(out, g), append(ids, id)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(*traffic.Gap) []any { return []any{ids[limit-1]} })
}

func scanGap(rows pgx.Rows) (g traffic.Gap, id int64, err error) {
	var edge, cause string
	var epoch, first, last int64
	var from, to *time.Time
	err = rows.Scan(&id, &edge, &epoch, &first, &last, &cause, &from, &to, &g.Readings, &g.Noticed)
	g.Edge, g.Cause, g.Noticed = traffic.EdgeID(edge), traffic.GapCause(cause), g.Noticed.UTC()
	g.Epoch, g.FirstSeq, g.LastSeq = uint64(epoch), uint64(first), uint64(last)
	if from != nil {
		g.From = from.UTC()
	}
	if to != nil {
		g.To = to.UTC()
	}
	return g, id, err
}
