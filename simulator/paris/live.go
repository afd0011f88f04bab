package paris

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
	"github.com/2zrhun/city-flow/simulator/source"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

// Deps is what a developer passes. Every field may be left out.
type Deps struct {
	Log *slog.Logger
	Reg prometheus.Registerer
	// OnRejected hears of every record that can't be used.
	OnRejected func(traffic.Rejected)
	// Transport carries the requests; http.DefaultTransport by default.
	Transport http.RoundTripper
}

// A Source follows the API. It is a source.Source and a source.RoadLister.
type Source struct {
	cfg        Config
	client     client
	cache      cache
	clock      *wallclock.Clock
	log        *slog.Logger
	metrics    metrics
	onRejected func(traffic.Rejected)

	mu    sync.Mutex // guards state, which Run and Roads share
	state state

	// seen are the (arc, hour) that were emitted, back to the lookback.
	seen map[seenKey]struct{}
	// places are the newest descriptions of the arcs.
	places map[string]*traffic.Place
}

type seenKey struct {
	arc string
	at  int64
}

type metrics struct {
	polls    *prometheus.CounterVec
	readings prometheus.Counter
	newest   prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) metrics {
	f := promauto.With(reg)
	return metrics{
		polls: f.NewCounterVec(prometheus.CounterOpts{
			Name: "cityflow_paris_polls_total",
			Help: "Polls of the live Paris API; failed ones in a row mean that the picture ages.",
		}, []string{"result"}),
		readings: f.NewCounter(prometheus.CounterOpts{
			Name: "cityflow_paris_readings_total", Help: "Readings of the live Paris API that were handed on.",
		}),
		newest: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_paris_newest_timestamp_seconds",
			Help: "End of the newest hour that Paris has published; the city publishes hours late.",
		}),
	}
}

// New returns a Source that has not asked for anything yet. Its error names a bad
// key of the Config or a cache folder that can't be made.
func New(cfg Config, deps Deps) (*Source, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	loc, err := time.LoadLocation(parisfeed.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone of Paris: %w", err)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.OnRejected == nil {
		deps.OnRejected = func(traffic.Rejected) {}
	}
	log := deps.Log.With("component", "paris")
	s := &Source{
		cfg:    cfg,
		client: client{cfg: cfg, http: &http.Client{Transport: deps.Transport}, log: log},
		cache:  cache{cfg.CacheDir}, clock: wallclock.New(loc), log: log, metrics: newMetrics(deps.Reg),
		onRejected: deps.OnRejected, seen: make(map[seenKey]struct{}), places: make(map[string]*traffic.Place),
	}
	if err := s.cache.open(); err != nil {
		return nil, err
	}
	s.state = s.cache.loadState(cfg)
	return s, nil
}

// Reachable asks the API once whether it is there and answers as it should; the
// caller's ctx sets the patience. nil is yes.
func (s *Source) Reachable(ctx context.Context) error {
	_, _, err := s.client.once(ctx, newestQuestion(s.cfg, new(newest)))
	if err != nil {
		return fmt.Errorf("ask the live Paris API: %w", err)
	}
	return nil
}

// Run emits what the cache holds, then polls until ctx ends. It returns nil then, or
// the error of out; the API's errors are logged, and asked again after an interval.
func (s *Source) Run(ctx context.Context, out source.Out) error {
	if err := s.run(ctx, out); ctx.Err() == nil {
		return err
	}
	return nil
}

func (s *Source) run(ctx context.Context, out source.Out) error {
	if err := s.replayCache(ctx, out); err != nil {
		return err
	}
	next := s.known().Polled.Add(s.cfg.Interval)
	for {
		if err := sleep(ctx, time.Until(next)); err != nil {
			return err
		}
		recs, err := s.poll(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		next = time.Now().Add(s.cfg.Interval)
		if err != nil {
			next = s.failed(err, next)
			continue
		}
		if err := s.emit(ctx, recs, out); err != nil {
			return err
		}
	}
}

func (s *Source) known() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// failed accounts for a poll without answer and returns when to try again.
func (s *Source) failed(err error, next time.Time) time.Time {
	s.metrics.polls.WithLabelValues("failed").Inc()
	var busy *busyError
	if errors.As(err, &busy) && busy.until.After(next) {
		next = busy.until
	}
	newest := "none"
	if t := s.known().Newest.Stamp; !t.IsZero() {
		newest = t.Format(time.RFC3339)
	}
	s.log.Warn("the live Paris API gives no answer; the last readings stay", "error", err, "newest", newest, "next_try", next.UTC().Format(time.RFC3339))
	return next
}

// replayCache emits what an earlier run has fetched.
func (s *Source) replayCache(ctx context.Context, out source.Out) error {
	recs, err := s.cache.loadCounts()
	if err != nil {
		s.log.Warn("the kept answers can't be used and are fetched again", "error", err)
		recs = nil
	}
	if len(recs) == 0 {
		s.forget()
		return nil
	}
	s.log.Info("starting from the kept answers", "records", len(recs), "polled", s.known().Polled.Format(time.RFC3339))
	return s.emit(ctx, recs, out)
}

// forget makes the next poll a first one.
func (s *Source) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Newest, s.state.Polled = newest{}, time.Time{}
}

// poll returns the records of the window, or none when nothing is new.
func (s *Source) poll(ctx context.Context) ([]parisfeed.Record, error) {
	before := s.known().Newest
	now, fresh, err := s.client.newest(ctx, before)
	if err != nil {
		return nil, err
	}
	var recs []parisfeed.Record
	if fresh {
		recs, err = s.client.counts(ctx, now.Stamp.Add(-s.cfg.Lookback), now.Stamp, before.Stamp.IsZero())
		if err != nil {
			return nil, err
		}
		if err := s.cache.saveCounts(recs); err != nil {
			s.log.Warn("the answers can't be kept", "error", err)
		}
	}
	s.metrics.polls.WithLabelValues("answered").Inc()
	s.metrics.newest.Set(float64(now.Stamp.Unix()))
	s.log.Debug("polled", "newest", now.Stamp, "new", fresh, "records", len(recs))
	s.remember(func(st *state) { st.Newest, st.Polled = now, time.Now().UTC() })
	return recs, nil
}

// remember changes the state and keeps it.
func (s *Source) remember(change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
	if err := s.cache.saveState(s.state); err != nil {
		s.log.Warn("the state can't be kept", "error", err)
	}
}
