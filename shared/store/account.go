package store

import (
	"context"
	"time"
)

// Role is what a user may do: each includes the ones before it.
type Role string

// The roles, weakest first.
const (
	RoleViewer   Role = "viewer"
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
)

// A User is a person who can log in. ID is given by the store.
type User struct {
	ID    int64
	Email string
	// PasswordHash is an encoded hash with its parameters and salt, never a
	// password.
	PasswordHash         string
	Role                 Role
	CreatedAt, UpdatedAt time.Time
	// DisabledAt is when the user was shut out; zero while it may log in.
	DisabledAt time.Time
}

// A RefreshToken lets a client get a new access token. Only the hash is stored.
// A login begins a Family; each exchange replaces the token within it.
type RefreshToken struct {
	Hash      string
	Family    string
	UserID    int64
	ExpiresAt time.Time
}

// Accounts keeps users and their refresh tokens.
type Accounts interface {
	// CreateUser stores u and returns it with its ID and times. E-mail addresses
	// are compared without case; ErrConflict when taken.
	CreateUser(ctx context.Context, u User) (User, error)
	// UserByEmail returns ErrNotFound when there is none.
	UserByEmail(ctx context.Context, email string) (User, error)
	// UserByID returns ErrNotFound when there is none.
	UserByID(ctx context.Context, id int64) (User, error)
	// CountUsers is how many users exist.
	CountUsers(ctx context.Context) (int64, error)
	// PutRefreshToken stores a new token.
	PutRefreshToken(ctx context.Context, t RefreshToken) error
	// RotateRefreshToken exchanges the token with hash old for next in one
	// transaction; next takes over the family and the user, which are returned.
	// ErrNotFound when old is unknown, expired at now or revoked;
	// ErrTokenReused when it was exchanged before: then the family is revoked.
	RotateRefreshToken(ctx context.Context, old string, next RefreshToken, now time.Time) (RefreshToken, error)
	// RevokeRefreshFamily ends the family of the token with this hash. An
	// unknown hash is not an error.
	RevokeRefreshFamily(ctx context.Context, hash string) error
}
