package api_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/store"
)

func TestRegisterLoginRefreshLogout(t *testing.T) {
	c := start(t)
	s := c.viewer("eve")
	if s.User.Role != "viewer" || s.User.Email != "eve@city.example" {
		t.Errorf("user %+v", s.User)
	}
	if left := time.Until(s.ExpiresAt); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the access token lives %s, want 15 minutes", left)
	}
	var me struct {
		Email, Role string
		ID          int64
	}
	c.get("/api/me", s.Token).want(200).into(&me)
	if me.Email != s.User.Email || me.ID != s.User.ID {
		t.Errorf("me %+v", me)
	}

	var again session
	c.ask("POST", "/api/auth/login", login("EVE@city.example", "ten letters")).want(200).into(&again)
	if again.User.ID != s.User.ID {
		t.Error("the case of the e-mail address matters")
	}

	var next session
	c.ask("POST", "/api/auth/refresh", credentials{"refresh_token": s.RefreshToken}).want(200).into(&next)
	c.get("/api/me", next.Token).want(200)
	if next.RefreshToken == s.RefreshToken {
		t.Error("the refresh token did not change")
	}

	c.ask("POST", "/api/auth/logout", credentials{"refresh_token": next.RefreshToken}).want(204)
	c.ask("POST", "/api/auth/refresh", credentials{"refresh_token": next.RefreshToken}).problem(401, "unauthorized")
	c.ask("POST", "/api/auth/logout", credentials{"refresh_token": "never heard of"}).want(204)
	// The other login of the same user goes on.
	c.ask("POST", "/api/auth/refresh", credentials{"refresh_token": again.RefreshToken}).want(200)
}

func TestStolenRefreshTokenEndsItsFamily(t *testing.T) {
	c := start(t)
	s := c.viewer("eve")
	var next session
	c.ask("POST", "/api/auth/refresh", credentials{"refresh_token": s.RefreshToken}).want(200).into(&next)
	c.ask("POST", "/api/auth/refresh", credentials{"refresh_token": s.RefreshToken}).problem(401, "unauthorized")
	c.ask("POST", "/api/auth/refresh", credentials{"refresh_token": next.RefreshToken}).problem(401, "unauthorized")
	if !strings.Contains(c.logs.String(), "a refresh token was used twice") {
		t.Error("the log does not say so")
	}
}

func TestWrongCredentials(t *testing.T) {
	c := start(t)
	c.viewer("eve")
	wrong := c.ask("POST", "/api/auth/login", login("eve@city.example", "ten letterz"))
	unknown := c.ask("POST", "/api/auth/login", login("nobody@city.example", "ten letters"))
	if wrong.problem(401, "unauthorized").Detail != unknown.problem(401, "unauthorized").Detail {
		t.Error("the answer tells which addresses have an account")
	}
	if wrong.header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	c.ask("POST", "/api/auth/register", login("EVE@city.example", "ten letters")).problem(409, "conflict")
	for _, e := range []string{"", "eve", "Eve <eve@city.example>", "eve@", strings.Repeat("e", 250) + "@city.example"} {
		if p := c.ask("POST", "/api/auth/register", login(e, "ten letters")).problem(400, "bad-parameter"); p.Parameter != "email" {
			t.Errorf("%q: %+v", e, p)
		}
	}
	for _, w := range []string{"", "too short", strings.Repeat("x", 1025)} {
		p := c.ask("POST", "/api/auth/register", login("new@city.example", w)).problem(400, "bad-parameter")
		if p.Parameter != "password" || w != "" && strings.Contains(p.Detail, w) {
			t.Errorf("%q: %+v", w, p)
		}
	}
	// Ten characters, not ten bytes.
	c.ask("POST", "/api/auth/register", login("long@city.example", "éééééééééé")).want(201)
}

func TestBodies(t *testing.T) {
	c := start(t)
	for name, b := range map[string]struct {
		body   string
		status int
		kind   string
		says   string
	}{
		"empty":         {"", 400, "bad-body", "too early"},
		"no object":     {"[]", 400, "bad-body", "array"},
		"cut":           {`{"email":"a`, 400, "bad-body", "too early"},
		"syntax":        {`{"email":}`, 400, "bad-body", "at byte 10"},
		"wrong type":    {`{"email":3,"password":"x"}`, 400, "bad-body", "email must not be a number"},
		"unknown field": {`{"email":"a@b.c","password":"x","admin":true}`, 400, "bad-body", `unknown field "admin"`},
		"two values":    {`{"email":"a@b.c","password":"x"} {}`, 400, "bad-body", "more than one"},
		"missing":       {`{"email":"a@b.c"}`, 400, "bad-body", "required"},
		"not UTF-8":     {"{\"email\":\"\xff\",\"password\":\"x\"}", 400, "bad-body", "UTF-8"},
		"too large":     {`{"email":"` + strings.Repeat("a", 70_000) + `"}`, 413, "too-large", "64 KiB"},
	} {
		if p := c.ask("POST", "/api/auth/login", b.body).problem(b.status, b.kind); !strings.Contains(p.Detail, b.says) {
			t.Errorf("%s: %q does not say %q", name, p.Detail, b.says)
		}
	}
	c.ask("POST", "/api/auth/login", "email=a", "Content-Type", "application/x-www-form-urlencoded").problem(415, "unsupported-media-type")
	c.ask("POST", "/api/auth/login", "{}", "Content-Type", "").problem(415, "unsupported-media-type")
	c.ask("POST", "/api/auth/login?email=a@b.c", login("a@b.c", "x")).problem(400, "bad-parameter")
}

func TestRegistrationCanBeSwitchedOff(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.Registration = false })
	c.ask("POST", "/api/auth/register", login("eve@city.example", "ten letters")).problem(403, "forbidden")
	c.admin()
}

// forge signs claims with a key, as the given algorithm claims to.
func forge(alg string, key []byte, claims map[string]any) string {
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(map[string]string{"alg": alg, "typ": "JWT"}) + "." + part(claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	if alg == "none" {
		return signed + "."
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestForgedTokensAreRefused(t *testing.T) {
	c := start(t)
	s := c.admin()
	key := []byte("0123456789abcdef0123456789abcdef")
	good := func() map[string]any {
		return map[string]any{
			"iss": "cityflow", "aud": "cityflow-api", "sub": "1", "role": "admin",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
	}
	with := func(name string, v any) map[string]any {
		m := good()
		m[name] = v
		if v == nil {
			delete(m, name)
		}
		return m
	}
	c.get("/api/me", forge("HS256", key, good())).want(200) // the forge works
	for name, token := range map[string]string{
		"nothing":        "",
		"no token":       "abc",
		"cut":            s.Token[:len(s.Token)-5],
		"none":           forge("none", nil, good()),
		"other alg":      forge("HS384", key, good()),
		"other key":      forge("HS256", []byte("fedcba9876543210fedcba9876543210"), good()),
		"other issuer":   forge("HS256", key, with("iss", "somebody")),
		"other audience": forge("HS256", key, with("aud", "another-api")),
		"expired":        forge("HS256", key, with("exp", time.Now().Add(-time.Second).Unix())),
		"for ever":       forge("HS256", key, with("exp", nil)),
		"no subject":     forge("HS256", key, with("sub", nil)),
		"made-up role":   forge("HS256", key, with("role", "root")),
		"a refresh one":  s.RefreshToken,
	} {
		a := c.get("/api/me", token)
		a.problem(401, "unauthorized")
		if a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
	}
	c.get("/api/me?token="+s.Token, "").problem(401, "unauthorized") // only streams take it there
	c.get("/api/me", forge("HS256", key, with("sub", "4711"))).problem(401, "unauthorized")
}

func TestLoginLink(t *testing.T) {
	c := start(t)
	code, err := c.api.LoginCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var s session
	c.ask("POST", "/api/auth/link", credentials{"code": code}).want(200).into(&s)
	if s.User.Email != adminEmail || s.User.Role != "admin" {
		t.Errorf("user %+v", s.User)
	}
	c.get("/api/me", s.Token).want(200)
	c.ask("POST", "/api/auth/link", credentials{"code": code}).problem(401, "unauthorized")
	c.ask("POST", "/api/auth/link", credentials{"code": "guess"}).problem(401, "unauthorized")
	c.ask("POST", "/api/auth/link", credentials{"code": ""}).problem(400, "bad-body")
	if strings.Contains(c.logs.String(), code) || strings.Contains(c.logs.String(), s.Token) {
		t.Error("a secret is in the log")
	}
}

func TestFirstAdminIsMadeOnce(t *testing.T) {
	random := func(cfg *api.Config, _ *api.Parts) { cfg.AdminPassword = "" }
	c := start(t, random)
	c.eventually("announcement", func() bool {
		_, err := c.store.UserByEmail(t.Context(), adminEmail)
		return err == nil
	})
	if _, err := c.api.LoginCode(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.stop()
	if len(c.announced) != 1 {
		t.Fatalf("announced %q, want once", c.announced)
	}
	password := strings.TrimPrefix(c.announced[0], adminEmail+" ")
	if len(password) < 16 || strings.Contains(c.logs.String(), password) {
		t.Errorf("password %q, or it is in the log", password)
	}

	// With users, nobody else becomes admin.
	other := start(t, random, func(cfg *api.Config, p *api.Parts) { p.Store = c.store; cfg.AdminEmail = "mallory@city.example" })
	if _, err := other.api.LoginCode(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("code for somebody who is no user: %v", err)
	}
	var s session
	other.ask("POST", "/api/auth/login", login(adminEmail, password)).want(200).into(&s)
	if s.User.Role != "admin" || len(other.announced) != 0 {
		t.Errorf("role %s, announced %v", s.User.Role, other.announced)
	}
}
