package store

import (
	"context"
	"time"
)

// A Scope is something that an API key may do.
type Scope string

// The scopes.
const (
	// ScopeRead is what viewers may, exports left out.
	ScopeRead Scope = "read"
	// ScopeWrite is what operators may, exports left out; it includes ScopeRead.
	ScopeWrite Scope = "write"
	// ScopeExport is exports.
	ScopeExport Scope = "export"
)

// A Key lets a program in for the user who made it. Only the hash of the secret is stored.
type Key struct {
	ID     int64
	Hash   string
	Name   string
	Scopes []Scope
	UserID int64
	// ExpiresAt is zero when the key has no end, UsedAt when it was never used.
	CreatedAt, ExpiresAt, UsedAt time.Time
}

// Keys keeps API keys.
type Keys interface {
	// CreateKey stores k and returns it with its ID and CreatedAt; ErrConflict when the
	// hash exists.
	CreateKey(ctx context.Context, k Key) (Key, error)
	// Keys lists all keys, the newest first.
	Keys(ctx context.Context) ([]Key, error)
	// KeyByHash returns ErrNotFound when there is none.
	KeyByHash(ctx context.Context, hash string) (Key, error)
	// UseKey notes when a key was last used. An unknown id is not an error.
	UseKey(ctx context.Context, id int64, at time.Time) error
	// DeleteKey returns ErrNotFound when there is none.
	DeleteKey(ctx context.Context, id int64) error
}
