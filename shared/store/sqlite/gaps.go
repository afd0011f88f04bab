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

// noteGaps keeps what edges lost, each gap once.
func (w *writer) noteGaps(ctx context.Context, gaps []traffic.Gap) error {
	gaps = row.Gaps(gaps)
	_, err := w.bulk(`INSERT INTO gaps (edge_id, epoch, first_seq, last_seq, cause, from_ts, to_ts, readings, noticed_at)`, 9,
		`ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq, from_ts = excluded.from_ts, to_ts = excluded.to_ts,
			readings = excluded.readings, noticed_at = excluded.noticed_at WHERE excluded.last_seq > last_seq`).
		insert(ctx, len(gaps), func(args []any, i int) []any {
			g := &gaps[i]
			return append(args, string(g.Edge), int64(g.Epoch), int64(g.FirstSeq), int64(g.LastSeq), string(g.Cause),
				moment(g.From), moment(g.To), int64(g.Readings), row.Micros(g.Noticed))
		})
	return err
}

// moment is NULL for a time that nobody knows.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return row.Micros(t)
}

// Gaps lists what edges lost, in the reverse order in which that became known.
func (s *Store) Gaps(ctx context.Context, q store.GapQuery) ([]traffic.Gap, store.Cursor, error) {
	const verb = "list gaps"
	lo, hi := row.Range(q.From, q.To)
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
	err := s.each(ctx, verb, sel, func(rows *sql.Rows) error {
		g, id, err := scanGap(rows)
		out, ids = append(out, g), append(ids, id)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(*traffic.Gap) []any { return []any{ids[limit-1]} })
}

func scanGap(rows *sql.Rows) (g traffic.Gap, id int64, err error) {
	var epoch, first, last, noticed int64
	var from, to sql.NullInt64
	err = rows.Scan(&id, &g.Edge, &epoch, &first, &last, &g.Cause, &from, &to, &g.Readings, &noticed)
	g.Epoch, g.FirstSeq, g.LastSeq, g.Noticed = uint64(epoch), uint64(first), uint64(last), row.Time(noticed)
	if from.Valid {
		g.From = row.Time(from.Int64)
	}
	if to.Valid {
		g.To = row.Time(to.Int64)
	}
	return g, id, err
}
