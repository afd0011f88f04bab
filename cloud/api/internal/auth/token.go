package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/2zrhun/city-flow/shared/store"
)

// The issuer and the audience of access tokens.
const (
	issuer   = "cityflow"
	audience = "cityflow-api"
)

// An Identity is who an access token or an API key speaks for.
type Identity struct {
	UserID int64
	// Role is what it may do; that of a key may be none.
	Role store.Role
	// KeyID is the API key, 0 for a person.
	KeyID int64
	// Expires is when the token or the key ends.
	Expires time.Time

	export bool // a key that may export
}

// MayExport reports whether the identity may take data out in bulk: every person, and keys
// with that scope.
func (i Identity) MayExport() bool {
	if i.KeyID != 0 {
		return i.export
	}
	return i.May(store.RoleViewer)
}

// rank orders the roles; an unknown one ranks lowest.
func rank(r store.Role) int {
	switch r {
	case store.RoleViewer:
		return 1
	case store.RoleOperator:
		return 2
	case store.RoleAdmin:
		return 3
	default:
		return 0
	}
}

// May reports whether the identity may do what needs role.
func (i Identity) May(role store.Role) bool {
	return rank(i.Role) >= max(1, rank(role))
}

type claims struct {
	Role store.Role `json:"role"`
	jwt.RegisteredClaims
}

// signer makes and checks access tokens.
type signer struct {
	key []byte
	ttl time.Duration
	now func() time.Time
}

func (s *signer) sign(u store.User) (token string, expires time.Time, err error) {
	now := s.now()
	expires = now.Add(s.ttl).Truncate(time.Second)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Role: u.Role,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience},
			Subject:  strconv.FormatInt(u.ID, 10),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
			ID: randomToken()[:22],
		},
	})
	token, err = t.SignedString(s.key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign access token: %w", err)
	}
	return token, expires.UTC(), nil
}

// verify returns ErrToken for whatever is wrong with the token.
func (s *signer) verify(token string) (Identity, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c,
		func(*jwt.Token) (any, error) { return s.key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithTimeFunc(s.now))
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	id, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil || rank(c.Role) == 0 {
		return Identity{}, fmt.Errorf("%w: subject %q, role %q", ErrToken, c.Subject, c.Role)
	}
	return Identity{UserID: id, Role: c.Role, Expires: c.ExpiresAt.Time}, nil
}

// hashToken is what the store keeps of a secret token. A plain hash is enough: the
// token is 256 random bits, not a password.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
