package timescale

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

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
	err := s.each(ctx, verb, new(query).add(userQuery+`WHERE id > ? ORDER BY id LIMIT ?`, after, limit+1), func(rows pgx.Rows) error {
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
	err := s.transaction(ctx, "change user", func(ctx context.Context, tx pgx.Tx) error {
		if err := lockAdmins(ctx, tx); err != nil {
			return err
		}
		if c.Role != nil {
			if err := changeOne(ctx, tx, `UPDATE users SET role = $2, updated_at = $3 WHERE id = $1`, id, row.Text(*c.Role), instant(now)); err != nil {
				return err
			}
		}
		if c.Disabled != nil {
			var at *time.Time
			if *c.Disabled {
				moment := instant(now)
				at = &moment
				if _, err := tx.Exec(ctx, `UPDATE refresh_tokens SET revoked = true WHERE user_id = $1`, id); err != nil {
					return err
				}
			}
			if err := changeOne(ctx, tx, `UPDATE users SET disabled_at = $2, updated_at = $3 WHERE id = $1`, id, at, instant(now)); err != nil {
				return err
			}
		}
		return keepAdmin(ctx, tx)
	})
	if err != nil {
		return store.User{}, err
	}
	return s.UserByID(ctx, id)
}

// lockAdmins lets one transaction after the other count admins.
func lockAdmins(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT id FROM users WHERE role = $1 ORDER BY id FOR UPDATE`, string(store.RoleAdmin))
	return err
}

func changeOne(ctx context.Context, tx pgx.Tx, text string, args ...any) error {
	tag, err := tx.Exec(ctx, text, args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = store.ErrNotFound
	}
	return err
}

// keepAdmin fails, and with it the transaction, when nobody may administer any more.
func keepAdmin(ctx context.Context, tx pgx.Tx) error {
	var one int
	err := tx.QueryRow(ctx, `SELECT 1 FROM users WHERE role = $1 AND disabled_at IS NULL LIMIT 1`, string(store.RoleAdmin)).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrLastAdmin
	}
	return err
}

// DeleteUser removes a user and what belongs to it; the last admin stays.
func (s *Store) DeleteUser(ctx context.Context, id int64) error {
	return s.transaction(ctx, "delete user", func(ctx context.Context, tx pgx.Tx) error {
		if err := lockAdmins(ctx, tx); err != nil {
			return err
		}
		for _, text := range []string{`DELETE FROM refresh_tokens WHERE user_id = $1`, `DELETE FROM api_keys WHERE user_id = $1`} {
			if _, err := tx.Exec(ctx, text, id); err != nil {
				return err
			}
		}
		if err := changeOne(ctx, tx, `DELETE FROM users WHERE id = $1`, id); err != nil {
			return err
		}
		return keepAdmin(ctx, tx)
	})
}
