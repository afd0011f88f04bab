package enrolment

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Errors of this package; ask with errors.Is.
var (
	// ErrNoAuthority is returned when there is nothing to sign with.
	ErrNoAuthority = errors.New("no authority is configured")
	// ErrToken is returned for an invitation that is unknown, used or expired.
	ErrToken = errors.New("invitation is not valid")
	// ErrRevoked is returned for a certificate that is none of ours or was revoked or
	// replaced, ErrExpired for one that has ended.
	ErrRevoked = errors.New("certificate is revoked or unknown")
	ErrExpired = errors.New("certificate has ended")
)

// A RequestError says what is wrong with what an edge sent.
type RequestError struct{ Err error }

// Error is the reason.
func (e *RequestError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *RequestError) Unwrap() error { return e.Err }

const (
	// InvitationTTL is how long an invitation may wait for its edge.
	InvitationTTL = 24 * time.Hour
	// listTTL is how long a revocation list is handed out before it is signed anew.
	listTTL = time.Hour
)

// A Keeper keeps the edges' door. It is safe for concurrent use.
type Keeper struct {
	edges store.Edges
	ca    *pki.Authority
	now   func() time.Time

	mu   sync.Mutex
	list List // guarded by mu
}

// New returns a Keeper of edges. Without an authority it only lists them.
func New(edges store.Edges, ca *pki.Authority, now func() time.Time) *Keeper {
	return &Keeper{edges: edges, ca: ca, now: now}
}

// Invite makes the secret with which an edge may enrol once, and when that ends. An
// earlier invitation of the same edge ends now.
func (k *Keeper) Invite(ctx context.Context, edge traffic.EdgeID, label string) (token string, expires time.Time, err error) {
	if k.ca == nil {
		return "", time.Time{}, ErrNoAuthority
	}
	now := k.now()
	selector, secret := random(9), random(32)
	expires = now.Add(InvitationTTL).UTC().Truncate(time.Second)
	err = k.edges.InviteEdge(ctx, store.EdgeInvitation{
		Edge: edge, Label: label, Selector: selector, SecretHash: hash(secret), ExpiresAt: expires,
	}, now)
	if err != nil {
		return "", time.Time{}, err
	}
	return selector + "." + secret, expires, nil
}

// Enrol exchanges an invitation for a certificate.
func (k *Keeper) Enrol(ctx context.Context, in pki.Enrolment) (pki.Grant, error) {
	if k.ca == nil {
		return pki.Grant{}, ErrNoAuthority
	}
	i, err := k.invitation(ctx, in.Token)
	if err != nil {
		return pki.Grant{}, err
	}
	req, err := pki.CheckRequest(in.Request)
	if err != nil {
		return pki.Grant{}, &RequestError{err}
	}
	now := k.now()
	issued, err := k.ca.Issue(req, string(i.Edge), now)
	if err != nil {
		return pki.Grant{}, err
	}
	err = k.edges.EnrolEdge(ctx, i.Selector, certificateOf(i.Edge, issued), now)
	if errors.Is(err, store.ErrNotFound) {
		return pki.Grant{}, fmt.Errorf("%w: somebody was faster", ErrToken)
	}
	if err != nil {
		return pki.Grant{}, err
	}
	return k.grant(i.Edge, issued), nil
}

// invitation finds the one that a token is for. What is looked up is no secret; the
// secret is compared in constant time.
func (k *Keeper) invitation(ctx context.Context, token string) (store.EdgeInvitation, error) {
	selector, secret, _ := strings.Cut(token, ".")
	i, err := k.edges.EdgeInvitation(ctx, selector)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return i, fmt.Errorf("%w: unknown", ErrToken)
	case err != nil:
		return i, err
	case subtle.ConstantTimeCompare([]byte(hash(secret)), []byte(i.SecretHash)) != 1:
		return i, fmt.Errorf("%w: wrong secret", ErrToken)
	case !k.now().Before(i.ExpiresAt):
		return i, fmt.Errorf("%w: it ended at %s", ErrToken, i.ExpiresAt)
	}
	return i, nil
}

// Renew exchanges a certificate for its successor.
func (k *Keeper) Renew(ctx context.Context, in pki.Renewal) (pki.Grant, error) {
	if k.ca == nil {
		return pki.Grant{}, ErrNoAuthority
	}
	req, old, err := in.Check()
	if err != nil {
		return pki.Grant{}, &RequestError{err}
	}
	now := k.now()
	if now.After(old.NotAfter) {
		return pki.Grant{}, ErrExpired
	}
	if err := k.ca.Check(old, now); err != nil {
		return pki.Grant{}, fmt.Errorf("%w: %w", ErrRevoked, err)
	}
	edge := traffic.EdgeID(old.Subject.CommonName)
	issued, err := k.ca.Issue(req, string(edge), now)
	if err != nil {
		return pki.Grant{}, err
	}
	err = k.edges.RenewEdge(ctx, pki.Serial(old.SerialNumber), certificateOf(edge, issued), now)
	if errors.Is(err, store.ErrNotFound) {
		return pki.Grant{}, ErrRevoked
	}
	if err != nil {
		return pki.Grant{}, err
	}
	return k.grant(edge, issued), nil
}

// Revoke shuts an edge out; store.ErrNotFound when there is none of that name.
func (k *Keeper) Revoke(ctx context.Context, edge traffic.EdgeID) error {
	return k.edges.RevokeEdge(ctx, edge, k.now())
}

// A List is a signed revocation list.
type List struct {
	DER []byte
	// Version changes when the list does.
	Version string
	signed  time.Time
	content string
}

// RevocationList is the newest list. It is signed anew when its content changed, or an
// hour after the last time.
func (k *Keeper) RevocationList(ctx context.Context) (List, error) {
	if k.ca == nil {
		return List{}, ErrNoAuthority
	}
	now := k.now()
	certs, err := k.edges.RevokedEdgeCertificates(ctx, now)
	if err != nil {
		return List{}, err
	}
	revoked := make([]pki.Revoked, len(certs))
	var content strings.Builder
	for i, c := range certs {
		revoked[i] = pki.Revoked{Serial: c.Serial, At: c.RevokedAt}
		content.WriteString(c.Serial + "\n")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list.DER != nil && k.list.content == content.String() && now.Sub(k.list.signed) < listTTL {
		return k.list, nil
	}
	der, err := k.ca.RevocationList(revoked, now)
	if err != nil {
		return List{}, err
	}
	k.list = List{DER: der, Version: hash(string(der))[:16], signed: now, content: content.String()}
	return k.list, nil
}

func (k *Keeper) grant(edge traffic.EdgeID, issued pki.Issued) pki.Grant {
	return pki.Grant{Edge: string(edge), Certificate: string(issued.PEM), Authority: string(k.ca.PEM()), NotAfter: issued.NotAfter}
}

func certificateOf(edge traffic.EdgeID, issued pki.Issued) store.EdgeCertificate {
	return store.EdgeCertificate{Serial: issued.Serial, Edge: edge, NotAfter: issued.NotAfter}
}

// random is n bytes that nobody can guess, in characters safe for URLs.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
