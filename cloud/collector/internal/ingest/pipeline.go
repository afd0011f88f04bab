package ingest

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/collector/internal/broker"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
)

const (
	// MaxPending bounds the messages that are taken and not yet answered.
	MaxPending = 8192
	// drainTimeout bounds how long Run works on what it took after its ctx ended.
	drainTimeout = 5 * time.Second
	// maxRoads bounds the roads that the scorer learns, about 250 bytes each.
	maxRoads = 100_000
	// maxHellos bounds the hellos that wait, such as after a broker's restart.
	maxHellos = 1024
	// maxDecoders is where more of them would only wait for the store.
	maxDecoders = 4
	// writers is how many transactions run at a time: while one waits for the disk,
	// the next brings its readings. Two that hold the same batch are no harm, the store
	// counts each reading once; nor is one that overtakes another, a state never goes
	// back to an older one.
	writers = 2
)

// Config is how the pipeline works; see the root package for what each field means.
type Config struct {
	MaxReadings     int
	MaxDelay        time.Duration
	AppendTimeout   time.Duration
	MaxPendingBytes int64
	Window          int
}

// A Publisher sends answers to edges.
type Publisher interface {
	Publish(topic string, payload []byte) error
}

// Deps are the parts that the pipeline works with.
type Deps struct {
	Store store.ReadingWriter
	// Sensors keeps what is found out about sensors.
	Sensors SensorKeeper
	Bus     bus.Publisher
	Log     *slog.Logger
	Reg     prometheus.Registerer
	// Now is the wall clock.
	Now func() time.Time
}

// A Pipeline takes messages and stores their readings. It implements
// broker.Receiver.
type Pipeline struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	decoder *decoder
	writer  *writer
	live    *live
	sensors *sensors

	// pending and pendingBytes are what is taken and not yet answered.
	pending, pendingBytes atomic.Int64
	// offers are what Accept hands over; ended is closed when nobody takes it.
	offers chan piece
	ended  chan struct{}
	// hellos wait to be answered. One that finds no room is dropped: it comes again.
	hellos chan piece

	// taking orders the decoders' access to the inbox.
	taking  sync.Mutex
	tickets uint64 // guarded by taking

	mu     sync.RWMutex // guards everything declared below
	inbox  chan broker.Message
	closed bool
}

// New returns a pipeline that works once Run runs.
func New(cfg Config, deps Deps) *Pipeline {
	p := &Pipeline{cfg: cfg, deps: deps, inbox: make(chan broker.Message, MaxPending), offers: make(chan piece), ended: make(chan struct{}), hellos: make(chan piece, maxHellos)}
	p.metrics = newMetrics(deps.Reg, &p.pending, &p.pendingBytes)
	p.decoder = &decoder{scorer: score.NewScorer(maxRoads), now: deps.Now, metrics: p.metrics}
	p.writer = newWriter(cfg.AppendTimeout, deps, p.metrics)
	p.live = newLive(deps.Bus, deps.Log, p.metrics)
	p.sensors = newSensors(deps.Sensors, deps.Log, p.metrics)
	return p
}

// Offer takes m unless there is no room or Run is ending. It never waits.
func (p *Pipeline) Offer(m broker.Message) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return false
	}
	size := int64(len(m.Payload))
	n, bytes := p.pending.Add(1), p.pendingBytes.Add(size)
	if n > MaxPending || bytes > p.cfg.MaxPendingBytes && n > 1 {
		p.release(size)
		p.metrics.refused.Inc()
		if m.AtMostOnce { // nobody will send it again
			p.metrics.received.Inc()
			p.metrics.failed(reasonOverload).Inc()
		}
		return false
	}
	p.inbox <- m // has room for MaxPending
	return true
}

// Roomy reports whether at least half of the room is free.
func (p *Pipeline) Roomy() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return !p.closed && p.fill() < 0.5
}

// fill is the share of the room in use, 0 to 1.
func (p *Pipeline) fill() float64 {
	return min(1, max(
		float64(p.pending.Load())/MaxPending,
		float64(p.pendingBytes.Load())/float64(p.cfg.MaxPendingBytes),
	))
}

func (p *Pipeline) release(size int64) {
	p.pending.Add(-1)
	p.pendingBytes.Add(-size)
}

// StoreErr returns why the store does not take readings at present, nil when it
// did the last time.
func (p *Pipeline) StoreErr() error { return p.writer.lastErr() }

// Run works until ctx ends, then for a few seconds more on what was taken; what
// was not stored by then is left unanswered and comes again. Answers go to out. It
// returns nil.
func (p *Pipeline) Run(ctx context.Context, out Publisher) error {
	defer close(p.ended)
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(ctx, func() {
		p.close()
		time.AfterFunc(drainTimeout, kill)
	})()

	pieces := make(chan piece, 2)
	batches := make(chan *microBatch)
	commits := make(chan commit, writers)
	var live, decoders sync.WaitGroup
	answered := make(chan struct{})
	live.Go(func() { p.live.run(hard, answered) })
	live.Go(func() { p.sensors.run(ctx) })
	for range min(max(runtime.GOMAXPROCS(0), 1), maxDecoders) {
		decoders.Go(func() { p.decode(pieces) })
	}
	go func() { decoders.Wait(); close(pieces) }()
	ordered := make(chan piece)
	go func() { inOrder(pieces, ordered); close(ordered) }()
	go func() { gather(p.cfg.MaxReadings, p.cfg.MaxDelay, p.sensors.judge, ordered, batches); close(batches) }()
	go func() { p.write(hard, batches, commits); close(commits) }()
	p.answerAll(commits, out)
	close(answered)
	live.Wait()
	return nil
}

// write brings micro-batches into the store until there are no more.
func (p *Pipeline) write(ctx context.Context, in <-chan *microBatch, out chan<- commit) {
	var all sync.WaitGroup
	for range writers {
		all.Go(func() { p.writer.run(ctx, in, out) })
	}
	all.Wait()
}

// answerAll answers commits and hellos until there are no more commits to come. It alone
// publishes.
func (p *Pipeline) answerAll(commits <-chan commit, out Publisher) {
	for {
		select {
		case c, ok := <-commits:
			if !ok {
				return
			}
			p.answer(c, out)
		case c := <-p.hellos:
			p.greet(c, out)
		}
	}
}

// close ends the intake; what is in the inbox is still worked on.
func (p *Pipeline) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	close(p.inbox)
}

// decode works on one message after the other until the inbox is closed.
func (p *Pipeline) decode(out chan<- piece) {
	for {
		m, own, ticket, ok := p.take()
		switch {
		case !ok:
			return
		case own != nil:
			own.ticket = ticket
			out <- *own
		default:
			c := p.decoder.decode(m)
			c.ticket = ticket
			p.forward(c, out)
		}
	}
}

// take returns the next message or the next readings of Accept, with a ticket that says
// which came first: decoders overtake each other. ok is false at the end.
func (p *Pipeline) take() (m broker.Message, own *piece, ticket uint64, ok bool) {
	p.taking.Lock()
	defer p.taking.Unlock()
	select {
	case m, ok = <-p.inbox:
	case c := <-p.offers:
		own, ok = &c, true
	}
	if ok {
		p.tickets++
	}
	return m, own, p.tickets, ok
}

// forward hands on what has something for the store, and of everything else its ticket.
func (p *Pipeline) forward(c piece, out chan<- piece) {
	if !c.unread && c.hello == "" {
		out <- c
		return
	}
	out <- piece{ticket: c.ticket, void: true}
	if c.hello != "" {
		select {
		case p.hellos <- c:
			return
		default:
		}
	}
	c.ack()
	p.release(c.size)
}
