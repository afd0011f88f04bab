package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

// CreateKey stores a key. Its time is the moment of the call.
func (s *Store) CreateKey(ctx context.Context, k store.Key) (store.Key, error) {
	k.Name, k.CreatedAt = row.Text(k.Name), row.Time(row.Micros(s.now()))
	if !k.ExpiresAt.IsZero() {
		k.ExpiresAt = row.Time(row.Micros(k.ExpiresAt))
	}
	err := s.write(ctx, "create key", func(ctx context.Context, w *writer) error {
		err := w.row(ctx, `INSERT INTO api_keys (hash, name, scopes, user_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
			[]any{row.Text(k.Hash), k.Name, row.JoinScopes(k.Scopes), k.UserID, row.Micros(k.CreatedAt), moment(k.ExpiresAt)}, &k.ID)
		if isUnique(err) {
			return fmt.Errorf("key: %w", store.ErrConflict)
		}
		return err
	})
	if err != nil {
		return store.Key{}, err
	}
	return k, nil
}

const keyQuery = `SELECT id, hash, name, scopes, user_id, created_at, expires_at, used_at FROM api_keys `

// Keys lists all keys, the newest first.
func (s *Store) Keys(ctx context.Context) ([]store.Key, error) {
	return s.keys(ctx, "list keys", new(query).add(keyQuery+`ORDER BY id DESC`))
}

// KeyByHash finds a key.
func (s *Store) KeyByHash(ctx context.Context, hash string) (store.Key, error) {
	ks, err := s.keys(ctx, "find key", new(query).add(keyQuery+`WHERE hash = ?`, row.Text(hash)))
	switch {
	case err != nil:
		return store.Key{}, err
	case len(ks) == 0:
		return store.Key{}, fmt.Errorf("find key: %w", store.ErrNotFound)
	}
	return ks[0], nil
}

func (s *Store) keys(ctx context.Context, verb string, sel *query) ([]store.Key, error) {
	var out []store.Key
	err := s.each(ctx, verb, sel, func(rows *sql.Rows) error {
		var k store.Key
		var scopes string
		var created int64
		var expires, used sql.NullInt64
		err := rows.Scan(&k.ID, &k.Hash, &k.Name, &scopes, &k.UserID, &created, &expires, &used)
		k.Scopes, k.CreatedAt, k.ExpiresAt, k.UsedAt = row.SplitScopes(scopes), row.Time(created), timeOrZero(expires), timeOrZero(used)
		out = append(out, k)
		return err
	})
	return out, err
}

// UseKey notes when a key was last used.
func (s *Store) UseKey(ctx context.Context, id int64, at time.Time) error {
	return s.write(ctx, "note use of key", func(ctx context.Context, w *writer) error {
		return w.exec(ctx, `UPDATE api_keys SET used_at = ? WHERE id = ?`, row.Micros(at), id)
	})
}

// DeleteKey removes a key.
func (s *Store) DeleteKey(ctx context.Context, id int64) error {
	return s.write(ctx, "delete key", func(ctx context.Context, w *writer) error {
		return w.changeOne(ctx, `DELETE FROM api_keys WHERE id = ?`, id)
	})
}
