package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/cors"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/document"
	"github.com/2zrhun/city-flow/cloud/api/internal/enrolment"
	"github.com/2zrhun/city-flow/cloud/api/internal/limit"
	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	streamPath = "/ws/live"
	eventsPath = "/api/stream"
	// maxBody bounds the body of a request.
	maxBody = 64 << 10
	// requestTimeout bounds the work for one request.
	requestTimeout = 20 * time.Second
	// compressFrom is the size from which answers are compressed.
	compressFrom = 1 << 10
)

// Store is what the handlers need of a store.
type Store interface {
	Readings(ctx context.Context, q store.ReadingQuery) ([]traffic.Reading, store.Cursor, error)
	Buckets(ctx context.Context, q store.BucketQuery) ([]traffic.Bucket, error)
	store.ReadingScanner
	Predictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error)
	store.AdviceReader
	store.AlertReader
	store.SkillReader
	store.RejectedReader
	store.GapReader
	store.SensorReader
	Edges(ctx context.Context, p store.Page) ([]store.Edge, store.Cursor, error)
	store.Users
	store.Keys
	Ping(ctx context.Context) error
}

// A Check is something that readiness asks about.
type Check struct {
	Name string
	// Required says that requests fail without it.
	Required bool
	Ask      func(context.Context) error
}

// Config are the settings of a Server.
type Config struct {
	// AuthRate bounds each address on the open routes, and apart from that on those for
	// edges; APIRate each user on the others.
	AuthRate, APIRate limit.Rate
	// OpenMetrics serves /metrics to everybody; otherwise it needs an operator.
	OpenMetrics bool
	// Origins are the other web pages that may call the API.
	Origins []string
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is believed.
	TrustedProxies []string
	// MapSources are other places that the dashboard may load maps from.
	MapSources []string
}

// Parts are what a Server works with.
type Parts struct {
	Keeper   *auth.Keeper
	Edges    *enrolment.Keeper
	Hub      *live.Hub
	Network  *network.Catalogue
	Store    Store
	Document *document.Document
	// Page answers everything that is not the API's.
	Page http.Handler
	// Metrics may be nil: then there is no /metrics.
	Metrics http.Handler
	Checks  []Check
	Now     func() time.Time
}

// A Server answers requests.
type Server struct {
	cfg     Config
	parts   Parts
	log     *slog.Logger
	metrics *metrics
	policy  string
	perIP   *limit.Limiter
	perUser *limit.Limiter
	perEdge *limit.Limiter
	network featureCache
	city    cityCache
	exports exports
	tiles   tileCache
	engine  *gin.Engine
	handler http.Handler
}

type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	limited  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_requests_total", Help: "HTTP requests, by method, route and status.",
		}, []string{"method", "route", "code"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cityflow_api_request_duration_seconds", Help: "Time to answer a request, by route; streams are not counted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		limited: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_api_rate_limited_total", Help: "Requests answered with 429, by policy.",
		}, []string{"policy"}),
	}
}

// New builds the server.
func New(cfg Config, parts Parts, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	perIP, err := limit.New(cfg.AuthRate, parts.Now)
	if err != nil {
		return nil, err
	}
	perUser, err := limit.New(cfg.APIRate, parts.Now)
	if err != nil {
		return nil, err
	}
	perEdge, err := limit.New(cfg.AuthRate, parts.Now)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, parts: parts, log: log.With("component", "rest"), metrics: newMetrics(reg),
		exports: newExports(reg),
		policy:  contentPolicy(cfg.MapSources), perIP: perIP, perUser: perUser, perEdge: perEdge,
	}
	if s.city, err = newCityCache(); err != nil {
		return nil, err
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler answers all requests of the process.
func (s *Server) Handler() http.Handler { return s.handler }

// Routes lists "METHOD /path" of everything that is the API's.
func (s *Server) Routes() []string {
	var out []string
	for _, r := range s.engine.Routes() {
		out = append(out, r.Method+" "+documented(r.Path))
	}
	return out
}

// documented is a path as OpenAPI writes it: {name} where gin has :name.
func documented(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			name, suffix, dotted := strings.Cut(name, ".")
			parts[i] = "{" + name + "}"
			if dotted {
				parts[i] += "." + suffix
			}
		}
	}
	return strings.Join(parts, "/")
}

// build makes the router and what is around it.
func (s *Server) build() error {
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	if err := e.SetTrustedProxies(s.cfg.TrustedProxies); err != nil {
		return fmt.Errorf("trusted proxies: %w", err)
	}
	e.Use(identify, s.secure, s.observe, bound, s.recoverPanic)
	e.NoRoute(s.elsewhere)
	e.NoMethod(s.wrongMethod)
	for _, r := range s.routes() {
		e.Handle(r.method, r.path, slices.Concat(r.gates, []gin.HandlerFunc{s.adapt(r.handle)})...)
	}
	s.engine = e
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(compressFrom), gzhttp.CompressionLevel(3))
	if err != nil {
		return fmt.Errorf("set up compression: %w", err)
	}
	s.handler = headAsGet(s.crossOrigin(streamsAsTheyAre(compress(e), e)))
	return nil
}

// A route is one operation of the document.
type route struct {
	method, path string
	gates        []gin.HandlerFunc
	handle       func(*gin.Context) error
}

// routes is the table of everything that the API answers; TestWhoMayAskWhat holds it
// against who may ask.
func (s *Server) routes() []route {
	open := []gin.HandlerFunc{}
	login := []gin.HandlerFunc{s.limited(s.perIP, "auth")}
	viewer := []gin.HandlerFunc{s.require(store.RoleViewer)}
	operator := []gin.HandlerFunc{s.require(store.RoleOperator)}
	admin := []gin.HandlerFunc{s.require(store.RoleAdmin)}
	exporter := []gin.HandlerFunc{s.requireExport()}
	edge := []gin.HandlerFunc{s.limited(s.perEdge, "edges")}
	routes := []route{
		{"POST", "/api/auth/register", login, s.register},
		{"POST", "/api/auth/login", login, s.login},
		{"POST", "/api/auth/link", login, s.link},
		{"POST", "/api/auth/refresh", login, s.refresh},
		{"POST", "/api/auth/logout", login, s.logout},
		{"GET", "/api/me", viewer, s.me},
		{"GET", "/api/roads", viewer, s.roads},
		{"GET", tilesPath, viewer, s.tile},
		{"GET", "/api/traffic/live", viewer, s.trafficLive},
		{"GET", "/api/traffic/history", viewer, s.trafficHistory},
		{"GET", "/api/predictions", viewer, s.predictions},
		{"GET", "/api/predictions/skill", viewer, s.skill},
		{"GET", "/api/alerts", viewer, s.alerts},
		{"GET", "/api/reroutes/recommended", viewer, s.reroutesRecommended},
		{"GET", "/api/rejected", operator, s.rejected},
		{"GET", "/api/gaps", operator, s.gaps},
		{"GET", "/api/sensors", operator, s.sensors},
		{"GET", "/api/edges", operator, s.edges},
		{"POST", "/api/edges", admin, s.inviteEdge},
		{"POST", "/api/edges/:edge_id/revoke", admin, s.revokeEdge},
		{"POST", "/api/edges/enrol", edge, s.enrolEdge},
		{"POST", "/api/edges/renew", edge, s.renewEdge},
		{"GET", "/api/edges/crl", []gin.HandlerFunc{s.limited(s.perUser, "api")}, s.revocationList},
		{"GET", exportPath + "readings", exporter, s.exportReadings},
		{"GET", exportPath + "predictions", exporter, s.exportPredictions},
		{"GET", "/api/keys", admin, s.keys},
		{"POST", "/api/keys", admin, s.createKey},
		{"DELETE", "/api/keys/:id", admin, s.deleteKey},
		{"GET", "/api/users", admin, s.users},
		{"POST", "/api/users", admin, s.createUser},
		{"PATCH", "/api/users/:id", admin, s.changeUser},
		{"DELETE", "/api/users/:id", admin, s.deleteUser},
		{"GET", eventsPath, viewer, s.events},
		{"POST", eventsPath + "/ticket", viewer, s.ticket},
		{"GET", streamPath, viewer, s.stream},
		{"GET", "/api/openapi.json", open, s.openAPI},
		{"GET", "/api/docs", open, s.docs},
		{"GET", "/health", open, s.health},
		{"GET", "/readyz", open, s.readyz},
	}
	if s.parts.Metrics != nil {
		gates := open
		if !s.cfg.OpenMetrics {
			gates = operator
		}
		routes = append(routes, route{"GET", "/metrics", gates, s.metricsPage})
	}
	return routes
}

// adapt turns a handler's error into a problem.
func (s *Server) adapt(handle func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := handle(c); err != nil {
			s.fail(c, err)
		}
	}
}

// elsewhere answers what is no route: the page, or a problem where the API should be.
func (s *Server) elsewhere(c *gin.Context) {
	if isAPI(c.Request.URL.Path) {
		s.fail(c, problem.New(problem.NotFound, "there is no such operation; /api/docs lists them"))
		return
	}
	c.Status(http.StatusOK) // gin has set 404 for us
	s.parts.Page.ServeHTTP(c.Writer, c.Request)
}

// isAPI reports whether a path is the API's, whether or not something is there.
func isAPI(path string) bool {
	for _, own := range []string{"/api", "/ws", "/metrics"} {
		if path == own || strings.HasPrefix(path, own+"/") {
			return true
		}
	}
	return false
}

// wrongMethod answers a known path asked in another way; gin has set Allow.
func (s *Server) wrongMethod(c *gin.Context) {
	s.fail(c, problem.New(problem.MethodNotAllowed, "this operation wants "+c.Writer.Header().Get("Allow")))
}

// crossOrigin lets pages of the configured origins call the API.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	if len(s.cfg.Origins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: s.cfg.Origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "If-None-Match", "Last-Event-ID", headerKey, headerID},
		ExposedHeaders: []string{"ETag", "Retry-After", "RateLimit", "RateLimit-Policy", headerID},
		MaxAge:         600,
	}).Handler(next)
}

// headAsGet answers HEAD with what GET would say; net/http leaves the body out.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := r.WithContext(r.Context())
			get.Method = http.MethodGet
			r = get
		}
		next.ServeHTTP(w, r)
	})
}

// streamsAsTheyAre keeps the compressor away from streams, which compress themselves.
func streamsAsTheyAre(compressed, plain http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isStream(r.URL.Path) {
			plain.ServeHTTP(w, r)
			return
		}
		compressed.ServeHTTP(w, r)
	})
}
