package api

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
)

// Every route of the router × everybody who may ask. A new route without a line here
// fails the test, so nobody opens one by accident.
func TestWhoMayAskWhat(t *testing.T) {
	const open, viewer, operator, admin = "", string(store.RoleViewer), string(store.RoleOperator), string(store.RoleAdmin)
	needs := map[string]string{
		"POST /api/auth/register": open, "POST /api/auth/login": open, "POST /api/auth/link": open,
		"POST /api/auth/refresh": open, "POST /api/auth/logout": open,
		"GET /api/openapi.json": open, "GET /api/docs": open, "GET /health": open, "GET /readyz": open,
		"GET /metrics": operator, "GET /api/me": viewer, "GET /api/roads": viewer,
		"GET /api/tiles/{z}/{x}/{y}.mvt": viewer,
		"GET /api/traffic/live":          viewer, "GET /api/traffic/history": viewer, "GET /api/predictions": viewer,
		"GET /api/predictions/skill": viewer, "GET /api/alerts": viewer,
		"GET /api/reroutes/recommended": viewer, "GET /ws/live": viewer, "GET /api/rejected": operator,
		"GET /api/gaps": operator, "GET /api/sensors": operator,
		"GET /api/edges": operator, "POST /api/edges": admin, "POST /api/edges/{edge_id}/revoke": admin,
		"POST /api/edges/enrol": open, "POST /api/edges/renew": open, "GET /api/edges/crl": open,
	}
	maps.Copy(needs, map[string]string{
		"GET /api/export/readings": viewer, "GET /api/export/predictions": viewer,
		"GET /api/keys": admin, "POST /api/keys": admin, "DELETE /api/keys/{id}": admin,
		"GET /api/users": admin, "POST /api/users": admin, "PATCH /api/users/{id}": admin, "DELETE /api/users/{id}": admin,
		"GET /api/stream": viewer, "POST /api/stream/ticket": viewer,
	})
	a, tokens := withUsers(t)
	for _, route := range a.server.Routes() {
		need, known := needs[route]
		if !known {
			t.Errorf("%s: nobody said here who may ask it", route)
			continue
		}
		method, path, _ := strings.Cut(route, " ")
		for i, role := range []store.Role{"", store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
			r := httptest.NewRequest(method, path, strings.NewReader("{}"))
			if path == "/api/stream" && role != "" { // which would not end
				ended, end := context.WithCancel(t.Context())
				end()
				r = r.WithContext(ended)
			}
			if role != "" {
				r.Header.Set("Authorization", "Bearer "+tokens[role])
			}
			w := httptest.NewRecorder()
			a.Handler().ServeHTTP(w, r)
			allowed := map[string]int{open: 0, viewer: 1, operator: 2, admin: 3}[need] <= i
			refused := w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden
			if refused == allowed {
				t.Errorf("%s asked by %q: %d", route, role, w.Code)
			}
			if refused && (w.Code == http.StatusUnauthorized) != (role == "") {
				t.Errorf("%s asked by %q: %d, want 401 for strangers and 403 for others", route, role, w.Code)
			}
		}
	}
}

// withUsers is an API with a token for each role.
func withUsers(t *testing.T) (*API, map[store.Role]string) {
	t.Helper()
	return withUsersOn(t, func(db *sqlite.Store) Store { return db })
}

// withUsersOn is one whose store is a database in some disguise.
func withUsersOn(t *testing.T, disguise func(*sqlite.Store) Store) (*API, map[store.Role]string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	news := inproc.New()
	t.Cleanup(func() { db.Close(); news.Close() })
	cfg := Default()
	cfg.TokenKey, cfg.OpenMetrics = make([]byte, 32), false
	a, err := New(cfg, Parts{Store: disguise(db), Bus: news, Metrics: prometheus.NewRegistry()}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[store.Role]string{}
	for _, role := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
		u, err := db.CreateUser(context.Background(), store.User{Email: string(role) + "@city.example", PasswordHash: "x", Role: role})
		if err != nil {
			t.Fatal(err)
		}
		code, err := a.keeper.NewCode(t.Context(), u.Email)
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.keeper.Link(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		tokens[role] = s.Token
	}
	return a, tokens
}
