package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

// CreateKey stores a key. Its time is the moment of the call.
func (s *Store) CreateKey(ctx context.Context, k store.Key) (store.Key, error) {
	k.Name, k.CreatedAt = row.Text(k.Name), instant(s.now())
	var expires *time.Time
	if !k.ExpiresAt.IsZero() {
		k.ExpiresAt = instant(k.ExpiresAt)
		expires = &k.ExpiresAt
	}
	err := s.call(ctx, "create key", func(ctx context.Context) error {
		err := s.pool.QueryRow(ctx, `INSERT INTO api_keys (hash, name, scopes, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			row.Text(k.Hash), k.Name, row.JoinScopes(k.Scopes), k.UserID, k.CreatedAt, expires).Scan(&k.ID)
		if hasCode(err, codeUnique) {
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
	err := s.each(ctx, verb, sel, func(rows pgx.Rows) error {
		var k store.Key
		var scopes string
		var expires, used *time.Time
		err := rows.Scan(&k.ID, &k.Hash, &k.Name, &scopes, &k.UserID, &k.CreatedAt, &expires, &used)
		k.Scopes, k.CreatedAt, k.ExpiresAt, k.UsedAt = row.SplitScopes(scopes), k.CreatedAt.UTC(), timeOrZero(expires), timeOrZero(used)
		out = append(out, k)
		return err
	})
	return out, err
}

// UseKey notes when a key was last used.
func (s *Store) UseKey(ctx context.Context, id int64, at time.Time) error {
	return s.call(ctx, "note use of key", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `UPDATE api_keys SET used_at = $2 WHERE id = $1`, id, instant(at))
		return err
	})
}

// DeleteKey removes a key.
func (s *Store) DeleteKey(ctx context.Context, id int64) error {
	return s.transaction(ctx, "delete key", func(ctx context.Context, tx pgx.Tx) error {
		return changeOne(ctx, tx, `DELETE FROM api_keys WHERE id = $1`, id)
	})
}
