package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

// CreateUser stores a user. Its times are the moment of the call.
func (s *Store) CreateUser(ctx context.Context, u store.User) (store.User, error) {
	now := row.Time(row.Micros(s.now()))
	u.Email, u.CreatedAt, u.UpdatedAt = row.Text(u.Email), now, now
	err := s.write(ctx, "create user", func(ctx context.Context, w *writer) error {
		err := w.row(ctx, `INSERT INTO users (email, email_key, password, role, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
			[]any{u.Email, strings.ToLower(u.Email), u.PasswordHash, string(u.Role), row.Micros(now), row.Micros(now)}, &u.ID)
		if isUnique(err) {
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
	err := s.each(ctx, "find user", sel, func(rows *sql.Rows) error {
		found = true
		return scanUser(rows, &u)
	})
	if err == nil && !found {
		err = fmt.Errorf("find user: %w", store.ErrNotFound)
	}
	return u, err
}

func scanUser(rows *sql.Rows, u *store.User) error {
	var created, updated int64
	var disabled sql.NullInt64
	err := rows.Scan(&u.ID, &u.Email, &u.PasswordHash, &u.Role, &created, &updated, &disabled)
	u.CreatedAt, u.UpdatedAt, u.DisabledAt = row.Time(created), row.Time(updated), timeOrZero(disabled)
	return err
}

// CountUsers is how many users exist.
func (s *Store) CountUsers(ctx context.Context) (int64, error) {
	var n int64
	err := s.each(ctx, "count users", new(query).add(`SELECT count(*) FROM users`), func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// expiredKept is for how long an expired refresh token is remembered.
const expiredKept = 24 * time.Hour

// PutRefreshToken stores a token, and forgets those that expired long ago.
func (s *Store) PutRefreshToken(ctx context.Context, t store.RefreshToken) error {
	return s.write(ctx, "store refresh token", func(ctx context.Context, w *writer) error {
		if err := w.exec(ctx, `DELETE FROM refresh_tokens WHERE expires_at < ?`, row.Micros(s.now().Add(-expiredKept))); err != nil {
			return err
		}
		return w.insertToken(ctx, t)
	})
}

func (w *writer) insertToken(ctx context.Context, t store.RefreshToken) error {
	err := w.exec(ctx, `INSERT INTO refresh_tokens (hash, family, user_id, expires_at) VALUES (?, ?, ?, ?)`,
		t.Hash, t.Family, t.UserID, row.Micros(t.ExpiresAt))
	if isUnique(err) {
		return fmt.Errorf("refresh token: %w", store.ErrConflict)
	}
	return err
}

// RotateRefreshToken exchanges a token for the next of its family.
func (s *Store) RotateRefreshToken(ctx context.Context, old string, next store.RefreshToken, now time.Time) (store.RefreshToken, error) {
	reused := false // is committed, then reported
	err := s.write(ctx, "rotate refresh token", func(ctx context.Context, w *writer) error {
		var used, revoked bool
		var expires int64
		err := w.row(ctx, `SELECT family, user_id, expires_at, used, revoked FROM refresh_tokens WHERE hash = ?`, []any{old},
			&next.Family, &next.UserID, &expires, &used, &revoked)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return store.ErrNotFound
		case err != nil:
			return err
		case used:
			reused = true
			return w.exec(ctx, `UPDATE refresh_tokens SET revoked = 1 WHERE family = ?`, next.Family)
		case revoked, row.Micros(now) >= expires:
			return store.ErrNotFound
		}
		if err := w.exec(ctx, `UPDATE refresh_tokens SET used = 1 WHERE hash = ?`, old); err != nil {
			return err
		}
		return w.insertToken(ctx, next)
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
	return s.write(ctx, "revoke refresh tokens", func(ctx context.Context, w *writer) error {
		return w.exec(ctx, `UPDATE refresh_tokens SET revoked = 1 WHERE family = (SELECT family FROM refresh_tokens WHERE hash = ?)`, hash)
	})
}
