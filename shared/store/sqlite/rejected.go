package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// insertRejected keeps rejected messages, each once, and drops the oldest above
// the bound.
func (w *writer) insertRejected(ctx context.Context, rs []traffic.Rejected) error {
	if len(rs) == 0 {
		return nil
	}
	_, err := w.bulk(`INSERT INTO rejected (ts, edge_id, origin, payload, reason, detail, digest)`, 7, `ON CONFLICT DO NOTHING`).
		insert(ctx, len(rs), func(args []any, i int) []any {
			r := &rs[i]
			payload := append([]byte{}, r.Payload[:min(len(r.Payload), traffic.MaxRejectedPayload)]...)
			return append(args, row.Micros(r.At), row.Text(r.Edge), row.Text(r.Origin), payload, row.Text(r.Reason), row.Text(r.Detail), row.Digest(r))
		})
	if err != nil {
		return err
	}
	return w.exec(ctx, `DELETE FROM rejected WHERE id <= (SELECT id FROM rejected ORDER BY id DESC LIMIT 1 OFFSET ?)`, row.MaxRejected)
}

// dropRejected takes settled messages off the list.
func (w *writer) dropRejected(ctx context.Context, ids []string) error {
	for _, id := range ids {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			continue // none that was made here
		}
		if err := w.exec(ctx, `DELETE FROM rejected WHERE id = ?`, n); err != nil {
			return err
		}
	}
	return nil
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
	err := s.each(ctx, "list rejected messages", sel, func(rows *sql.Rows) error {
		var r traffic.Rejected
		var id, ts int64
		err := rows.Scan(&id, &ts, &r.Edge, &r.Origin, &r.Payload, &r.Reason, &r.Detail)
		r.ID, r.At = strconv.FormatInt(id, 10), row.Time(ts)
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
