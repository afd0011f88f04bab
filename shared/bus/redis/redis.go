package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/internal/fanout"
)

const (
	// netTimeout bounds one dial, read or write.
	netTimeout = 2 * time.Second
	// publishTimeout bounds a whole Publish.
	publishTimeout = 3 * time.Second
	// scriptRoads bounds how long one call of the script keeps Redis busy.
	scriptRoads = 1000
	prefix      = "cityflow:"
	latestKey   = prefix + "latest"
)

//go:embed latest.lua
var latestSource string

// A Bus spreads news through a Redis server. It implements bus.Bus and is safe
// for concurrent use.
type Bus struct {
	client *goredis.Client
	latest *goredis.Script
	log    *slog.Logger
	hub    fanout.Hub
	link   *link
	// id names this publisher; no two have the same.
	id string
	// turn holds a token while nobody publishes, so that the events of a
	// publisher leave in the order of their numbers.
	turn   chan struct{}
	seq    map[bus.Topic]uint64 // guarded by turn
	closed atomic.Bool
}

var _ bus.Bus = (*Bus)(nil)

// Open returns a bus on the Redis server that url names, such as
// redis://user:password@host:6379/0 or rediss:// for TLS. A url that cannot be
// read is an error; a server that does not answer is logged only, because news
// are a hint and the bus finds the server when it comes. Close releases it.
func Open(ctx context.Context, url string, log *slog.Logger) (*Bus, error) {
	opt, err := goredis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("read Redis URL: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// go-redis prints to stderr what it also returns as an error.
	logging.Disable()
	bound(opt)
	b := &Bus{
		client: goredis.NewClient(opt),
		latest: goredis.NewScript(latestSource),
		log:    log.With("component", "bus", "redis", opt.Addr),
		id:     rand.Text(),
		turn:   make(chan struct{}, 1),
		seq:    make(map[bus.Topic]uint64),
	}
	b.turn <- struct{}{}
	b.link = newLink(b.client, &b.hub, b.log)
	if err := b.Ping(ctx); err != nil {
		b.log.Warn("Redis does not answer; live updates start when it does", "err", err)
	}
	return b, nil
}

// bound gives every network operation a deadline. A lost answer is not asked for
// again: the event may have been spread, and the next one is soon there.
func bound(opt *goredis.Options) {
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = netTimeout, netTimeout, netTimeout
	opt.PoolTimeout = netTimeout
	opt.ContextTimeoutEnabled = true
	opt.MaxRetries = -1
	opt.DialerRetries = 1
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func channelOf(t bus.Topic) string { return prefix + string(t) }

// Publish spreads e and, on bus.TopicLive, brings the hash of latest states up to
// date. It returns within about three seconds whatever Redis does; after an
// error the event may have reached some subscribers or none, and those who did not
// get it learn it from the next one's Missed. bus.ErrClosed after Close.
func (b *Bus) Publish(ctx context.Context, e bus.Event) error {
	if err := e.Check(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if b.closed.Load() {
		return bus.ErrClosed
	}
	name, items, err := encodeItems(&e)
	if err != nil {
		return fmt.Errorf("publish on topic %s: %w", e.Topic, err)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	select {
	case <-b.turn:
		defer func() { b.turn <- struct{}{} }()
	case <-ctx.Done():
		return fmt.Errorf("publish on topic %s: wait for the one before: %w", e.Topic, ctx.Err())
	}
	b.seq[e.Topic]++
	parts, err := split(b.id, b.seq[e.Topic], name, items)
	if err != nil {
		return fmt.Errorf("publish on topic %s: %w", e.Topic, err)
	}
	if err := errors.Join(b.putLatest(ctx, &e, items), b.send(ctx, e.Topic, parts)); err != nil {
		return b.orClosed(fmt.Errorf("publish on topic %s: %w", e.Topic, err))
	}
	return nil
}

// putLatest goes before send, so that whoever hears of a state finds it.
func (b *Bus) putLatest(ctx context.Context, e *bus.Event, items [][]byte) error {
	if e.Topic != bus.TopicLive {
		return nil
	}
	for from := 0; from < len(items); from += scriptRoads {
		to := min(from+scriptRoads, len(items))
		args := make([]any, 0, 2*(to-from))
		for i := from; i < to; i++ {
			args = append(args, string(e.Roads[i].Road), items[i])
		}
		if err := b.latest.Run(ctx, b.client, []string{latestKey}, args...).Err(); err != nil {
			return fmt.Errorf("write latest states: %w", err)
		}
	}
	return nil
}

func (b *Bus) send(ctx context.Context, t bus.Topic, parts [][]byte) error {
	_, err := b.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for _, part := range parts {
			p.Publish(ctx, channelOf(t), part)
		}
		return nil
	})
	return err
}

// Subscribe returns the news of the topics from now on; see bus.Subscriber. It
// waits until Redis has confirmed, or a few seconds when Redis is away; in that
// case the first event has Missed > 0. It returns bus.ErrClosed, the error of an
// ended ctx, or one that names a topic that does not exist.
func (b *Bus) Subscribe(ctx context.Context, topics ...bus.Topic) (<-chan bus.Event, error) {
	if err := fanout.CheckTopics(topics); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	b.link.want(topics)
	out, err := b.hub.Subscribe(ctx, topics, func() { b.link.release(topics) })
	if err != nil {
		b.link.release(topics)
		return nil, err
	}
	if err := b.link.await(ctx, topics); err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return out, nil
}

// Ping returns nil when Redis answers within two seconds.
func (b *Bus) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, netTimeout)
	defer cancel()
	if err := b.client.Ping(ctx).Err(); err != nil {
		return b.orClosed(fmt.Errorf("ping Redis: %w", err))
	}
	return nil
}

// Close ends all subscriptions and the connections. bus.ErrClosed when it was
// closed before.
func (b *Bus) Close() error {
	if b.closed.Swap(true) {
		return bus.ErrClosed
	}
	b.link.close()
	return errors.Join(b.hub.Close(), b.client.Close())
}

func (b *Bus) orClosed(err error) error {
	if b.closed.Load() {
		return bus.ErrClosed
	}
	return err
}
