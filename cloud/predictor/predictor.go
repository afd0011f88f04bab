package predictor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// News is the part of the bus that the predictor uses.
type News interface {
	bus.Publisher
	bus.Subscriber
}

// Deps are the parts that a predictor works with.
type Deps struct {
	History   History
	Forecasts Forecasts
	News      News
}

// A Predictor runs prediction cycles until it is stopped.
type Predictor struct {
	cfg     Config
	cycles  *cycles
	history History
	news    News
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time

	// mu guards everything declared below.
	mu sync.Mutex
	// failure is why the last attempt ended, nil when it succeeded.
	failure error
}

const (
	// gather is how long hints are collected before the store is asked.
	gather = 250 * time.Millisecond
	// retry is the pause after a failure.
	retry = time.Second
	// announceEvery is how often the newest cycle is published while catching up.
	announceEvery = time.Second
	// callTimeout bounds one round of store calls.
	callTimeout = time.Minute
)

// New checks the configuration and registers the metrics. A nil log discards.
func New(cfg Config, deps Deps, log *slog.Logger, reg prometheus.Registerer) (*Predictor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := newMetrics(reg)
	return &Predictor{
		cfg: cfg,
		cycles: &cycles{
			cfg: cfg, zone: zone, metrics: m,
			history: deps.History, forecasts: deps.Forecasts,
		},
		history: deps.History,
		news:    deps.News,
		log:     log.With("component", "predictor"),
		metrics: m,
		now:     time.Now,
		failure: fmt.Errorf("has not read the store yet"),
	}, nil
}

// Ready is nil when the last attempt to read and write the store succeeded.
func (p *Predictor) Ready(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure != nil {
		return fmt.Errorf("predictor: %w", p.failure)
	}
	return nil
}

// Run predicts until ctx ends, and then returns nil. It survives the store and the
// bus.
func (p *Predictor) Run(ctx context.Context) error {
	r := newRounds(p)
	defer r.stop()
	for ctx.Err() == nil {
		r.step(ctx)
	}
	return nil
}

// note keeps the outcome of an attempt for Ready, and logs when it changes.
func (p *Predictor) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		p.metrics.failures.Inc()
	}
	p.mu.Lock()
	before := p.failure
	p.failure = err
	p.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		p.log.Warn("prediction is waiting", "err", err, "retry", retry)
	case err == nil && before != nil:
		p.log.Info("predicting")
	}
}

// announce publishes the newest cycle, which may be of no interest to anybody.
func (p *Predictor) announce(ctx context.Context, newest []traffic.Prediction) {
	if len(newest) == 0 {
		return
	}
	if err := p.news.Publish(ctx, bus.Event{Topic: bus.TopicPredictions, Predictions: newest}); err != nil {
		p.metrics.failures.Inc()
		p.log.Debug("cycle not announced", "err", err)
		return
	}
	p.metrics.published.Inc()
}
