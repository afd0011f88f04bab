package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
)

func is(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

func testUsers(t *testing.T, s store.Store) {
	ctx := t.Context()
	before := time.Now().Add(-time.Minute)
	ada := must(s.CreateUser(ctx, store.User{Email: "Ada.Éluard@Example.org", PasswordHash: "$argon2id$…", Role: store.RoleAdmin}))(t)
	if ada.ID == 0 || ada.CreatedAt.Before(before) || ada.CreatedAt.Location() != time.UTC || !ada.CreatedAt.Equal(ada.UpdatedAt) {
		t.Fatalf("created %+v, want an id and times of now in UTC", ada)
	}
	bob := must(s.CreateUser(ctx, store.User{Email: "bob@example.org", Role: store.RoleViewer}))(t)
	if bob.ID == ada.ID {
		t.Fatal("two users have the same id")
	}
	equal(t, "by id", must(s.UserByID(ctx, ada.ID))(t), ada)
	equal(t, "by e-mail", must(s.UserByEmail(ctx, "ADA.éluard@example.ORG"))(t), ada)
	_, err := s.CreateUser(ctx, store.User{Email: "ada.éLUARD@example.org"})
	is(t, "e-mail taken", err, store.ErrConflict)
	_, err = s.UserByEmail(ctx, "carol@example.org")
	is(t, "unknown e-mail", err, store.ErrNotFound)
	_, err = s.UserByID(ctx, 999)
	is(t, "unknown id", err, store.ErrNotFound)
	equal(t, "number", must(s.CountUsers(ctx))(t), int64(2))
}

func testRefreshTokens(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := must(s.CreateUser(ctx, store.User{Email: "a@example.org"}))(t)
	now := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	token := func(hash string) store.RefreshToken {
		return store.RefreshToken{Hash: hash, ExpiresAt: now.Add(time.Hour)}
	}
	first := store.RefreshToken{Hash: "h1", Family: "f", UserID: u.ID, ExpiresAt: now.Add(time.Minute)}
	check(t, s.PutRefreshToken(ctx, first))
	is(t, "same hash", s.PutRefreshToken(ctx, first), store.ErrConflict)
	if err := s.PutRefreshToken(ctx, store.RefreshToken{Hash: "x", Family: "x", UserID: 999, ExpiresAt: now}); err == nil {
		t.Error("a token of nobody was stored")
	}
	rotate := func(old, next string, now time.Time) (store.RefreshToken, error) {
		return s.RotateRefreshToken(ctx, old, token(next), now)
	}
	_, err := rotate("unknown", "h9", now)
	is(t, "unknown token", err, store.ErrNotFound)
	_, err = rotate("h1", "h9", now.Add(time.Minute))
	is(t, "token that expires now", err, store.ErrNotFound)
	want := token("h2")
	want.Family, want.UserID = "f", u.ID
	equal(t, "rotated", must(rotate("h1", "h2", now))(t), want)
	must(rotate("h2", "h3", now))(t)
	check(t, s.PutRefreshToken(ctx, store.RefreshToken{Hash: "other", Family: "g", UserID: u.ID, ExpiresAt: now.Add(time.Hour)}))
	_, err = rotate("h1", "h9", now)
	is(t, "token used before", err, store.ErrTokenReused)
	_, err = rotate("h3", "h9", now)
	is(t, "newest token of a revoked family", err, store.ErrNotFound)
	_, err = rotate("h1", "h9", now.Add(time.Hour))
	is(t, "used and expired", err, store.ErrTokenReused)
	must(rotate("other", "other2", now))(t)
	check(t, s.RevokeRefreshFamily(ctx, "unknown"))
	check(t, s.RevokeRefreshFamily(ctx, "other"))
	_, err = rotate("other2", "h9", now)
	is(t, "revoked family", err, store.ErrNotFound)
}

// Of many that offer the same token at once, one is served.
func testRefreshRace(t *testing.T, s store.Store) {
	ctx := t.Context()
	u := must(s.CreateUser(ctx, store.User{Email: "a@example.org"}))(t)
	now := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	check(t, s.PutRefreshToken(ctx, store.RefreshToken{Hash: "old", Family: "f", UserID: u.ID, ExpiresAt: now.Add(time.Hour)}))
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			next := store.RefreshToken{Hash: string(rune('a' + i)), ExpiresAt: now.Add(time.Hour)}
			_, errs[i] = s.RotateRefreshToken(ctx, "old", next, now)
		})
	}
	wg.Wait()
	served := 0
	for _, err := range errs {
		if err == nil {
			served++
		} else {
			is(t, "loser", err, store.ErrTokenReused)
		}
	}
	equal(t, "served", served, 1)
}
