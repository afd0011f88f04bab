package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/api/internal/auth"
	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

var (
	errNotSynced = errors.New("the live picture was not read from the store yet")
	errNoBus     = errors.New("the bus does not answer; the store is polled instead")
)

// News is what the hub needs of a bus.
type News interface {
	bus.Subscriber
	Ping(ctx context.Context) error
}

// Store is what the hub needs of a store.
type Store interface {
	Latest(ctx context.Context, f store.RoadFilter, p store.Page) ([]traffic.RoadState, store.Cursor, error)
	LatestPredictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error)
	Reroutes(ctx context.Context, q store.RerouteQuery) ([]traffic.Reroute, store.Cursor, error)
	store.AlertReader
}

// InForce are the statuses of advice that is shown.
func InForce() []traffic.RerouteStatus {
	return []traffic.RerouteStatus{traffic.RerouteProposed, traffic.RerouteApproved, traffic.RerouteActive}
}

const (
	// resyncTimeout bounds one reading of the store.
	resyncTimeout = time.Minute
	// resyncPause is the least time between two of them.
	resyncPause = time.Second
	// pingTimeout bounds one question to the bus.
	pingTimeout = 2 * time.Second
	// readPage is how many rows are read at once.
	readPage = 5000
	// maxAdvice bounds the advice that is kept.
	maxAdvice = 1000
)

// Parts are what a Hub works with.
type Parts struct {
	Store   Store
	Bus     News
	Network *network.Catalogue
	Now     func() time.Time
	// Still says whether somebody who was let in may stay; nil lets everybody.
	Still func(auth.Identity) bool
}

// A Hub keeps a Picture up to date and tells the clients. One hub serves one process
// with one subscription to the bus.
type Hub struct {
	// Picture is what the hub keeps up to date.
	Picture *Picture

	cfg      Config
	parts    Parts
	log      *slog.Logger
	metrics  *metrics
	upgrader websocket.Upgrader

	subscribed atomic.Bool
	answering  atomic.Bool
	resync     chan struct{} // capacity 1
	stopping   chan struct{} // closed when the clients have to go

	mu      sync.Mutex // guards everything below
	clients map[*client]struct{}
	perUser map[int64]int
	joined  int // how many clients ever came
	ticks   int // how many turns there were
	owed    int // how many turns are left of the last news
	stopped bool
	serving sync.WaitGroup // one for each client
}

// New returns a Hub; nothing moves before Run.
func New(cfg Config, parts Parts, log *slog.Logger, reg prometheus.Registerer) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	label := func(id traffic.RoadID) string { return parts.Network.Current().Label(id) }
	h := &Hub{
		Picture: NewPicture(label, parts.Now),
		cfg:     cfg, parts: parts, log: log.With("component", "live"), metrics: newMetrics(reg),
		resync: make(chan struct{}, 1), stopping: make(chan struct{}),
		clients: map[*client]struct{}{}, perUser: map[int64]int{},
	}
	h.answering.Store(true)
	h.upgrader = newUpgrader(cfg.Origins)
	return h, nil
}

// Run follows the bus and the store and ticks until ctx ends; then it sends the
// clients away, waits for them, and closes the network.
func (h *Hub) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { h.follow(ctx) })
	running.Go(func() { h.watch(ctx) })
	running.Go(func() { h.keepSynced(ctx) })
	running.Go(func() { h.keepNetwork(ctx) })
	running.Go(func() { h.sweep(ctx) })
	h.beat(ctx)
	h.stop()
	running.Wait()
	h.parts.Network.Close()
	return nil
}

// Degraded returns an error while changes arrive late because the bus does not work.
func (h *Hub) Degraded(context.Context) error {
	if h.subscribed.Load() && h.answering.Load() {
		return nil
	}
	return errNoBus
}

// follow applies what the bus says.
func (h *Hub) follow(ctx context.Context) {
	const pause = time.Second
	for ctx.Err() == nil {
		events, err := h.parts.Bus.Subscribe(ctx, bus.Topics()...)
		if err == nil {
			h.subscribed.Store(true)
			h.wantResync() // what was said before nobody heard
			for e := range events {
				h.apply(&e)
			}
			h.subscribed.Store(false)
		}
		if ctx.Err() == nil {
			h.log.Warn("no news from the bus; trying again", "pause", pause, "error", err)
			sleep(ctx, pause)
		}
	}
}

func (h *Hub) apply(e *bus.Event) {
	h.metrics.events.WithLabelValues(string(e.Topic)).Inc()
	if e.Missed > 0 {
		h.metrics.missed.WithLabelValues(string(e.Topic)).Add(float64(e.Missed))
		h.wantResync()
	}
	switch e.Topic {
	case bus.TopicLive:
		if h.Picture.applyRoads(e.Roads) {
			h.lookForRoads(e.Roads)
		}
	case bus.TopicPredictions:
		h.Picture.applyPredictions(e.Predictions)
	case bus.TopicReroutes:
		if err := h.Picture.applyReroutes(e.Reroutes); err != nil {
			h.log.Error("advice from the bus cannot be shown", "error", err)
		}
	case bus.TopicAlerts:
		if err := h.Picture.applyAlerts(e.Alerts); err != nil {
			h.log.Error("alerts from the bus cannot be shown", "error", err)
		}
	}
}

// lookForRoads asks for the metadata of roads that were never heard of.
func (h *Hub) lookForRoads(states []traffic.RoadState) {
	roads := h.parts.Network.Current()
	for i := range states {
		if roads.Find(states[i].Road) == nil {
			h.parts.Network.Want()
			return
		}
	}
}

func (h *Hub) wantResync() {
	select {
	case h.resync <- struct{}{}:
	default: // one is waiting already
	}
}

// watch asks the bus whether it works, because a subscription to a bus that fell
// silent looks like a quiet one.
func (h *Hub) watch(ctx context.Context) {
	for sleep(ctx, h.cfg.PollEvery) {
		ping, cancel := context.WithTimeout(ctx, pingTimeout)
		err := h.parts.Bus.Ping(ping)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if was := h.answering.Swap(err == nil); was != (err == nil) {
			h.log.Warn("the bus changed", "answers", err == nil, "error", err)
		}
		if h.Degraded(ctx) != nil {
			h.metrics.degraded.Set(1)
			h.wantResync()
		} else {
			h.metrics.degraded.Set(0)
		}
	}
}

// keepSynced reads the store at the start, when asked, and now and then.
func (h *Hub) keepSynced(ctx context.Context) {
	broken := false
	for ctx.Err() == nil {
		err := h.readStore(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			h.metrics.resyncs.WithLabelValues("error").Inc()
			if !broken {
				h.log.Error("the live picture could not be read from the store; trying again", "error", err)
			}
			h.wantResync()
		default:
			h.metrics.resyncs.WithLabelValues("ok").Inc()
			h.wake() // those who came before the first reading wait for it
			if broken {
				h.log.Info("the live picture was read from the store again")
			}
		}
		broken = err != nil
		if !sleep(ctx, resyncPause) {
			return
		}
		select {
		case <-ctx.Done():
		case <-h.resync:
		case <-time.After(h.cfg.ResyncEvery):
		}
	}
}

func (h *Hub) readStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, resyncTimeout)
	defer cancel()
	// Labels and places first, so that nothing is shown without them.
	if _, err := h.parts.Network.Refresh(ctx); err != nil {
		return err
	}
	since := h.Picture.Revision()
	var got held
	var err error
	got.roads, err = pages(func(p store.Page) ([]traffic.RoadState, store.Cursor, error) {
		return h.parts.Store.Latest(ctx, store.RoadFilter{}, p)
	})
	if err != nil {
		return fmt.Errorf("read latest states: %w", err)
	}
	got.predictions, err = pages(func(p store.Page) ([]traffic.Prediction, store.Cursor, error) {
		return h.parts.Store.LatestPredictions(ctx, store.PredictionQuery{Page: p})
	})
	if err != nil {
		return fmt.Errorf("read latest predictions: %w", err)
	}
	got.reroutes, _, err = h.parts.Store.Reroutes(ctx, store.RerouteQuery{Statuses: InForce(), Page: store.Page{Limit: maxAdvice}})
	if err != nil {
		return fmt.Errorf("read reroutes: %w", err)
	}
	got.alerts, _, err = h.parts.Store.Alerts(ctx, store.AlertQuery{State: store.AlertActive, Page: store.Page{Limit: maxAlerts}})
	if err != nil {
		return fmt.Errorf("read alerts: %w", err)
	}
	return h.Picture.reconcile(since, got)
}

// pages reads a list to its end.
func pages[T any](read func(store.Page) ([]T, store.Cursor, error)) ([]T, error) {
	var all []T
	p := store.Page{Limit: readPage}
	for {
		part, next, err := read(p)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
		if next == "" {
			return all, nil
		}
		p.After = next
	}
}

// beat ticks until ctx ends.
func (h *Hub) beat(ctx context.Context) {
	tick := time.NewTicker(h.cfg.UpdateEvery)
	defer tick.Stop()
	var forecasts time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			due := now.Sub(forecasts) >= h.cfg.PredictionsEvery
			if due {
				forecasts = now
			}
			h.tell(h.Picture.tick(due))
		}
	}
}

// keepNetwork reads the roads again when they are due, so that no request waits for it.
func (h *Hub) keepNetwork(ctx context.Context) {
	broken := false
	for sleep(ctx, time.Second) {
		_, err := h.parts.Network.Refresh(ctx)
		if err != nil && ctx.Err() == nil && !broken {
			h.log.Error("the roads could not be read; trying again", "error", err)
		}
		broken = err != nil
	}
}

// sleep waits and reports whether ctx still runs.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
