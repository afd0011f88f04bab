package store

import (
	"context"
	"errors"
	"time"
)

// ErrLastAdmin is returned instead of leaving nobody who may administer.
var ErrLastAdmin = errors.New("the last admin stays")

// A UserChange says what becomes of a user; what is nil stays.
type UserChange struct {
	Role     *Role
	Disabled *bool
}

// Users lets admins look after the accounts.
type Users interface {
	// Users lists users by ID.
	Users(ctx context.Context, p Page) ([]User, Cursor, error)
	// ChangeUser changes a user and returns it. Disabling ends the user's refresh
	// tokens. ErrNotFound; ErrLastAdmin when no enabled admin would be left.
	ChangeUser(ctx context.Context, id int64, c UserChange, now time.Time) (User, error)
	// DeleteUser removes a user with its refresh tokens and keys. ErrNotFound;
	// ErrLastAdmin when no enabled admin would be left.
	DeleteUser(ctx context.Context, id int64) error
}
