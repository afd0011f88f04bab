package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

// The limits of a password. The upper one bounds the work of hashing.
const (
	MinPasswordChars = 10
	MaxPasswordBytes = 1024
)

// DefaultPasswordKiB is the memory that hashing a password takes. It is the second choice
// of OWASP's password storage cheat sheet: less memory than the first, for small
// machines, at the same strength.
const DefaultPasswordKiB = 19 * 1024

// hashers is how many passwords are hashed at once.
const hashers = 2

// maxHashWait is how long a login waits for its turn before it is told to come back.
const maxHashWait = 5 * time.Second

// passwords hashes and compares, a bounded number at a time.
type passwords struct {
	params *argon2id.Params
	turns  chan struct{}
	// decoy is a hash that no password matches; comparing with it takes as long
	// as with a user's.
	decoy string
}

func newPasswords(memoryKiB uint32) (*passwords, error) {
	p := &passwords{
		params: &argon2id.Params{Memory: memoryKiB, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		turns:  make(chan struct{}, hashers),
	}
	decoy, err := argon2id.CreateHash(rand.Text(), p.params)
	if err != nil {
		return nil, fmt.Errorf("hash decoy password: %w", err)
	}
	p.decoy = decoy
	return p, nil
}

func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	if err := p.turn(ctx); err != nil {
		return "", err
	}
	defer p.done()
	h, err := argon2id.CreateHash(password, p.params)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return h, nil
}

// matches compares with hash, or with the decoy when hash is empty.
func (p *passwords) matches(ctx context.Context, password, hash string) (bool, error) {
	if len(password) > MaxPasswordBytes {
		return false, nil
	}
	if err := p.turn(ctx); err != nil {
		return false, err
	}
	defer p.done()
	if hash == "" {
		_, err := argon2id.ComparePasswordAndHash(password, p.decoy)
		return false, err
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare password: %w", err)
	}
	return ok, nil
}

func (p *passwords) turn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxHashWait)
	defer cancel()
	select {
	case p.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (p *passwords) done() { <-p.turns }

// checkPassword judges a new password.
func checkPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return &InvalidError{Field: "password", Value: "(not shown)", Allowed: "UTF-8 text"}
	case n < MinPasswordChars:
		return &InvalidError{
			Field: "password", Value: fmt.Sprintf("%d characters", n),
			Allowed: fmt.Sprintf("at least %d characters", MinPasswordChars),
		}
	case len(password) > MaxPasswordBytes:
		return &InvalidError{
			Field: "password", Value: fmt.Sprintf("%d bytes", len(password)),
			Allowed: fmt.Sprintf("at most %d bytes", MaxPasswordBytes),
		}
	}
	return nil
}

// randomToken is 256 bits that nobody can guess, in characters safe for URLs.
func randomToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}
