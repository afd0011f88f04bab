package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/2zrhun/city-flow/cloud/api"
)

func TestWhatIsNotThere(t *testing.T) {
	c := start(t)
	token := c.admin().Token
	for _, path := range []string{"/api/nowhere", "/api", "/api/", "/api/roads/", "/ws/other"} {
		c.get(path, token).problem(404, "not-found")
	}
	a := c.ask("DELETE", "/api/roads", nil)
	a.problem(405, "method-not-allowed")
	if a.header.Get("Allow") != "GET" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	c.get("/api/auth/login", "").problem(405, "method-not-allowed")
	c.ask("POST", "/", "{}").problem(405, "method-not-allowed")
	c.get("/api/me?x=1", token).problem(400, "bad-parameter")
}

func TestEverythingElseNeedsAToken(t *testing.T) {
	c := start(t)
	for _, path := range []string{
		"/api/me", "/api/roads", "/api/traffic/live", "/api/traffic/history", "/api/predictions", "/api/predictions/skill", "/api/alerts",
		"/api/reroutes/recommended", "/api/rejected", "/ws/live",
	} {
		c.get(path, "").problem(401, "unauthorized")
	}
	for _, path := range []string{"/health", "/readyz", "/metrics", "/api/openapi.json", "/api/docs", "/", "/any/view"} {
		c.get(path, "").want(200)
	}
}

func TestMetricsCanBeClosed(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.OpenMetrics = false })
	c.get("/metrics", "").problem(401, "unauthorized")
	c.get("/metrics", c.viewer("eve").Token).problem(403, "forbidden")
	a := c.get("/metrics", c.admin().Token).want(200)
	for _, name := range []string{"cityflow_api_requests_total", "cityflow_api_request_duration_seconds", "cityflow_api_live_clients 0", "cityflow_api_live_degraded 0"} {
		if !strings.Contains(string(a.body), name) {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestHeaders(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.MapSources = []string{"https://tiles.example"} })
	h := c.get("/", "").header
	for _, part := range []string{"worker-src 'self' blob:", "img-src 'self' data: blob: https://tiles.example", "style-src 'self' 'unsafe-inline'", "connect-src 'self' https://tiles.example", "script-src 'self';", "frame-ancestors 'none'"} {
		if !strings.Contains(h.Get("Content-Security-Policy"), part) {
			t.Errorf("policy %q without %q", h.Get("Content-Security-Policy"), part)
		}
	}
	if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", h)
	}
	if id := c.get("/health", "", "X-Request-Id", "from-the-proxy.1").header.Get("X-Request-Id"); id != "from-the-proxy.1" {
		t.Errorf("request id %q", id)
	}
	for _, bad := range []string{strings.Repeat("a", 65), `a"b`, "a b"} {
		if id := c.get("/health", "", "X-Request-Id", bad).header.Get("X-Request-Id"); id == bad || id == "" {
			t.Errorf("request id %q was taken over", id)
		}
	}
	if a := c.ask("HEAD", "/health", nil); a.status != 200 || len(a.body) != 0 {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
	zipped := c.get("/api/openapi.json", "", "Accept-Encoding", "gzip")
	if zipped.header.Get("Content-Encoding") != "gzip" || len(zipped.body) > 30_000 {
		t.Errorf("%d bytes, %v", len(zipped.body), zipped.header)
	}
}

func TestCrossOrigin(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.Origins = []string{"https://city.example"} })
	a := c.ask("OPTIONS", "/api/roads", nil, "Origin", "https://city.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	if a.header.Get("Access-Control-Allow-Origin") != "https://city.example" || !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "authorization") {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := c.get("/health", "", "Origin", "https://mallory.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", a.header)
	}
}

func TestRateLimits(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.AuthPerMinute, cfg.RequestsPerSecond = 3, 1 })
	c.admin()
	var last answer
	for i := range 3 { // whoever says to be somebody else is not believed
		last = c.ask("POST", "/api/auth/login", login(adminEmail, "wrong"), "X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
	}
	last.problem(429, "too-many-requests")
	if h := last.header; h.Get("Retry-After") == "" || !strings.HasPrefix(h.Get("RateLimit"), `"auth";r=0;t=`) || h.Get("RateLimit-Policy") != `"auth";q=3;w=60` {
		t.Errorf("%v", h)
	}
	c.get("/health", "").want(200) // only the login is limited

	code, err := c.api.LoginCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.ask("POST", "/api/auth/link", credentials{"code": code}).problem(429, "too-many-requests")
}

func TestRateLimitOfAUser(t *testing.T) {
	c := start(t, func(cfg *api.Config, _ *api.Parts) { cfg.RequestsPerSecond = 1 })
	admin, eve := c.admin(), c.viewer("eve")
	limited := false
	for range 40 {
		if limited = c.get("/api/me", admin.Token).status == 429; limited {
			break
		}
	}
	if !limited {
		t.Error("40 requests at once with a burst of 4")
	}
	c.get("/api/me", eve.Token).want(200)
}

func TestReadiness(t *testing.T) {
	broken := false
	c := start(t, func(_ *api.Config, p *api.Parts) {
		p.Checks = map[string]func(context.Context) error{"uplink": func(context.Context) error {
			if broken {
				return errors.New("secret address of the broker")
			}
			return nil
		}}
	})
	type readiness struct {
		Ready   bool
		Missing map[string]string
	}
	ask := func(status int) (r readiness) {
		c.get("/readyz", "").want(status).into(&r)
		return r
	}
	c.eventually("everything", func() bool { return len(ask(200).Missing) == 0 })
	broken = true
	if r := ask(200); !r.Ready || len(r.Missing) != 1 || strings.Contains(r.Missing["uplink"], "secret") {
		t.Errorf("%+v", r)
	}
	c.bus.Close()
	c.eventually("bus missing", func() bool { _, ok := ask(200).Missing["bus"]; return ok })
	c.store.Close()
	if r := ask(503); r.Ready || r.Missing["store"] == "" {
		t.Errorf("%+v", r)
	}
	if c.api.Ready(t.Context()) == nil {
		t.Error("Ready without a store")
	}
	c.get("/health", "").want(200)
}

func TestStoreThatIsGone(t *testing.T) {
	c, token := begun(t, line(2)...)
	c.measure(reading("R0000", 0, 50, 100))
	c.eventually("reading", func() bool { return len(all[measured](c, "/api/traffic/live?limit=5", token)) == 1 })
	c.store.Close()
	for _, path := range []string{
		"/api/traffic/live?road_id=a", "/api/traffic/history?road_id=a&from=2026-08-24T12:00:00Z&to=2026-08-24T12:30:00Z",
		"/api/predictions?road_id=a", "/api/reroutes/recommended", "/api/rejected", "/api/me",
	} {
		a := c.get(path, token)
		p := a.problem(503, "unavailable")
		if a.header.Get("Retry-After") == "" || strings.Contains(p.Detail, "sql") {
			t.Errorf("%s: %v %+v", path, a.header, p)
		}
	}
	c.ask("POST", "/api/auth/login", login(adminEmail, adminPassword)).problem(503, "unavailable")
	// What is known is shown still.
	if n := len(all[measured](c, "/api/traffic/live?limit=5", token)); n != 1 {
		t.Errorf("%d live readings", n)
	}
	if n := len(all[road](c, "/api/roads?limit=5", token)); n != 2 {
		t.Errorf("%d roads", n)
	}
}

func TestBusThatIsGone(t *testing.T) {
	c, token := begun(t, line(2)...)
	c.bus.Close()
	rs, err := c.store.Append(t.Context(), delivery(reading("R0001", 0, 50, 100)))
	if err != nil || rs.New != 1 {
		t.Fatal(rs, err)
	}
	// The store is polled instead.
	c.eventually("reading", func() bool { return len(all[measured](c, "/api/traffic/live?limit=5", token)) == 1 })
}

func TestDocumentIsServed(t *testing.T) {
	c := start(t)
	a := c.get("/api/openapi.json", "").want(200)
	var doc struct{ OpenAPI string }
	a.into(&doc)
	if doc.OpenAPI != "3.1.0" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v %v", doc, a.header)
	}
	c.get("/api/openapi.json", "", "If-None-Match", a.header.Get("ETag")).want(304)
	html := c.get("/api/docs", "").want(200)
	if !strings.Contains(html.header.Get("Content-Type"), "text/html") || !strings.Contains(string(html.body), "/api/traffic/history") {
		t.Error("no documentation")
	}
}

func TestDashboardIsServed(t *testing.T) {
	c := start(t, func(_ *api.Config, p *api.Parts) {
		p.Dashboard = fstest.MapFS{"index.html": {Data: []byte("<title>the map</title>")}, "assets/app-12345678.js": {Data: []byte("run()")}}
	})
	for _, path := range []string{"/", "/login", "/road/PARIS-1"} {
		if a := c.get(path, "").want(200); string(a.body) != "<title>the map</title>" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := c.get("/assets/app-12345678.js", "").want(200); !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("%v", a.header)
	}
	c.get("/assets/old-12345678.js", "").problem(404, "not-found")
}

// A bus that delivers a panic is a fault of ours that a client must survive.
type panickingStore struct{ api.Store }

func (panickingStore) Ping(context.Context) error { return nil }

func TestPanicIsAProblem(t *testing.T) {
	c := start(t)
	c.stop()
	cfg := api.Default()
	cfg.TokenKey = make([]byte, 32)
	log := c.logs
	broken, err := api.New(cfg, api.Parts{Store: panickingStore{}, Bus: c.bus}, loggerTo(log), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := record(broken.Handler(), http.MethodPost, "/api/auth/login", `{"email":"a@b.c","password":"x"}`)
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 500 || p.Type != "urn:cityflow:problem:internal" || strings.Contains(p.Detail, "nil") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), p.RequestID) || !strings.Contains(log.String(), "nil pointer") {
		t.Error("the log does not say what happened")
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for want, break_ := range map[string]func(*api.Config){
		"token key: 5 bytes":       func(c *api.Config) { c.TokenKey = []byte("short") },
		"first admin: email":       func(c *api.Config) { c.AdminEmail = "ada" },
		"first admin: password":    func(c *api.Config) { c.AdminPassword = "short" },
		"token lifetimes":          func(c *api.Config) { c.AccessTTL = time.Second },
		"origin: \"city.example\"": func(c *api.Config) { c.Origins = []string{"city.example"} },
		"origin: \"https://a/b\"":  func(c *api.Config) { c.MapSources = []string{"https://a/b"} },
		"trusted proxy: \"proxy\"": func(c *api.Config) { c.TrustedProxies = []string{"proxy"} },
		"rate limits":              func(c *api.Config) { c.AuthPerMinute = 0 },
		"update every":             func(c *api.Config) { c.UpdateEvery = 0 },
		"0 clients":                func(c *api.Config) { c.MaxStreams = 0 },
	} {
		cfg := api.Default()
		cfg.TokenKey = make([]byte, 32)
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		break_(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %q", err, want)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	c := start(t)
	cfg := api.Default()
	cfg.TokenKey, cfg.Addr = make([]byte, 32), strings.TrimPrefix(c.url, "http://")
	second, err := api.New(cfg, api.Parts{Store: c.store, Bus: c.bus}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.Addr) {
		t.Errorf("%v, want an error that names %s", err, cfg.Addr)
	}
}
