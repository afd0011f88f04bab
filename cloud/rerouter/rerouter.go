package rerouter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/store"
)

// Store is what the rerouter needs of a store.
type Store interface {
	store.RoadReader
	store.ReadingReader
	store.ForecastReader
	store.AdviceReader
	store.AdviceWriter
}

// A Rerouter computes advice. Make one with New.
type Rerouter struct {
	cfg     Config
	store   Store
	bus     bus.Bus
	log     *slog.Logger
	metrics *metrics
	state   state // belongs to Run's goroutine

	mu      sync.Mutex
	missing error // guarded by mu: what Ready answers
}

// New returns a rerouter that reads and writes st and hears and tells on b. It does
// nothing before Run. A nil log discards. The error is that of cfg.Validate.
func New(cfg Config, st Store, b bus.Bus, log *slog.Logger, reg prometheus.Registerer) (*Rerouter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure rerouter: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Rerouter{
		cfg: cfg, store: st, bus: b, log: log.With("component", "rerouter"), metrics: newMetrics(reg),
		missing: errors.New("the network was not read yet"),
	}, nil
}

// Ready returns nil when advice can be computed: a network is loaded, and the last
// work with the store went well. The error says what is missing.
func (r *Rerouter) Ready(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.missing
}

func (r *Rerouter) setMissing(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missing = err
}

// Run advises until ctx ends and returns nil. It may be called once.
func (r *Rerouter) Run(ctx context.Context) error {
	poll := time.NewTicker(r.cfg.PollEvery)
	defer poll.Stop()
	refresh := time.NewTicker(r.cfg.RefreshEvery)
	defer refresh.Stop()
	pause := time.NewTimer(0) // runs out when the next cycle may begin
	defer pause.Stop()
	news := r.subscribe(ctx)
	r.refresh(ctx)
	var due, free bool
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-news:
			due = due || open
			if !open {
				news = nil // and tried again at the next poll
			}
		case <-poll.C:
			due = true
			if news == nil {
				news = r.subscribe(ctx)
			}
		case <-refresh.C:
			r.refresh(ctx)
		case <-pause.C:
			free = true
		}
		if due && free && ctx.Err() == nil {
			r.cycle(ctx)
			due, free = false, false
			pause.Reset(r.cfg.MinPause)
		}
	}
}

// subscribe hears of finished prediction cycles; nil when the bus is gone, and then
// the polls do alone.
func (r *Rerouter) subscribe(ctx context.Context) <-chan bus.Event {
	news, err := r.bus.Subscribe(ctx, bus.TopicPredictions)
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("no news of predictions, polling the store", "every", r.cfg.PollEvery, "error", err)
		}
		return nil
	}
	return news
}

// cycle handles the newest prediction cycle.
func (r *Rerouter) cycle(ctx context.Context) {
	begin := time.Now()
	err := r.advise(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.metrics.failed.Inc()
		r.log.Error("no advice this time", "error", err)
		r.setMissing(err)
		return
	}
	r.metrics.duration.Observe(time.Since(begin).Seconds())
	r.setMissing(r.state.lacksNetwork())
}

// refresh reads the network again.
func (r *Rerouter) refresh(ctx context.Context) {
	err := r.loadNetwork(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.log.Error("the network could not be read", "error", err)
	} else {
		err = r.state.lacksNetwork()
	}
	r.setMissing(err)
}
