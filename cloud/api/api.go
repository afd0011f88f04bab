package api

import (
	"context"
	_ "embed" // for the OpenAPI document
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/document"
	"github.com/2zrhun/city-flow/cloud/api/internal/enrolment"
	"github.com/2zrhun/city-flow/cloud/api/internal/limit"
	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/cloud/api/internal/page"
	"github.com/2zrhun/city-flow/cloud/api/internal/rest"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/pki"
	"github.com/2zrhun/city-flow/shared/store"
)

//go:embed openapi.yaml
var openAPI []byte

// Config are the settings of the API.
type Config struct {
	// Addr is where Run listens, such as ":8080".
	Addr string
	// TokenKey signs access tokens: at least 32 secret bytes, the same in all
	// replicas. A new key ends all access tokens, not the refresh tokens.
	TokenKey []byte
	// Registration lets anybody make an account with the role viewer.
	Registration bool
	// AdminEmail names the first admin, which is made when there are no users.
	AdminEmail string
	// AdminPassword is its password; a random one is announced where it is empty.
	AdminPassword string
	// PasswordKiB is the memory that hashing a new password takes: what makes guessing
	// dear. Less than the default is for tests.
	PasswordKiB uint32
	// AccessTTL is how long an access token lives, RefreshTTL a refresh token.
	AccessTTL, RefreshTTL time.Duration
	// Origins are other web pages that may use the API and the stream, such as
	// "https://city.example".
	Origins []string
	// TrustedProxies are addresses or networks whose X-Forwarded-For is believed.
	TrustedProxies []string
	// MapSources are other origins that the dashboard may load maps from.
	MapSources []string
	// OpenMetrics serves /metrics to everybody; otherwise it needs an operator.
	OpenMetrics bool
	// AuthPerMinute is how many logins each address may try; as many at once.
	AuthPerMinute int
	// RequestsPerSecond is how many requests each user may make; four times as many
	// at once.
	RequestsPerSecond int
	// MaxStreams bounds the WebSocket clients of this process.
	MaxStreams int
	// UpdateEvery is the time between two live messages to a client.
	UpdateEvery time.Duration
}

// Default is for one city on one machine; TokenKey has to be given.
func Default() Config {
	return Config{
		Addr: ":8080", Registration: true, AdminEmail: "admin@localhost",
		PasswordKiB: auth.DefaultPasswordKiB, AccessTTL: 15 * time.Minute, RefreshTTL: 30 * 24 * time.Hour,
		OpenMetrics: true, AuthPerMinute: 30, RequestsPerSecond: 50,
		MaxStreams: live.Default().MaxClients, UpdateEvery: live.Default().UpdateEvery,
	}
}

// Validate returns an error that names the setting, its value and what is allowed.
func (c *Config) Validate() error {
	if len(c.TokenKey) < auth.MinKeyBytes {
		return fmt.Errorf("token key: %d bytes are not allowed: want at least %d", len(c.TokenKey), auth.MinKeyBytes)
	}
	if err := auth.CheckAdmin(c.AdminEmail, c.AdminPassword); err != nil {
		return fmt.Errorf("first admin: %w", err)
	}
	if c.AccessTTL < time.Minute || c.RefreshTTL < c.AccessTTL {
		return fmt.Errorf("token lifetimes: access %s, refresh %s are not allowed: want at least 1m, and refresh not shorter than access", c.AccessTTL, c.RefreshTTL)
	}
	for _, o := range append(append([]string{}, c.Origins...), c.MapSources...) {
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" {
			return fmt.Errorf("origin: %q is not allowed: want scheme and host only, such as https://city.example", o)
		}
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(p); err != nil {
			return fmt.Errorf("trusted proxy: %q is not allowed: want an address or a network such as 10.0.0.0/8", p)
		}
	}
	if c.AuthPerMinute < 1 || c.RequestsPerSecond < 1 {
		return fmt.Errorf("rate limits: %d logins a minute, %d requests a second are not allowed: want at least 1", c.AuthPerMinute, c.RequestsPerSecond)
	}
	stream := c.stream()
	return stream.Validate()
}

func (c *Config) stream() live.Config {
	l := live.Default()
	l.MaxClients, l.UpdateEvery, l.Origins = c.MaxStreams, c.UpdateEvery, c.Origins
	return l
}

// Store is what the API needs of a store.
type Store interface {
	store.RoadReader
	store.ReadingReader
	store.ReadingScanner
	store.ForecastReader
	store.AdviceReader
	store.AlertReader
	store.SkillReader
	store.RejectedReader
	store.GapReader
	store.SensorReader
	store.Accounts
	store.Users
	store.Keys
	store.Edges
	Ping(ctx context.Context) error
}

// News is what the API needs of a bus.
type News interface {
	bus.Subscriber
	Ping(ctx context.Context) error
}

// Parts are what the API works with.
type Parts struct {
	Store Store
	Bus   News
	// EdgeCA signs the certificates of edges; see OpenEdgeAuthority and
	// EnsureEdgeAuthority. Without it no edge can be enrolled.
	EdgeCA *pki.Authority
	// Dashboard holds index.html and its assets; nil where it was not built.
	Dashboard fs.FS
	// Metrics is served at /metrics; nil leaves the address out.
	Metrics prometheus.Gatherer
	// Checks are asked by /readyz beside the API's own: what else this process
	// does. Their names are shown, their errors only logged.
	Checks map[string]func(context.Context) error
	// Announce is told the random password of the first admin, once. When it is nil
	// the password is logged.
	Announce func(email, password string)
}

// An API answers requests and streams. Make it with New; it is safe for concurrent use.
type API struct {
	cfg     Config
	parts   Parts
	log     *slog.Logger
	keeper  *auth.Keeper
	edges   *enrolment.Keeper
	hub     *live.Hub
	server  *rest.Server
	handler http.Handler
}

// New builds the API. It neither listens nor reads the store yet.
func New(cfg Config, parts Parts, log *slog.Logger, reg prometheus.Registerer) (*API, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if reg == nil {
		reg = prometheus.NewRegistry()
	}
	a := &API{cfg: cfg, parts: parts, log: log.With("component", "api")}
	if err := a.build(log, reg); err != nil {
		return nil, fmt.Errorf("build api: %w", err)
	}
	return a, nil
}

func (a *API) build(log *slog.Logger, reg prometheus.Registerer) (err error) {
	gin.SetMode(gin.ReleaseMode)
	a.keeper, err = auth.New(auth.Config{
		Key: a.cfg.TokenKey, Registration: a.cfg.Registration,
		AccessTTL: a.cfg.AccessTTL, RefreshTTL: a.cfg.RefreshTTL, PasswordKiB: a.cfg.PasswordKiB,
	}, a.parts.Store, time.Now)
	if err != nil {
		return err
	}
	a.edges = enrolment.New(a.parts.Store, a.parts.EdgeCA, time.Now)
	roads := network.NewCatalogue(a.parts.Store, log, time.Now)
	a.hub, err = live.New(a.cfg.stream(), live.Parts{
		Store: a.parts.Store, Bus: a.parts.Bus, Network: roads, Now: time.Now, Still: a.keeper.Still,
	}, log, reg)
	if err != nil {
		return err
	}
	dashboard, err := page.New(a.parts.Dashboard)
	if err != nil {
		return err
	}
	doc, err := document.New(openAPI)
	if err != nil {
		return err
	}
	server, err := rest.New(rest.Config{
		AuthRate:    limit.Rate{PerSecond: float64(a.cfg.AuthPerMinute) / 60, Burst: a.cfg.AuthPerMinute},
		APIRate:     limit.Rate{PerSecond: float64(a.cfg.RequestsPerSecond), Burst: 4 * a.cfg.RequestsPerSecond},
		OpenMetrics: a.cfg.OpenMetrics, Origins: a.cfg.Origins,
		TrustedProxies: a.cfg.TrustedProxies, MapSources: a.cfg.MapSources,
	}, rest.Parts{
		Keeper: a.keeper, Edges: a.edges, Hub: a.hub, Network: roads, Store: a.parts.Store, Document: doc,
		Page: dashboard, Metrics: a.metrics(), Checks: a.checks(), Now: time.Now,
	}, log, reg)
	if err != nil {
		return err
	}
	a.server, a.handler = server, server.Handler()
	return nil
}

func (a *API) metrics() http.Handler {
	if a.parts.Metrics == nil {
		return nil
	}
	return promhttp.HandlerFor(a.parts.Metrics, promhttp.HandlerOpts{})
}

func (a *API) checks() []rest.Check {
	checks := []rest.Check{
		{Name: "store", Required: true, Ask: a.parts.Store.Ping},
		{Name: "live picture", Required: true, Ask: a.hub.Picture.Ready},
		{Name: "bus", Ask: a.hub.Degraded},
	}
	for name, ask := range a.parts.Checks {
		checks = append(checks, rest.Check{Name: name, Ask: ask})
	}
	return checks
}

// Handler answers all requests. Its live parts move only while Run or Serve runs.
func (a *API) Handler() http.Handler { return a.handler }

// Ready returns nil when requests can be answered, and otherwise what is missing.
// A broken bus alone is no reason: the API works without it.
func (a *API) Ready(ctx context.Context) error {
	return errors.Join(a.parts.Store.Ping(ctx), a.hub.Picture.Ready(ctx))
}

// LoginCode makes a code for the first admin that POST /api/auth/link takes once,
// within 10 minutes, in this process. It creates the first admin where there are no
// users yet. store.ErrNotFound when the users have no such address.
func (a *API) LoginCode(ctx context.Context) (string, error) {
	if err := a.ensureAdmin(ctx); err != nil {
		return "", err
	}
	return a.keeper.NewCode(ctx, a.cfg.AdminEmail)
}

func (a *API) ensureAdmin(ctx context.Context) error {
	password, err := a.keeper.EnsureAdmin(ctx, a.cfg.AdminEmail, a.cfg.AdminPassword)
	if err != nil {
		return err
	}
	switch {
	case password == "":
	case a.parts.Announce != nil:
		a.parts.Announce(a.cfg.AdminEmail, password)
	default:
		a.log.Warn("created the first admin; this password is shown once", "email", a.cfg.AdminEmail, "password", password)
	}
	return nil
}

// Run listens on Config.Addr and serves until ctx ends; nil on a normal stop.
func (a *API) Run(ctx context.Context) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", a.cfg.Addr, err)
	}
	return a.Serve(ctx, ln)
}
