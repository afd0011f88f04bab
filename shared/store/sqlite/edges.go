package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// InviteEdge stores an invitation, and the edge where it is new.
func (s *Store) InviteEdge(ctx context.Context, i store.EdgeInvitation, now time.Time) error {
	return s.write(ctx, "invite edge", func(ctx context.Context, w *writer) error {
		err := w.exec(ctx, `INSERT INTO edges (edge_id, label, created_at) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET label = excluded.label`, row.Text(i.Edge), row.Text(i.Label), row.Micros(now))
		if err != nil {
			return err
		}
		return w.exec(ctx, `INSERT INTO edge_invitations (edge_id, selector, secret_hash, expires_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (edge_id) DO UPDATE SET selector = excluded.selector, secret_hash = excluded.secret_hash, expires_at = excluded.expires_at`,
			row.Text(i.Edge), row.Text(i.Selector), row.Text(i.SecretHash), row.Micros(i.ExpiresAt))
	})
}

// EdgeInvitation finds an invitation that was not used.
func (s *Store) EdgeInvitation(ctx context.Context, selector string) (store.EdgeInvitation, error) {
	var i store.EdgeInvitation
	found := false
	sel := new(query).add(`SELECT i.edge_id, e.label, i.selector, i.secret_hash, i.expires_at
		FROM edge_invitations i JOIN edges e USING (edge_id) WHERE i.selector = ?`, row.Text(selector))
	err := s.each(ctx, "find edge invitation", sel, func(rows *sql.Rows) error {
		var expires int64
		found = true
		err := rows.Scan(&i.Edge, &i.Label, &i.Selector, &i.SecretHash, &expires)
		i.ExpiresAt = row.Time(expires)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("find edge invitation: %w", store.ErrNotFound)
	}
	return i, err
}

// EnrolEdge uses an invitation up for a certificate.
func (s *Store) EnrolEdge(ctx context.Context, selector string, c store.EdgeCertificate, now time.Time) error {
	return s.write(ctx, "enrol edge", func(ctx context.Context, w *writer) error {
		n, err := w.change(ctx, `DELETE FROM edge_invitations WHERE selector = ? AND edge_id = ?`, row.Text(selector), row.Text(c.Edge))
		switch {
		case err != nil:
			return err
		case n == 0:
			return store.ErrNotFound
		}
		err = w.exec(ctx, `UPDATE edges SET enrolled_at = ?, revoked_at = NULL WHERE edge_id = ?`, row.Micros(now), row.Text(c.Edge))
		if err != nil {
			return err
		}
		return w.putCertificate(ctx, "", c, now)
	})
}

// RenewEdge stores the certificate that follows another.
func (s *Store) RenewEdge(ctx context.Context, old string, c store.EdgeCertificate, now time.Time) error {
	return s.write(ctx, "renew certificate of edge", func(ctx context.Context, w *writer) error {
		var good int
		err := w.row(ctx, `SELECT 1 FROM edge_certificates WHERE serial = ? AND edge_id = ? AND revoked_at IS NULL AND not_after > ?`,
			[]any{row.Text(old), row.Text(c.Edge), row.Micros(now)}, &good)
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		if err != nil {
			return err
		}
		return w.putCertificate(ctx, row.Text(old), c, now)
	})
}

// putCertificate stores the newest certificate of an edge and revokes its others, but
// for keep. It forgets those that have ended: nobody takes them any more.
func (w *writer) putCertificate(ctx context.Context, keep string, c store.EdgeCertificate, now time.Time) error {
	if err := w.exec(ctx, `DELETE FROM edge_certificates WHERE not_after <= ?`, row.Micros(now)); err != nil {
		return err
	}
	err := w.exec(ctx, `UPDATE edge_certificates SET revoked_at = ? WHERE edge_id = ? AND serial <> ? AND revoked_at IS NULL`,
		row.Micros(now), row.Text(c.Edge), keep)
	if err != nil {
		return err
	}
	err = w.exec(ctx, `INSERT INTO edge_certificates (serial, edge_id, not_after) VALUES (?, ?, ?)`,
		row.Text(c.Serial), row.Text(c.Edge), row.Micros(c.NotAfter))
	if isUnique(err) {
		return fmt.Errorf("serial number %s: %w", c.Serial, store.ErrConflict)
	}
	if err != nil {
		return err
	}
	return w.exec(ctx, `UPDATE edges SET not_after = ? WHERE edge_id = ?`, row.Micros(c.NotAfter), row.Text(c.Edge))
}

// RevokeEdge shuts an edge out.
func (s *Store) RevokeEdge(ctx context.Context, id traffic.EdgeID, now time.Time) error {
	return s.write(ctx, "revoke edge", func(ctx context.Context, w *writer) error {
		n, err := w.change(ctx, `UPDATE edges SET revoked_at = coalesce(revoked_at, ?) WHERE edge_id = ?`, row.Micros(now), row.Text(id))
		switch {
		case err != nil:
			return err
		case n == 0:
			return store.ErrNotFound
		}
		if err := w.exec(ctx, `DELETE FROM edge_invitations WHERE edge_id = ?`, row.Text(id)); err != nil {
			return err
		}
		return w.exec(ctx, `UPDATE edge_certificates SET revoked_at = ? WHERE edge_id = ? AND revoked_at IS NULL`, row.Micros(now), row.Text(id))
	})
}

// Edges lists edges by name.
func (s *Store) Edges(ctx context.Context, p store.Page) ([]store.Edge, store.Cursor, error) {
	sel := new(query).add(`SELECT edge_id, label, created_at, enrolled_at, not_after, revoked_at FROM edges`)
	if p.After != "" {
		var after string
		if err := p.After.Parse(&after); err != nil {
			return nil, "", fmt.Errorf("list edges: %w", err)
		}
		sel.add(`WHERE edge_id > ?`, row.Text(after))
	}
	limit := row.Limit(p)
	sel.add(`ORDER BY edge_id LIMIT ?`, limit+1)
	var out []store.Edge
	err := s.each(ctx, "list edges", sel, func(rows *sql.Rows) error {
		var e store.Edge
		var created int64
		var enrolled, notAfter, revoked sql.NullInt64
		err := rows.Scan(&e.ID, &e.Label, &created, &enrolled, &notAfter, &revoked)
		e.CreatedAt, e.EnrolledAt, e.NotAfter, e.RevokedAt = row.Time(created), timeOrZero(enrolled), timeOrZero(notAfter), timeOrZero(revoked)
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(e *store.Edge) []any { return []any{e.ID} })
}

// timeOrZero reads a time that may be NULL.
func timeOrZero(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return row.Time(us.Int64)
}

// RevokedEdgeCertificates returns what a revocation list is made of.
func (s *Store) RevokedEdgeCertificates(ctx context.Context, now time.Time) ([]store.EdgeCertificate, error) {
	sel := new(query).add(`SELECT serial, edge_id, not_after, revoked_at FROM edge_certificates
		WHERE revoked_at IS NOT NULL AND not_after > ? ORDER BY serial`, row.Micros(now))
	var out []store.EdgeCertificate
	err := s.each(ctx, "list revoked certificates", sel, func(rows *sql.Rows) error {
		var c store.EdgeCertificate
		var notAfter, revoked int64
		err := rows.Scan(&c.Serial, &c.Edge, &notAfter, &revoked)
		c.NotAfter, c.RevokedAt = row.Time(notAfter), row.Time(revoked)
		out = append(out, c)
		return err
	})
	return out, err
}
