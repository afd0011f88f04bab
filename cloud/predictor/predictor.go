package predictor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// News is the part of the bus that the predictor uses.
type News interface {
	bus.Publisher
	bus.Subscriber
}

// Store is the part of a store that the predictor uses.
type Store interface {
	History
	Forecasts
	Network
	Evidence
	Alarms
}

// Deps are the parts that a predictor works with.
type Deps struct {
	Store Store
	News  News
}

// A Predictor runs prediction cycles until it is stopped.
type Predictor struct {
	cfg     Config
	cycles  *cycles
	school  *school
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
	log = log.With("component", "predictor")
	p := &Predictor{
		cfg:     cfg,
		history: deps.Store,
		news:    deps.News,
		log:     log,
		metrics: m,
		now:     time.Now,
		failure: fmt.Errorf("has not read the store yet"),
	}
	if p.school, err = newSchool(&p.cfg, deps.Store, log, &m.training); err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	p.cycles = newCycles(cfg, zone, deps.Store, log, m)
	p.cycles.school = p.school
	return p, nil
}

func newCycles(cfg Config, zone *time.Location, s Store, log *slog.Logger, m *metrics) *cycles {
	c := &cycles{
		cfg: cfg, zone: zone, metrics: m,
		history: s, forecasts: s, evidence: s,
		city: newCity(&cfg, s), memory: newMemory(&cfg), board: evaluate.New(boardConfig(&cfg)),
		alarms: newAlarms(&cfg, s),
	}
	c.speakers = newSpeakers(&c.cfg, log)
	return c
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

// Run predicts, and trains beside that, until ctx ends, and then returns nil. It survives
// the store and the bus.
func (p *Predictor) Run(ctx context.Context) error {
	var training sync.WaitGroup
	defer training.Wait()
	training.Go(func() { p.school.run(ctx) })
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

// announce publishes the newest cycle and what changed about alerts, either of which may
// be of no interest to anybody.
func (p *Predictor) announce(ctx context.Context, newest []traffic.Prediction, alerts []traffic.Alert) {
	if len(newest) > 0 && p.publish(ctx, bus.Event{Topic: bus.TopicPredictions, Predictions: newest}) {
		p.metrics.published.Inc()
	}
	if len(alerts) > 0 {
		p.publish(ctx, bus.Event{Topic: bus.TopicAlerts, Alerts: alerts})
	}
}

// publish is false when the bus did not take it; the store has it.
func (p *Predictor) publish(ctx context.Context, e bus.Event) bool {
	if err := p.news.Publish(ctx, e); err != nil {
		p.metrics.failures.Inc()
		p.log.Debug("not announced", "topic", e.Topic, "err", err)
		return false
	}
	return true
}
