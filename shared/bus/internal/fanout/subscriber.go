package fanout

import (
	"context"
	"slices"
	"sync"

	"github.com/2zrhun/city-flow/shared/bus"
)

// A subscriber is one receiving end: a ring that offer fills and pump empties.
type subscriber struct {
	topics []bus.Topic
	out    chan bus.Event
	cancel context.CancelFunc
	// wake holds a token when the ring may have become non-empty.
	wake chan struct{}

	mu    sync.Mutex // guards everything declared below
	ring  [Capacity]bus.Event
	first int
	n     int
	// lost counts events that made room, until the next one of their topic is
	// taken. They were older than all that is left in the ring, so that one is
	// the right place to tell.
	lost map[bus.Topic]uint64
}

func newSubscriber(topics []bus.Topic, cancel context.CancelFunc) *subscriber {
	return &subscriber{
		topics: slices.Clone(topics),
		out:    make(chan bus.Event),
		cancel: cancel,
		wake:   make(chan struct{}, 1),
		lost:   make(map[bus.Topic]uint64),
	}
}

func (s *subscriber) offer(e bus.Event) {
	s.mu.Lock()
	if s.n == Capacity {
		old := s.pop()
		s.lost[old.Topic] += 1 + old.Missed
	}
	s.ring[(s.first+s.n)%Capacity] = e
	s.n++
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pop removes the oldest event. The caller holds mu and knows that there is one.
func (s *subscriber) pop() bus.Event {
	e := s.ring[s.first]
	s.ring[s.first] = bus.Event{} // lets the collector have its slices
	s.first = (s.first + 1) % Capacity
	s.n--
	return e
}

func (s *subscriber) take() (bus.Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return bus.Event{}, false
	}
	e := s.pop()
	e.Missed += s.lost[e.Topic]
	delete(s.lost, e.Topic)
	return e, true
}

// pump hands events over, one at a time, until ctx ends.
func (s *subscriber) pump(ctx context.Context) {
	for {
		e, ok := s.take()
		if !ok {
			select {
			case <-s.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case s.out <- e:
		case <-ctx.Done():
			return
		}
	}
}
