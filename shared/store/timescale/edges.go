package timescale

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// instant is t as every backend keeps it.
func instant(t time.Time) time.Time { return row.Time(row.Micros(t)) }

// InviteEdge stores an invitation, and the edge where it is new.
func (s *Store) InviteEdge(ctx context.Context, i store.EdgeInvitation, now time.Time) error {
	return s.transaction(ctx, "invite edge", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO edges (edge_id, label, created_at) VALUES ($1, $2, $3)
			ON CONFLICT (edge_id) DO UPDATE SET label = excluded.label`, row.Text(i.Edge), row.Text(i.Label), instant(now))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO edge_invitations (edge_id, selector, secret_hash, expires_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (edge_id) DO UPDATE SET selector = excluded.selector, secret_hash = excluded.secret_hash, expires_at = excluded.expires_at`,
			row.Text(i.Edge), row.Text(i.Selector), row.Text(i.SecretHash), instant(i.ExpiresAt))
		return err
	})
}

// EdgeInvitation finds an invitation that was not used.
func (s *Store) EdgeInvitation(ctx context.Context, selector string) (store.EdgeInvitation, error) {
	var i store.EdgeInvitation
	err := s.call(ctx, "find edge invitation", func(ctx context.Context) error {
		var edge string
		err := s.pool.QueryRow(ctx, `SELECT i.edge_id, e.label, i.selector, i.secret_hash, i.expires_at
			FROM edge_invitations i JOIN edges e USING (edge_id) WHERE i.selector = $1`, row.Text(selector)).
			Scan(&edge, &i.Label, &i.Selector, &i.SecretHash, &i.ExpiresAt)
		i.Edge, i.ExpiresAt = traffic.EdgeID(edge), i.ExpiresAt.UTC()
		return notFound(err)
	})
	return i, err
}

// notFound says in the store's words that a query had no row.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// EnrolEdge uses an invitation up for a certificate. The row of the edge is locked
// first, here as in the other changes of its certificates, so they come one by one.
func (s *Store) EnrolEdge(ctx context.Context, selector string, c store.EdgeCertificate, now time.Time) error {
	return s.transaction(ctx, "enrol edge", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE edges SET enrolled_at = $2, revoked_at = NULL WHERE edge_id = $1`, row.Text(c.Edge), instant(now)); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `DELETE FROM edge_invitations WHERE selector = $1 AND edge_id = $2`, row.Text(selector), row.Text(c.Edge))
		switch {
		case err != nil:
			return err
		case tag.RowsAffected() == 0:
			return store.ErrNotFound
		}
		return putCertificate(ctx, tx, "", c, now)
	})
}

// RenewEdge stores the certificate that follows another.
func (s *Store) RenewEdge(ctx context.Context, old string, c store.EdgeCertificate, now time.Time) error {
	return s.transaction(ctx, "renew certificate of edge", func(ctx context.Context, tx pgx.Tx) error {
		var good int
		err := tx.QueryRow(ctx, `SELECT 1 FROM edges WHERE edge_id = $1 FOR UPDATE`, row.Text(c.Edge)).Scan(&good)
		if err == nil {
			err = tx.QueryRow(ctx, `SELECT 1 FROM edge_certificates WHERE serial = $1 AND edge_id = $2 AND revoked_at IS NULL AND not_after > $3`,
				row.Text(old), row.Text(c.Edge), instant(now)).Scan(&good)
		}
		if err != nil {
			return notFound(err)
		}
		return putCertificate(ctx, tx, row.Text(old), c, now)
	})
}

// putCertificate stores the newest certificate of an edge and revokes its others, but
// for keep. It forgets those that have ended: nobody takes them any more.
func putCertificate(ctx context.Context, tx pgx.Tx, keep string, c store.EdgeCertificate, now time.Time) error {
	edge, ends := row.Text(c.Edge), instant(c.NotAfter)
	if _, err := tx.Exec(ctx, `DELETE FROM edge_certificates WHERE not_after <= $1`, instant(now)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE edge_certificates SET revoked_at = $1 WHERE edge_id = $2 AND serial <> $3 AND revoked_at IS NULL`,
		instant(now), edge, keep)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO edge_certificates (serial, edge_id, not_after) VALUES ($1, $2, $3)`, row.Text(c.Serial), edge, ends)
	if hasCode(err, codeUnique) {
		return fmt.Errorf("serial number %s: %w", c.Serial, store.ErrConflict)
	}
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE edges SET not_after = $1 WHERE edge_id = $2`, ends, edge)
	return err
}

// RevokeEdge shuts an edge out.
func (s *Store) RevokeEdge(ctx context.Context, id traffic.EdgeID, now time.Time) error {
	return s.transaction(ctx, "revoke edge", func(ctx context.Context, tx pgx.Tx) error {
		edge := row.Text(id)
		tag, err := tx.Exec(ctx, `UPDATE edges SET revoked_at = coalesce(revoked_at, $1) WHERE edge_id = $2`, instant(now), edge)
		switch {
		case err != nil:
			return err
		case tag.RowsAffected() == 0:
			return store.ErrNotFound
		}
		if _, err := tx.Exec(ctx, `DELETE FROM edge_invitations WHERE edge_id = $1`, edge); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE edge_certificates SET revoked_at = $1 WHERE edge_id = $2 AND revoked_at IS NULL`, instant(now), edge)
		return err
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
	err := s.each(ctx, "list edges", sel, func(rows pgx.Rows) error {
		var e store.Edge
		var id string
		var enrolled, notAfter, revoked *time.Time
		err := rows.Scan(&id, &e.Label, &e.CreatedAt, &enrolled, &notAfter, &revoked)
		e.ID, e.CreatedAt = traffic.EdgeID(id), e.CreatedAt.UTC()
		e.EnrolledAt, e.NotAfter, e.RevokedAt = timeOrZero(enrolled), timeOrZero(notAfter), timeOrZero(revoked)
		out = append(out, e)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(e *store.Edge) []any { return []any{e.ID} })
}

// timeOrZero reads a time that may be NULL.
func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// RevokedEdgeCertificates returns what a revocation list is made of.
func (s *Store) RevokedEdgeCertificates(ctx context.Context, now time.Time) ([]store.EdgeCertificate, error) {
	sel := new(query).add(`SELECT serial, edge_id, not_after, revoked_at FROM edge_certificates
		WHERE revoked_at IS NOT NULL AND not_after > ? ORDER BY serial`, instant(now))
	var out []store.EdgeCertificate
	err := s.each(ctx, "list revoked certificates", sel, func(rows pgx.Rows) error {
		var c store.EdgeCertificate
		var edge string
		err := rows.Scan(&c.Serial, &edge, &c.NotAfter, &c.RevokedAt)
		c.Edge, c.NotAfter, c.RevokedAt = traffic.EdgeID(edge), c.NotAfter.UTC(), c.RevokedAt.UTC()
		out = append(out, c)
		return err
	})
	return out, err
}
