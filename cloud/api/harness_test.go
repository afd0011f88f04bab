package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	adminEmail    = "ada@city.example"
	adminPassword = "correct horse battery"
)

// noon is when the test's traffic happens.
var noon = time.Date(2026, 8, 24, 12, 0, 0, 0, time.UTC)

// A city is the API over a real store and a real bus, listening on a real port.
type city struct {
	t     testing.TB
	url   string
	api   *api.API
	store *sqlite.Store
	bus   *inproc.Bus
	logs  *logBuffer
	http  *http.Client
	stop  func()

	announced []string
}

type option func(*api.Config, *api.Parts)

// start runs an API until the test ends.
func start(t testing.TB, options ...option) *city {
	t.Helper()
	c := &city{t: t, bus: inproc.New(), logs: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(c.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	reg := prometheus.NewRegistry()
	cfg := api.Default()
	cfg.TokenKey = []byte("0123456789abcdef0123456789abcdef")
	cfg.AdminEmail, cfg.AdminPassword = adminEmail, adminPassword
	cfg.UpdateEvery = 20 * time.Millisecond
	cfg.PasswordKiB = 64 // hashing as dear as it should be takes half of the time of the tests
	cfg.AuthPerMinute, cfg.RequestsPerSecond = 1000, 100_000
	parts := api.Parts{
		Bus: c.bus, Metrics: reg,
		Announce: func(email, password string) { c.announced = append(c.announced, email+" "+password) },
	}
	for _, o := range options {
		o(&cfg, &parts)
	}
	if parts.Store == nil {
		opened, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "city.db"), log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { opened.Close() })
		parts.Store = opened
	}
	c.store = parts.Store.(*sqlite.Store)
	var err error
	if c.api, err = api.New(cfg, parts, log, reg); err != nil {
		t.Fatal(err)
	}
	c.serve()
	return c
}

// restart runs another API over the store of one that was stopped.
func restart(t testing.TB, old *city, options ...option) *city {
	t.Helper()
	return start(t, append([]option{func(_ *api.Config, p *api.Parts) { p.Store = old.store }}, options...)...)
}

func (c *city) serve() {
	c.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.api.Serve(ctx, ln) }()
	transport := &http.Transport{}
	c.url, c.http = "http://"+ln.Addr().String(), &http.Client{Transport: checked{c.t, transport}, Timeout: 30 * time.Second}
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("stop: %v", err)
		}
		transport.CloseIdleConnections()
		c.bus.Close()
	})
	c.t.Cleanup(c.stop)
	c.eventually("ready", func() bool { return c.api.Ready(c.t.Context()) == nil })
}

// eventually waits for what another goroutine does; only a failure takes long.
func (c *city) eventually(what string, ok func() bool) {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	c.t.Fatalf("waited in vain: %s\n%s", what, c.logs)
}

func documentText() []byte {
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		panic(err)
	}
	return text
}

// document is openapi.yaml, read once.
var document = sync.OnceValue(func() validator.Validator {
	d, err := libopenapi.NewDocument(documentText())
	if err != nil {
		panic(err)
	}
	v, errs := validator.NewValidator(d)
	if len(errs) > 0 {
		panic(errs)
	}
	return v
})

// checked holds every answer of every test against the document, and every request
// that was answered with success.
type checked struct {
	t    testing.TB
	next http.RoundTripper
}

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/api/") || !described(r, resp) {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	fresh := func() *http.Response {
		copied := *resp
		copied.Body = io.NopCloser(bytes.NewReader(body))
		return &copied
	}
	asked := r.Clone(context.Background())
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	if ok, errs := document().ValidateHttpResponse(asked, fresh()); !ok {
		for _, e := range errs {
			c.t.Errorf("answer to %s %s (%d) is not what openapi.yaml says: %s: %s %v\n%.2000s", r.Method, r.URL, resp.StatusCode, e.Message, e.Reason, details(e.SchemaValidationErrors), body)
		}
	}
	if resp.StatusCode < 300 {
		asked.Body = io.NopCloser(bytes.NewReader(sent))
		if ok, errs := document().ValidateHttpRequest(asked); !ok {
			for _, e := range errs {
				c.t.Errorf("request %s %s succeeded though openapi.yaml does not allow it: %s: %s", r.Method, r.URL, e.Message, e.Reason)
			}
		}
	}
	return fresh(), nil
}

// described reports whether the document speaks about the answer: it describes
// operations, not what is no operation, and the validator reads no compressed bodies.
func described(r *http.Request, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotModified:
		return false
	}
	lines := resp.Header.Get("Content-Type") == "application/x-ndjson" // the validator takes it for one JSON value
	return r.Method != http.MethodHead && r.Method != http.MethodOptions && resp.Header.Get("Content-Encoding") == "" && !lines
}

func details[T any](errs []T) string {
	var out []string
	for _, e := range errs {
		text, _ := json.Marshal(e)
		out = append(out, string(text))
	}
	return strings.Join(out, "; ")
}

// An answer is a response that was read.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// ask sends a request. Headers are name, value, name, value…
func (c *city) ask(method, path string, body any, headers ...string) answer {
	c.t.Helper()
	var send io.Reader
	if body != nil {
		text, ok := body.(string)
		if !ok {
			b, err := json.Marshal(body)
			if err != nil {
				c.t.Fatal(err)
			}
			text = string(b)
		}
		send = strings.NewReader(text)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, send)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{c.t, resp.StatusCode, resp.Header, text}
}

func (c *city) get(path, token string, headers ...string) answer {
	c.t.Helper()
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	return c.ask(http.MethodGet, path, nil, headers...)
}

func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.t.Fatalf("%v in %d %s", err, a.status, a.body)
	}
}

// want fails the test unless the status is the wanted one.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

type problem struct {
	Type      string
	Status    int
	Detail    string
	Parameter string
	Value     string
	Allowed   string
	RequestID string `json:"request_id"`
}

// problem fails the test unless the answer is a problem with the status and kind.
func (a answer) problem(status int, kind string) problem {
	a.t.Helper()
	a.want(status)
	var p problem
	a.into(&p)
	if a.header.Get("Content-Type") != "application/problem+json" || p.Status != status ||
		p.Type != "urn:cityflow:problem:"+kind || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		a.t.Fatalf("not a %s problem: %v %s", kind, a.header, a.body)
	}
	return p
}

type session struct {
	Token        string
	RefreshToken string    `json:"refresh_token"`
	ExpiresAt    time.Time `json:"expires_at"`
	User         struct {
		ID    int64
		Email string
		Role  string
	}
}

type credentials map[string]string

func login(email, password string) credentials {
	return credentials{"email": email, "password": password}
}

// admin logs the first admin in.
func (c *city) admin() session {
	c.t.Helper()
	var s session
	c.eventually("first admin", func() bool {
		a := c.ask("POST", "/api/auth/login", login(adminEmail, adminPassword))
		if a.status != 200 {
			return false
		}
		a.into(&s)
		return true
	})
	return s
}

// viewer makes an account and logs it in.
func (c *city) viewer(name string) session {
	c.t.Helper()
	var s session
	c.ask("POST", "/api/auth/register", login(name+"@city.example", "ten letters")).want(201).into(&s)
	return s
}

// publish says what happened, as the services do.
func (c *city) publish(e bus.Event) {
	c.t.Helper()
	if err := c.bus.Publish(c.t.Context(), e); err != nil {
		c.t.Fatal(err)
	}
}

func reading(road string, minute int, speed, flow float64) traffic.Reading {
	return traffic.Reading{
		At: noon.Add(time.Duration(minute) * time.Minute), Sensor: traffic.SensorID("s-" + road), Road: traffic.RoadID(road),
		Speed: traffic.Some(speed), Flow: traffic.Some(flow), Occupancy: traffic.Some(0.1), Score: traffic.Some(0.25),
	}
}

// logBuffer keeps what was logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func loggerTo(l *logBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func delivery(rs ...traffic.Reading) store.Delivery { return store.Delivery{Readings: rs} }

// record asks a handler without a network.
func record(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
