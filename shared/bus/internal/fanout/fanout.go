package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/2zrhun/city-flow/shared/bus"
)

// Capacity is how many events wait for one subscriber before the oldest is lost.
const Capacity = 64

// A Hub is a set of subscribers. The zero value is ready.
type Hub struct {
	mu     sync.Mutex // guards everything declared below
	subs   map[*subscriber]struct{}
	closed bool
	pumps  sync.WaitGroup
}

// CheckTopics returns an error unless there is at least one topic and all exist.
func CheckTopics(topics []bus.Topic) error {
	if len(topics) == 0 {
		return fmt.Errorf("subscribe: no topic given, want some of %v", bus.Topics())
	}
	for _, t := range topics {
		if !slices.Contains(bus.Topics(), t) {
			return fmt.Errorf("subscribe: topic %q does not exist, want some of %v", t, bus.Topics())
		}
	}
	return nil
}

// Subscribe returns the events of the topics from now on. The channel is closed
// when ctx ends or the hub is closed; then done, if not nil, is called once.
// bus.ErrClosed when the hub is closed.
func (h *Hub) Subscribe(ctx context.Context, topics []bus.Topic, done func()) (<-chan bus.Event, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, bus.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	s := newSubscriber(topics, cancel)
	if h.subs == nil {
		h.subs = make(map[*subscriber]struct{})
	}
	h.subs[s] = struct{}{}
	h.pumps.Go(func() {
		defer func() {
			cancel()
			h.remove(s)
			close(s.out)
			if done != nil {
				done()
			}
		}()
		s.pump(ctx)
	})
	return s.out, nil
}

// Publish puts e into the ring of everybody who wants its topic and returns at
// once. bus.ErrClosed when the hub is closed.
func (h *Hub) Publish(e bus.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return bus.ErrClosed
	}
	for s := range h.subs {
		if slices.Contains(s.topics, e.Topic) {
			s.offer(e)
		}
	}
	return nil
}

// Close ends all subscriptions and returns when their channels are closed.
// bus.ErrClosed when it was closed before.
func (h *Hub) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return bus.ErrClosed
	}
	h.closed = true
	for s := range h.subs {
		s.cancel()
	}
	h.mu.Unlock()
	h.pumps.Wait()
	return nil
}

// Closed reports whether Close was called.
func (h *Hub) Closed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

func (h *Hub) remove(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s)
}
