package auth

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/2zrhun/city-flow/shared/store"
)

// TicketTTL is how long a ticket opens a stream.
const TicketTTL = 30 * time.Second

// ticketAudience keeps tickets and access tokens apart.
const ticketAudience = "cityflow-stream"

// ticketClaims say who asked and until when the stream may last. Any replica can read them.
type ticketClaims struct {
	Role store.Role       `json:"role"`
	Key  int64            `json:"key,omitempty"`
	Last *jwt.NumericDate `json:"last"`
	jwt.RegisteredClaims
}

// spent are the tickets that were used in this process and have not ended yet.
type spent struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

// first reports whether a ticket is used for the first time.
func (s *spent) first(id string, ends, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, end := range s.ends {
		if now.After(end) {
			delete(s.ends, other)
		}
	}
	if _, used := s.ends[id]; used {
		return false
	}
	if s.ends == nil {
		s.ends = map[string]time.Time{}
	}
	s.ends[id] = ends
	return true
}

// NewTicket makes what opens one stream within TicketTTL: unlike a token it may stand in an
// address, where it is of no use to whoever finds it later.
func (k *Keeper) NewTicket(who Identity) (ticket string, expires time.Time, err error) {
	now := k.now()
	expires = now.Add(TicketTTL).Truncate(time.Second)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, ticketClaims{
		Role: who.Role, Key: who.KeyID, Last: jwt.NewNumericDate(who.Expires),
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{ticketAudience}, Subject: strconv.FormatInt(who.UserID, 10),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires), ID: randomToken()[:22],
		},
	})
	ticket, err = t.SignedString(k.cfg.Key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign ticket: %w", err)
	}
	return ticket, expires.UTC(), nil
}

// Punch takes a ticket, once in this process; ErrToken when it is none of ours, has ended
// or was used.
func (k *Keeper) Punch(ctx context.Context, ticket string) (Identity, error) {
	var c ticketClaims
	_, err := jwt.ParseWithClaims(ticket, &c,
		func(*jwt.Token) (any, error) { return k.cfg.Key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(ticketAudience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(k.now))
	if err != nil {
		return Identity{}, fmt.Errorf("%w: ticket: %w", ErrToken, err)
	}
	id, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil || c.Last == nil || c.ID == "" {
		return Identity{}, fmt.Errorf("%w: ticket of %q", ErrToken, c.Subject)
	}
	if !k.spent.first(c.ID, c.ExpiresAt.Time, k.now()) {
		return Identity{}, fmt.Errorf("%w: the ticket was used", ErrToken)
	}
	return k.asOfNow(ctx, Identity{UserID: id, KeyID: c.Key, Role: c.Role, Expires: c.Last.Time})
}
