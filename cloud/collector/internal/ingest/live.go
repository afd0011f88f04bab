package ingest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// liveTimeout bounds one publication.
	liveTimeout = 5 * time.Second
	// livePause is how long a bus that failed is left alone.
	livePause = time.Second
)

// live spreads the newest states of roads in its own time, so that a slow bus never
// holds up the store. What waits is merged by road: it is as large as the network
// at most, and old states are skipped.
type live struct {
	bus     bus.Publisher
	log     *slog.Logger
	metrics *metrics
	wake    chan struct{}

	mu      sync.Mutex
	waiting map[traffic.RoadID]traffic.RoadState // guarded by mu
}

func newLive(b bus.Publisher, log *slog.Logger, m *metrics) *live {
	return &live{
		bus: b, log: log.With("component", "live"), metrics: m,
		wake: make(chan struct{}, 1), waiting: make(map[traffic.RoadID]traffic.RoadState),
	}
}

// offer never waits.
func (l *live) offer(states []traffic.RoadState) {
	if len(states) == 0 {
		return
	}
	l.mu.Lock()
	for _, s := range states {
		if old, ok := l.waiting[s.Road]; !ok || !s.At.Before(old.At) {
			l.waiting[s.Road] = s
		}
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *live) take() []traffic.RoadState {
	l.mu.Lock()
	defer l.mu.Unlock()
	states := make([]traffic.RoadState, 0, len(l.waiting))
	for _, s := range l.waiting {
		states = append(states, s)
	}
	clear(l.waiting)
	return states
}

// run publishes what is offered until done is closed, then the rest once.
func (l *live) run(ctx context.Context, done <-chan struct{}) {
	outage := false
	for {
		select {
		case <-l.wake:
		case <-done:
			_ = l.publish(ctx) // the last try: the store has it all
			return
		}
		err := l.publish(ctx)
		if err != nil && !outage {
			l.log.Warn("live updates are not spread until the bus is back", "err", err)
		} else if err == nil && outage {
			l.log.Info("live updates are spread again")
		}
		if outage = err != nil; outage {
			select {
			case <-time.After(livePause):
			case <-done:
			}
		}
	}
}

// publish spreads what waits. What the bus does not take waits on.
func (l *live) publish(ctx context.Context) error {
	states := l.take()
	if len(states) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	err := l.bus.Publish(ctx, bus.Event{Topic: bus.TopicLive, Roads: states})
	if err != nil {
		l.metrics.liveErrors.Inc()
		if !errors.Is(err, bus.ErrClosed) {
			l.putBack(states)
		}
	}
	return err
}

// putBack lets states wait again, except where a newer one waits already.
func (l *live) putBack(states []traffic.RoadState) {
	l.mu.Lock()
	for _, s := range states {
		if old, ok := l.waiting[s.Road]; !ok || old.At.Before(s.At) {
			l.waiting[s.Road] = s
		}
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
