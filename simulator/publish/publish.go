package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/errgroup"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
	"github.com/2zrhun/city-flow/simulator/internal/mqttconn"
)

// ErrStopped is returned by Publish and Flush after Run has ended.
var ErrStopped = errors.New("the publisher has stopped")

// A Publisher sends readings to a broker. Run must be running for anything to leave.
type Publisher struct {
	cfg     Config
	log     *slog.Logger
	metrics metrics
	window  *window
	stopped chan struct{} // closed when Run has ended

	// batching holds one token; who has it owns the two fields below. It is no
	// mutex, because its owner may wait for room in the window and others must be
	// able to give up.
	batching chan struct{}
	batch    []traffic.Reading
	since    time.Time // when the first reading of the batch came
	lingers  chan struct{}
}

type metrics struct {
	sent, acked, resent prometheus.Counter
	out, connected      prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return metrics{
		sent:   counter("cityflow_publish_readings_sent_total", "Readings sent to the broker, each counted once."),
		acked:  counter("cityflow_publish_readings_acked_total", "Readings that the broker acknowledged."),
		resent: counter("cityflow_publish_readings_resent_total", "Readings sent again after a lost connection."),
		out: f.NewGauge(prometheus.GaugeOpts{
			Name: "cityflow_publish_messages_out", Help: "Messages without acknowledgement; at its bound the broker is the bottleneck.",
		}),
		connected: f.NewGauge(prometheus.GaugeOpts{Name: "cityflow_publish_connected", Help: "1 while the broker is connected."}),
	}
}

// New returns a Publisher; its error names a bad key of the Config. log and reg may
// be nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Publisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{
		cfg: cfg, log: log.With("component", "publish"), metrics: newMetrics(reg),
		window: newWindow(cfg.Window), stopped: make(chan struct{}),
		batching: make(chan struct{}, 1), lingers: make(chan struct{}, 1),
		batch: make([]traffic.Reading, 0, cfg.Batch),
	}, nil
}

// Publish takes readings over for sending; it copies them. It blocks while the window
// is full, and returns the error of ctx or ErrStopped. A nil error does not mean that
// they arrived: Flush says so. It is a source.Out.
func (p *Publisher) Publish(ctx context.Context, readings []traffic.Reading) error {
	if err := p.lock(ctx); err != nil {
		return err
	}
	defer p.unlock()
	for len(readings) > 0 {
		if len(p.batch) == 0 {
			p.since = time.Now()
			signal(p.lingers)
		}
		n := min(p.cfg.Batch-len(p.batch), len(readings))
		p.batch = append(p.batch, readings[:n]...)
		readings = readings[n:]
		if len(p.batch) == p.cfg.Batch || p.cfg.Linger == 0 {
			if err := p.send(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush returns when the broker acknowledged everything that was published before,
// or with the error of ctx or ErrStopped; then it says how much is left.
func (p *Publisher) Flush(ctx context.Context) error {
	if err := p.lock(ctx); err != nil {
		return err
	}
	err := p.send(ctx)
	p.unlock()
	for err == nil {
		left, changed := p.window.left()
		if left == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			err = fmt.Errorf("%d readings are not acknowledged: %w", left, ctx.Err())
		case <-p.stopped:
			err = fmt.Errorf("%d readings are not acknowledged: %w", left, ErrStopped)
		}
	}
	return err
}

func (p *Publisher) lock(ctx context.Context) error {
	select {
	case <-p.stopped:
		return ErrStopped
	default:
	}
	select {
	case p.batching <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped:
		return ErrStopped
	}
}

func (p *Publisher) unlock() { <-p.batching }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// send makes a message of the batch and puts it into the window. Its caller holds the
// batch. On an error the batch stays.
func (p *Publisher) send(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	payload, err := wire.EncodeSensor(p.batch)
	if err != nil {
		return fmt.Errorf("encode readings: %w", err)
	}
	m := &message{topic: topicOf(p.batch), payload: payload, readings: len(p.batch)}
	if err := p.window.put(ctx, p.stopped, m); err != nil {
		return err
	}
	p.batch = p.batch[:0]
	return nil
}

// topicOf is the sensor's own topic where all readings are of one sensor.
func topicOf(rs []traffic.Reading) string {
	for i := range rs {
		if rs[i].Sensor != rs[0].Sensor {
			return wire.SensorTopicAlt
		}
	}
	return wire.SensorTopic(rs[0].Sensor)
}

// Run keeps the connection and sends until ctx ends; it returns nil then. What is not
// acknowledged by then is given up: Flush before ending ctx.
func (p *Publisher) Run(ctx context.Context) error {
	defer close(p.stopped)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.linger(ctx) })
	g.Go(func() error { return p.connect(ctx) })
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// linger sends batches that have waited long enough for others.
func (p *Publisher) linger(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.lingers:
			timer.Reset(p.cfg.Linger)
			continue
		case <-timer.C:
		}
		if err := p.lock(ctx); err != nil {
			return err
		}
		var err error
		if wait := p.cfg.Linger - time.Since(p.since); len(p.batch) > 0 && wait > 0 {
			timer.Reset(wait) // a younger batch has taken the place of the one that the timer was for
		} else {
			err = p.send(ctx)
		}
		p.unlock()
		if err != nil {
			return err
		}
	}
}

// connect holds a connection, one after the other.
func (p *Publisher) connect(ctx context.Context) error {
	cfg := p.cfg.conn()
	var closing sync.WaitGroup // connections that are lost, but not gone
	defer closing.Wait()
	for {
		conn, err := mqttconn.Dial(ctx, cfg, p.log)
		if err != nil {
			return err
		}
		p.log.Info("connected to the broker", "client_id", cfg.ClientID)
		p.metrics.connected.Set(1)
		err = p.session(ctx, conn)
		p.metrics.connected.Set(0)
		closing.Go(conn.Close)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.log.Warn("the connection to the broker is lost; what it has not acknowledged is sent again", "error", err)
	}
}

// session sends on one connection until it is lost.
func (p *Publisher) session(ctx context.Context, conn *mqttconn.Conn) error {
	p.window.rewind()
	g, ctx := errgroup.WithContext(ctx)
	tokens := make(chan mqtt.Token, p.cfg.Window)
	g.Go(func() error { return p.acknowledge(ctx, tokens) })
	g.Go(func() error { return p.transmit(ctx, conn, tokens) })
	return g.Wait()
}

// transmit publishes the window's messages in order.
func (p *Publisher) transmit(ctx context.Context, conn *mqttconn.Conn, tokens chan<- mqtt.Token) error {
	for {
		m := p.window.take()
		if m == nil {
			select {
			case <-p.window.work:
				continue
			case <-conn.Lost():
				return conn.Err()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p.count(m)
		token, err := conn.Publish(m.topic, m.payload)
		if err != nil {
			return err
		}
		select {
		case tokens <- token:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *Publisher) count(m *message) {
	if m.sent {
		p.metrics.resent.Add(float64(m.readings))
		return
	}
	m.sent = true
	p.metrics.sent.Add(float64(m.readings))
	p.metrics.out.Inc()
}

// acknowledge waits for the tokens in the order of sending: the broker acknowledges
// in that order, too.
func (p *Publisher) acknowledge(ctx context.Context, tokens <-chan mqtt.Token) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-tokens:
			if err := mqttconn.Await(ctx, t, p.cfg.AckTimeout); err != nil {
				return err
			}
			p.metrics.acked.Add(float64(p.window.acked()))
			p.metrics.out.Dec()
		}
	}
}
