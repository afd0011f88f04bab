package inproc

import (
	"context"
	"fmt"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/internal/fanout"
)

// A Bus spreads news within this process. It implements bus.Bus.
type Bus struct {
	hub fanout.Hub
}

var _ bus.Bus = (*Bus)(nil)

// New returns an open bus.
func New() *Bus { return new(Bus) }

// Publish gives e to everybody who subscribed to its topic. It returns the error
// of e.Check, of an ended ctx, or bus.ErrClosed.
func (b *Bus) Publish(ctx context.Context, e bus.Event) error {
	if err := e.Check(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return b.hub.Publish(e)
}

// Subscribe returns the news of the topics from now on; see bus.Subscriber. It
// returns bus.ErrClosed, the error of an ended ctx, or one that names a topic
// that does not exist.
func (b *Bus) Subscribe(ctx context.Context, topics ...bus.Topic) (<-chan bus.Event, error) {
	if err := fanout.CheckTopics(topics); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return b.hub.Subscribe(ctx, topics, nil)
}

// Ping returns nil while the bus is open.
func (b *Bus) Ping(ctx context.Context) error {
	if b.hub.Closed() {
		return bus.ErrClosed
	}
	return ctx.Err()
}

// Close ends all subscriptions. bus.ErrClosed when it was closed before.
func (b *Bus) Close() error { return b.hub.Close() }
