package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

// Users lists users by id.
func (s *Store) Users(ctx context.Context, p store.Page) ([]store.User, store.Cursor, error) {
	const verb = "list users"
	var after int64
	if p.After != "" {
		if err := p.After.Parse(&after); err != nil {
			return nil, "", fmt.Errorf("%s: %w", verb, err)
		}
	}
	limit := row.Limit(p)
	var out []store.User
	err := s.each(ctx, verb, new(query).add(userQuery+`WHERE id > ? ORDER BY id LIMIT ?`, after, limit+1), func(rows *sql.Rows) error {
		var u store.User
		err := scanUser(rows, &u)
		out = append(out, u)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(u *store.User) []any { return []any{u.ID} })
}

// ChangeUser changes a user; the last admin stays one.
func (s *Store) ChangeUser(ctx context.Context, id int64, c store.UserChange, now time.Time) (store.User, error) {
	err := s.write(ctx, "change user", func(ctx context.Context, w *writer) error {
		if c.Role != nil {
			if err := w.changeOne(ctx, `UPDATE users SET role = ?, updated_at = ? WHERE id = ?`, string(*c.Role), row.Micros(now), id); err != nil {
				return err
			}
		}
		if c.Disabled != nil {
			var at any
			if *c.Disabled {
				at = row.Micros(now)
				if err := w.exec(ctx, `UPDATE refresh_tokens SET revoked = 1 WHERE user_id = ?`, id); err != nil {
					return err
				}
			}
			if err := w.changeOne(ctx, `UPDATE users SET disabled_at = ?, updated_at = ? WHERE id = ?`, at, row.Micros(now), id); err != nil {
				return err
			}
		}
		return w.keepAdmin(ctx)
	})
	if err != nil {
		return store.User{}, err
	}
	return s.UserByID(ctx, id)
}

func (w *writer) changeOne(ctx context.Context, text string, args ...any) error {
	n, err := w.change(ctx, text, args...)
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// keepAdmin fails, and with it the transaction, when nobody may administer any more.
func (w *writer) keepAdmin(ctx context.Context) error {
	var one int
	err := w.row(ctx, `SELECT 1 FROM users WHERE role = ? AND disabled_at IS NULL LIMIT 1`, []any{string(store.RoleAdmin)}, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrLastAdmin
	}
	return err
}

// DeleteUser removes a user and what belongs to it; the last admin stays.
func (s *Store) DeleteUser(ctx context.Context, id int64) error {
	return s.write(ctx, "delete user", func(ctx context.Context, w *writer) error {
		for _, text := range []string{`DELETE FROM refresh_tokens WHERE user_id = ?`, `DELETE FROM api_keys WHERE user_id = ?`} {
			if err := w.exec(ctx, text, id); err != nil {
				return err
			}
		}
		if err := w.changeOne(ctx, `DELETE FROM users WHERE id = ?`, id); err != nil {
			return err
		}
		return w.keepAdmin(ctx)
	})
}
