package auth_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
)

// clock is a time that the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func keeper(t *testing.T) (*auth.Keeper, *sqlite.Store, *clock) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &clock{now: time.Date(2026, 8, 24, 12, 0, 0, 0, time.UTC)}
	k, err := auth.New(auth.Config{
		Key: make([]byte, 32), Registration: true, AccessTTL: 15 * time.Minute, RefreshTTL: time.Hour,
	}, db, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return k, db, c
}

func TestTokensExpire(t *testing.T) {
	k, _, c := keeper(t)
	s, err := k.Register(t.Context(), "eve@city.example", "ten letters")
	if err != nil {
		t.Fatal(err)
	}
	c.add(14*time.Minute + 59*time.Second)
	id, err := k.Verify(s.Token)
	if err != nil || id.UserID != s.User.ID || !id.Expires.Equal(s.Expires) {
		t.Errorf("%+v %v", id, err)
	}
	c.add(time.Second)
	if _, err := k.Verify(s.Token); !errors.Is(err, auth.ErrToken) {
		t.Errorf("after 15 minutes: %v", err)
	}
	next, err := k.Refresh(t.Context(), s.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	c.add(time.Hour)
	if _, err := k.Refresh(t.Context(), next.RefreshToken); !errors.Is(err, auth.ErrToken) {
		t.Errorf("refresh token after an hour of silence: %v", err)
	}
}

func TestCodesExpireAndAreBounded(t *testing.T) {
	k, _, c := keeper(t)
	if _, err := k.EnsureAdmin(t.Context(), "ada@city.example", "correct horse"); err != nil {
		t.Fatal(err)
	}
	code := func() string {
		s, err := k.NewCode(t.Context(), "ada@city.example")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := code()
	c.add(auth.CodeTTL)
	if _, err := k.Link(t.Context(), old); !errors.Is(err, auth.ErrToken) {
		t.Errorf("code after its time: %v", err)
	}
	first := code()
	for range 99 {
		code()
	}
	last := code()
	if _, err := k.Link(t.Context(), first); !errors.Is(err, auth.ErrToken) {
		t.Errorf("the oldest of 101 codes: %v", err)
	}
	if s, err := k.Link(t.Context(), last); err != nil || s.User.Role != store.RoleAdmin {
		t.Errorf("the newest: %+v %v", s.User, err)
	}
	if _, err := k.NewCode(t.Context(), "nobody@city.example"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("code for nobody: %v", err)
	}
}

// One code is exchanged by many at once: one of them gets in.
func TestCodeIsUsedOnce(t *testing.T) {
	k, _, _ := keeper(t)
	if _, err := k.EnsureAdmin(t.Context(), "ada@city.example", "correct horse"); err != nil {
		t.Fatal(err)
	}
	code, err := k.NewCode(t.Context(), "ada@city.example")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	in := 0
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := k.Link(t.Context(), code); err == nil {
				mu.Lock()
				in++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if in != 1 {
		t.Errorf("%d logins with one code", in)
	}
}

func TestSecretsAreStoredHashed(t *testing.T) {
	k, db, _ := keeper(t)
	s, err := k.Register(t.Context(), "eve@city.example", "ten letters")
	if err != nil {
		t.Fatal(err)
	}
	u, err := db.UserByEmail(t.Context(), "eve@city.example")
	if err != nil || !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%q %v", u.PasswordHash, err)
	}
	// The store knows the token by its hash only.
	_, err = db.RotateRefreshToken(t.Context(), s.RefreshToken, store.RefreshToken{Hash: "x"}, time.Now())
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the token itself is in the store: %v", err)
	}
}

func TestAdminIsMadeOnlyWithoutUsers(t *testing.T) {
	k, _, _ := keeper(t)
	generated, err := k.EnsureAdmin(t.Context(), "ada@city.example", "")
	if err != nil || len(generated) < 16 {
		t.Fatalf("%q %v", generated, err)
	}
	if s, err := k.Login(t.Context(), "ada@city.example", generated); err != nil || s.User.Role != store.RoleAdmin {
		t.Errorf("%+v %v", s.User, err)
	}
	again, err := k.EnsureAdmin(t.Context(), "mallory@city.example", "")
	if err != nil || again != "" {
		t.Errorf("%q %v", again, err)
	}
	if _, err := k.Login(t.Context(), "mallory@city.example", "anything at all"); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("a second first admin: %v", err)
	}
}

// Many logins at once wait for their turn, and give up with their client.
func TestHashingIsBounded(t *testing.T) {
	k, _, _ := keeper(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() { _, _ = k.Login(ctx, "eve@city.example", "ten letters") })
	}
	cancel()
	if _, err := k.Login(ctx, "eve@city.example", "ten letters"); err == nil || errors.Is(err, auth.ErrCredentials) {
		t.Errorf("a login whose client has gone: %v", err)
	}
	wg.Wait()
	if _, err := k.Login(t.Context(), "eve@city.example", "ten letters"); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("after the rush: %v", err)
	}
}

func TestRoles(t *testing.T) {
	order := []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin}
	for i, have := range order {
		for j, need := range order {
			if got := (auth.Identity{Role: have}).May(need); got != (i >= j) {
				t.Errorf("%s may do what needs %s: %t", have, need, got)
			}
		}
	}
	for _, none := range []store.Role{"", "root"} {
		if (auth.Identity{Role: none}).May(store.RoleViewer) || (auth.Identity{Role: none}).May("") {
			t.Errorf("role %q may look", none)
		}
	}
}

func TestShortKeyIsRefused(t *testing.T) {
	if _, err := auth.New(auth.Config{Key: make([]byte, 31)}, nil, time.Now); err == nil {
		t.Error("31 bytes are taken")
	}
}
