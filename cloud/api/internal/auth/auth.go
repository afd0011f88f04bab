package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"sync/atomic"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
)

// Errors of this package; ask with errors.Is.
var (
	// ErrCredentials is returned for a wrong e-mail address or password; it does
	// not say which.
	ErrCredentials = errors.New("wrong e-mail address or password")
	// ErrToken is returned for a token or code that is unknown, used or expired.
	ErrToken = errors.New("token is not valid")
	// ErrRegistration is returned when accounts are made by the operator only.
	ErrRegistration = errors.New("registration is switched off")
	// ErrBusy is returned when too many passwords wait to be checked.
	ErrBusy = errors.New("too many logins at once")
)

// An InvalidError says what is wrong with an e-mail address or a new password.
type InvalidError struct {
	Field, Value, Allowed string
}

// Error names the field, what was found and what is allowed.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s: %s is not allowed: want %s", e.Field, e.Value, e.Allowed)
}

// MinKeyBytes is the shortest signing key that is taken.
const MinKeyBytes = 32

// maxEmailBytes is the longest address that mail can carry.
const maxEmailBytes = 254

// Config are the settings of a Keeper.
type Config struct {
	// Key signs access tokens, at least MinKeyBytes of secret.
	Key []byte
	// Registration lets anybody make an account.
	Registration bool
	// AccessTTL and RefreshTTL are how long tokens live.
	AccessTTL, RefreshTTL time.Duration
	// PasswordKiB is the memory that hashing a new password takes; 0 means
	// DefaultPasswordKiB. Hashes that were made with more or less stay valid.
	PasswordKiB uint32
}

// A Keeper keeps the door. It is safe for concurrent use.
type Keeper struct {
	cfg      Config
	accounts Accounts
	now      func() time.Time
	words    *passwords
	signer   signer
	codes    codes
	spent    spent
	standing atomic.Pointer[standing]
	uses     uses
}

// Accounts is what a Keeper needs of a store.
type Accounts interface {
	store.Accounts
	store.Users
	store.Keys
}

// New returns a Keeper of accounts; now is its clock.
func New(cfg Config, accounts Accounts, now func() time.Time) (*Keeper, error) {
	if len(cfg.Key) < MinKeyBytes {
		return nil, fmt.Errorf("token key: %d bytes are not allowed: want at least %d", len(cfg.Key), MinKeyBytes)
	}
	words, err := newPasswords(cmp.Or(cfg.PasswordKiB, DefaultPasswordKiB))
	if err != nil {
		return nil, err
	}
	return &Keeper{
		cfg: cfg, accounts: accounts, now: now, words: words,
		signer: signer{key: cfg.Key, ttl: cfg.AccessTTL, now: now},
		codes:  codes{now: now},
	}, nil
}

// A Session is what a login gives.
type Session struct {
	Token, RefreshToken string
	// Expires is when Token ends.
	Expires time.Time
	User    store.User
}

// Register makes an account with the role viewer and logs it in. ErrRegistration,
// an *InvalidError, or store.ErrConflict when the address is taken.
func (k *Keeper) Register(ctx context.Context, email, password string) (Session, error) {
	if !k.cfg.Registration {
		return Session{}, ErrRegistration
	}
	u, err := k.create(ctx, email, password, store.RoleViewer)
	if err != nil {
		return Session{}, err
	}
	return k.begin(ctx, u)
}

func (k *Keeper) create(ctx context.Context, email, password string, role store.Role) (store.User, error) {
	if err := checkEmail(email); err != nil {
		return store.User{}, err
	}
	if err := checkPassword(password); err != nil {
		return store.User{}, err
	}
	hash, err := k.words.hash(ctx, password)
	if err != nil {
		return store.User{}, err
	}
	u, err := k.accounts.CreateUser(ctx, store.User{Email: email, PasswordHash: hash, Role: role})
	if err != nil {
		return store.User{}, fmt.Errorf("create user: %w", err)
	}
	return u, nil
}

// Login exchanges an e-mail address and a password; ErrCredentials when they do not
// belong together.
func (k *Keeper) Login(ctx context.Context, email, password string) (Session, error) {
	u, err := k.accounts.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Session{}, fmt.Errorf("find user: %w", err)
	}
	ok, err := k.words.matches(ctx, password, u.PasswordHash)
	if err != nil {
		return Session{}, err
	}
	if !ok || !u.DisabledAt.IsZero() {
		return Session{}, ErrCredentials
	}
	return k.begin(ctx, u)
}

// begin starts a family of refresh tokens.
func (k *Keeper) begin(ctx context.Context, u store.User) (Session, error) {
	refresh := randomToken()
	err := k.accounts.PutRefreshToken(ctx, store.RefreshToken{
		Hash: hashToken(refresh), Family: randomToken(), UserID: u.ID,
		ExpiresAt: k.now().Add(k.cfg.RefreshTTL).UTC(),
	})
	if err != nil {
		return Session{}, fmt.Errorf("keep refresh token: %w", err)
	}
	return k.session(u, refresh)
}

func (k *Keeper) session(u store.User, refresh string) (Session, error) {
	token, expires, err := k.signer.sign(u)
	if err != nil {
		return Session{}, err
	}
	return Session{Token: token, RefreshToken: refresh, Expires: expires, User: u}, nil
}

// Refresh exchanges a refresh token for new tokens. ErrToken when it is unknown,
// expired or revoked, and when it was exchanged before: then its family has ended.
func (k *Keeper) Refresh(ctx context.Context, token string) (Session, error) {
	next := randomToken()
	now := k.now().UTC()
	kept, err := k.accounts.RotateRefreshToken(ctx, hashToken(token),
		store.RefreshToken{Hash: hashToken(next), ExpiresAt: now.Add(k.cfg.RefreshTTL)}, now)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrTokenReused):
		return Session{}, fmt.Errorf("%w: %w", ErrToken, err)
	case err != nil:
		return Session{}, fmt.Errorf("rotate refresh token: %w", err)
	}
	u, err := k.User(ctx, kept.UserID)
	if err != nil {
		return Session{}, err
	}
	return k.session(u, next)
}

// Logout ends the family of a refresh token. An unknown one is not an error.
func (k *Keeper) Logout(ctx context.Context, token string) error {
	if err := k.accounts.RevokeRefreshFamily(ctx, hashToken(token)); err != nil {
		return fmt.Errorf("revoke refresh tokens: %w", err)
	}
	return nil
}

// Verify checks an access token; ErrToken when it is not one of ours or has ended.
func (k *Keeper) Verify(token string) (Identity, error) { return k.signer.verify(token) }

// User returns the account; ErrToken when it is gone or was shut out, because then its
// tokens mean nothing.
func (k *Keeper) User(ctx context.Context, id int64) (store.User, error) {
	u, err := k.accounts.UserByID(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.User{}, fmt.Errorf("%w: user %d does not exist", ErrToken, id)
	case err != nil:
		return store.User{}, fmt.Errorf("find user: %w", err)
	case !u.DisabledAt.IsZero():
		return store.User{}, fmt.Errorf("%w: user %d is disabled", ErrToken, id)
	}
	return u, nil
}

// NewCode makes a login code for the user with this e-mail address. It works once,
// within CodeTTL, in this process. store.ErrNotFound when there is no such user.
func (k *Keeper) NewCode(ctx context.Context, email string) (string, error) {
	u, err := k.accounts.UserByEmail(ctx, email)
	if err != nil {
		return "", fmt.Errorf("find user %q: %w", email, err)
	}
	return k.codes.add(u.ID), nil
}

// Link exchanges a login code; ErrToken when it is unknown, used or expired.
func (k *Keeper) Link(ctx context.Context, code string) (Session, error) {
	id, ok := k.codes.take(code)
	if !ok {
		return Session{}, fmt.Errorf("%w: login code", ErrToken)
	}
	u, err := k.User(ctx, id)
	if err != nil {
		return Session{}, err
	}
	return k.begin(ctx, u)
}

// EnsureAdmin creates the first admin when there are no users. An empty password
// is replaced by a random one, which is returned once; otherwise the answer is empty.
func (k *Keeper) EnsureAdmin(ctx context.Context, email, password string) (generated string, err error) {
	n, err := k.accounts.CountUsers(ctx)
	if err != nil {
		return "", fmt.Errorf("count users: %w", err)
	}
	if n > 0 {
		return "", nil
	}
	if password == "" {
		generated = randomToken()[:20]
		password = generated
	}
	_, err = k.create(ctx, email, password, store.RoleAdmin)
	if errors.Is(err, store.ErrConflict) {
		return "", nil // another replica was first
	}
	if err != nil {
		return "", fmt.Errorf("create first admin: %w", err)
	}
	return generated, nil
}

// CheckAdmin judges the settings of the first admin without creating it.
func CheckAdmin(email, password string) error {
	if err := checkEmail(email); err != nil {
		return err
	}
	if password == "" {
		return nil
	}
	return checkPassword(password)
}

func checkEmail(email string) error {
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > maxEmailBytes {
		return &InvalidError{
			Field: "email", Value: fmt.Sprintf("%q", email),
			Allowed: fmt.Sprintf("an e-mail address of at most %d bytes", maxEmailBytes),
		}
	}
	return nil
}
