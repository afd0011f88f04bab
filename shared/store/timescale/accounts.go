package timescale

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

// CreateUser stores a user. Its times are the moment of the call.
func (s *Store) CreateUser(ctx context.Context, u store.User) (store.User, error) {
	now := row.Time(row.Micros(s.now()))
	u.Email, u.CreatedAt, u.UpdatedAt = row.Text(u.Email), now, now
	err := s.call(ctx, "create user", func(ctx context.Context) error {
		err := s.pool.QueryRow(ctx, `INSERT INTO users (email, email_key, password, role, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5) RETURNING id`,
			u.Email, strings.ToLower(u.Email), row.Text(u.PasswordHash), row.Text(u.Role), now).Scan(&u.ID)
		if hasCode(err, codeUnique) {
			return fmt.Errorf("e-mail address %q: %w", u.Email, store.ErrConflict)
		}
		return err
	})
	if err != nil {
		return store.User{}, err
	}
	return u, nil
}

// UserByEmail finds a user without regard to case.
func (s *Store) UserByEmail(ctx context.Context, email string) (store.User, error) {
	return s.user(ctx, new(query).add(userQuery+`WHERE email_key = ?`, strings.ToLower(row.Text(email))))
}

// UserByID finds a user.
func (s *Store) UserByID(ctx context.Context, id int64) (store.User, error) {
	return s.user(ctx, new(query).add(userQuery+`WHERE id = ?`, id))
}

const userQuery = `SELECT id, email, password, role, created_at, updated_at, disabled_at FROM users `

func (s *Store) user(ctx context.Context, sel *query) (store.User, error) {
	var u store.User
	found := false
	err := s.each(ctx, "find user", sel, func(rows pgx.Rows) error {
		found = true
		return scanUser(rows, &u)
	})
	if err == nil && !found {
		err = fmt.Errorf("find user: %w", store.ErrNotFound)
	}
	return u, err
}

func scanUser(rows pgx.Rows, u *store.User) error {
	var role string
	var disabled *time.Time
	err := rows.Scan(&u.ID, &u.Email, &u.PasswordHash, &role, &u.CreatedAt, &u.UpdatedAt, &disabled)
	u.Role, u.CreatedAt, u.UpdatedAt, u.DisabledAt = store.Role(role), u.CreatedAt.UTC(), u.UpdatedAt.UTC(), timeOrZero(disabled)
	return err
}

// CountUsers is how many users exist.
func (s *Store) CountUsers(ctx context.Context) (int64, error) {
	var n int64
	err := s.each(ctx, "count users", new(query).add(`SELECT count(*) FROM users`), func(rows pgx.Rows) error { return rows.Scan(&n) })
	return n, err
}

// expiredKept is for how long an expired refresh token is remembered.
const expiredKept = 24 * time.Hour

// PutRefreshToken stores a token, and forgets those that expired long ago.
func (s *Store) PutRefreshToken(ctx context.Context, t store.RefreshToken) error {
	return s.transaction(ctx, "store refresh token", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM refresh_tokens WHERE expires_at < $1`, s.now().Add(-expiredKept)); err != nil {
			return err
		}
		return insertToken(ctx, tx, t)
	})
}

// transaction runs fn in a transaction, which is committed when fn returns nil.
func (s *Store) transaction(ctx context.Context, verb string, fn func(context.Context, pgx.Tx) error) error {
	return s.call(ctx, verb, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return fn(ctx, tx) })
	})
}

func insertToken(ctx context.Context, tx pgx.Tx, t store.RefreshToken) error {
	_, err := tx.Exec(ctx, `INSERT INTO refresh_tokens (hash, family, user_id, expires_at) VALUES ($1, $2, $3, $4)`,
		row.Text(t.Hash), row.Text(t.Family), t.UserID, row.Time(row.Micros(t.ExpiresAt)))
	if hasCode(err, codeUnique) {
		return fmt.Errorf("refresh token: %w", store.ErrConflict)
	}
	return err
}

// RotateRefreshToken exchanges a token for the next of its family. The row of the
// old token is locked, so of several who offer it one is served.
func (s *Store) RotateRefreshToken(ctx context.Context, old string, next store.RefreshToken, now time.Time) (store.RefreshToken, error) {
	reused := false // is committed, then reported
	err := s.transaction(ctx, "rotate refresh token", func(ctx context.Context, tx pgx.Tx) error {
		var used, revoked bool
		var expires time.Time
		err := tx.QueryRow(ctx, `SELECT family, user_id, expires_at, used, revoked FROM refresh_tokens WHERE hash = $1 FOR UPDATE`, row.Text(old)).
			Scan(&next.Family, &next.UserID, &expires, &used, &revoked)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case used:
			reused = true
			_, err := tx.Exec(ctx, `UPDATE refresh_tokens SET revoked = true WHERE family = $1 AND NOT revoked`, next.Family)
			return err
		case revoked, !now.Before(expires):
			return store.ErrNotFound
		}
		if _, err := tx.Exec(ctx, `UPDATE refresh_tokens SET used = true WHERE hash = $1`, row.Text(old)); err != nil {
			return err
		}
		return insertToken(ctx, tx, next)
	})
	if err == nil && reused {
		err = fmt.Errorf("rotate refresh token: %w", store.ErrTokenReused)
	}
	if err != nil {
		return store.RefreshToken{}, err
	}
	return next, nil
}

// RevokeRefreshFamily ends the family of a token.
func (s *Store) RevokeRefreshFamily(ctx context.Context, hash string) error {
	return s.call(ctx, "revoke refresh tokens", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `UPDATE refresh_tokens SET revoked = true WHERE family = (SELECT family FROM refresh_tokens WHERE hash = $1)`, row.Text(hash))
		return err
	})
}
