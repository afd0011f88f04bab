package redis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/sethvargo/go-retry"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/internal/fanout"
)

const (
	// pingEvery is how often the subscribing connection is asked for a sign of
	// life, and silentFor how long it may give none.
	pingEvery = 3 * time.Second
	silentFor = 10 * time.Second
	// confirmTimeout is how long a subscriber waits for Redis to confirm.
	confirmTimeout = 3 * time.Second
	// A broken link is mended after retryFirst, later after up to retryMax.
	retryFirst = 50 * time.Millisecond
	retryMax   = 2 * time.Second
	// stableFor is how long a link must have held to begin at retryFirst again.
	stableFor = 10 * time.Second
)

// A link is the one subscribing connection of a process. It gives the events that
// arrive to the hub and is replaced for ever when it breaks.
//
// go-redis would mend the connection too, but does not tell, and a peer that fell
// silent would go unnoticed until TCP gives up.
type link struct {
	client *goredis.Client
	hub    *fanout.Hub
	log    *slog.Logger
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	done   sync.WaitGroup
	start  sync.Once
	// heard is the time of the last sign of life, in Unix nanoseconds.
	heard atomic.Int64
	// pingEvery and silentFor are the constants but in tests.
	pingEvery, silentFor time.Duration
	// outage says that the log knows of one; ignored counts foreign messages.
	// Both belong to the goroutine of run.
	outage  bool
	ignored uint64

	mu     sync.Mutex // guards everything declared below
	topics map[bus.Topic]*topicLink
	conn   *goredis.PubSub // nil while the link is down
}

// topicLink is the state of one topic. It stays when the last subscriber has gone:
// what arrives is then ignored without being decoded.
type topicLink struct {
	users int
	// ready is closed when Redis confirmed on the present connection.
	ready     chan struct{}
	confirmed bool
	asm       *assembler
}

func newLink(client *goredis.Client, hub *fanout.Hub, log *slog.Logger) *link {
	ctx, cancel := context.WithCancel(context.Background())
	return &link{
		client: client, hub: hub, log: log, ctx: ctx, cancel: cancel,
		pingEvery: pingEvery, silentFor: silentFor,
		topics: make(map[bus.Topic]*topicLink),
	}
}

func (l *link) close() {
	l.cancel()
	l.start.Do(func() {}) // nothing starts from here on
	l.done.Wait()
}

// want makes the link listen to the topics.
func (l *link) want(topics []bus.Topic) {
	l.mu.Lock()
	for _, t := range topics {
		tl := l.topics[t]
		if tl == nil {
			tl = &topicLink{ready: make(chan struct{})}
			l.topics[t] = tl
			if l.conn != nil && l.conn.Subscribe(l.ctx, channelOf(t)) != nil {
				end(l.conn) // makes session begin anew
			}
		}
		if tl.users == 0 {
			tl.asm = newAssembler(t)
		}
		tl.users++
	}
	l.mu.Unlock()
	l.start.Do(func() { l.done.Go(l.run) })
}

func (l *link) release(topics []bus.Topic) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range topics {
		l.topics[t].users--
	}
}

// await returns when Redis confirmed the topics. Those that it did not in time are
// marked, so that their first event tells of a loss.
func (l *link) await(ctx context.Context, topics []bus.Topic) error {
	timeout := time.NewTimer(confirmTimeout)
	defer timeout.Stop()
	for _, t := range topics {
		l.mu.Lock()
		ready := l.topics[t].ready
		l.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ctx.Done():
			return bus.ErrClosed
		case <-timeout.C:
			l.log.Warn("Redis has not confirmed a subscription; it begins when Redis is back", "topics", topics)
			l.markBroken(topics)
			return nil
		}
	}
	return nil
}

func (l *link) markBroken(topics []bus.Topic) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range topics {
		l.topics[t].asm.broken = true
	}
}

// run keeps one connection after the other until the link is closed.
func (l *link) run() {
	wait := newBackoff()
	for l.ctx.Err() == nil {
		began := time.Now()
		err := l.session()
		if l.ctx.Err() != nil {
			return
		}
		if time.Since(began) > stableFor {
			wait = newBackoff()
		}
		if !l.outage {
			l.outage = true
			l.log.Warn("lost the subscription to Redis, trying again until it is back", "err", err)
		}
		pause, _ := wait.Next()
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
		}
	}
}

// end closes a connection, which another part of link may have done already.
func end(conn *goredis.PubSub) { _ = conn.Close() }

func newBackoff() retry.Backoff {
	return retry.WithJitterPercent(30, retry.WithCappedDuration(retryMax, retry.NewExponential(retryFirst)))
}

// session listens on one connection until that breaks.
func (l *link) session() error {
	conn := l.client.Subscribe(l.ctx)
	defer end(conn)
	err := l.up(conn)
	if err == nil {
		err = l.listen(conn)
	}
	l.down()
	return err
}

// up subscribes to all topics, also to those that are wanted meanwhile. It does
// not hold the lock while it waits for the network.
func (l *link) up(conn *goredis.PubSub) error {
	ctx, cancel := context.WithTimeout(l.ctx, confirmTimeout)
	defer cancel()
	asked := make(map[bus.Topic]bool)
	for {
		channels := l.unasked(conn, asked)
		if len(channels) == 0 {
			return nil
		}
		if err := conn.Subscribe(ctx, channels...); err != nil {
			return err
		}
	}
}

// unasked returns the channels of topics that were not asked for yet. When there
// is none, conn becomes the connection that want uses from then on.
func (l *link) unasked(conn *goredis.PubSub, asked map[bus.Topic]bool) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var channels []string
	for t := range l.topics {
		if !asked[t] {
			asked[t] = true
			channels = append(channels, channelOf(t))
		}
	}
	if len(channels) == 0 {
		l.conn = conn
	}
	return channels
}

// down marks every topic as one whose events may have been lost.
func (l *link) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = nil
	for _, tl := range l.topics {
		tl.asm.broken = true
		if tl.confirmed {
			tl.ready, tl.confirmed = make(chan struct{}), false
		}
	}
}

func (l *link) listen(conn *goredis.PubSub) error {
	var watch sync.WaitGroup
	ctx, cancel := context.WithCancel(l.ctx)
	defer watch.Wait()
	defer cancel()
	l.heard.Store(time.Now().UnixNano())
	watch.Go(func() { l.watch(ctx, conn) })
	for {
		m, err := conn.Receive(ctx)
		if err != nil {
			return err
		}
		l.heard.Store(time.Now().UnixNano())
		switch m := m.(type) {
		case *goredis.Subscription:
			l.confirm(m)
		case *goredis.Message:
			l.message(m)
		}
	}
}

// watch closes the connection when it fell silent or ctx ended, which makes
// Receive return.
func (l *link) watch(ctx context.Context, conn *goredis.PubSub) {
	defer end(conn)
	tick := time.NewTicker(l.pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		pingCtx, cancel := context.WithTimeout(ctx, netTimeout)
		err := conn.Ping(pingCtx)
		cancel()
		if err != nil || time.Since(time.Unix(0, l.heard.Load())) > l.silentFor {
			return
		}
	}
}

func (l *link) confirm(s *goredis.Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tl := l.topics[topicOf(s.Channel)]
	if s.Kind != "subscribe" || tl == nil || tl.confirmed {
		return
	}
	tl.confirmed = true
	close(tl.ready)
	if l.outage {
		l.outage = false
		l.log.Info("the subscription to Redis is back")
	}
}

func topicOf(channel string) bus.Topic {
	i := slices.IndexFunc(bus.Topics(), func(t bus.Topic) bool { return channelOf(t) == channel })
	if i < 0 {
		return ""
	}
	return bus.Topics()[i]
}

func (l *link) message(m *goredis.Message) {
	e, err := l.assemble(topicOf(m.Channel), []byte(m.Payload))
	if err != nil {
		if l.ignored++; l.ignored&(l.ignored-1) == 0 { // 1st, 2nd, 4th, 8th …
			l.log.Warn("ignored a message on a channel of ours", "channel", m.Channel, "err", err, "ignored_so_far", l.ignored)
		}
		return
	}
	if e == nil {
		return
	}
	if err := l.hub.Publish(*e); err != nil && !errors.Is(err, bus.ErrClosed) {
		l.log.Warn("could not hand on an event", "topic", e.Topic, "err", err)
	}
}

func (l *link) assemble(t bus.Topic, payload []byte) (*bus.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tl := l.topics[t]
	if tl == nil || tl.users == 0 {
		return nil, nil
	}
	return tl.asm.add(payload)
}
