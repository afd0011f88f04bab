package collector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/2zrhun/city-flow/cloud/collector/internal/broker"
	"github.com/2zrhun/city-flow/cloud/collector/internal/ingest"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// Config is what an operator may choose. Begin with Default.
type Config struct {
	// BrokerURL is the central broker, such as tcp://127.0.0.1:1883 or
	// mqtts://broker.example:8883. Its user and password win over the fields below.
	BrokerURL string
	// BrokerUsername and BrokerPassword are for brokers that ask for them.
	BrokerUsername, BrokerPassword string
	// BrokerTLS is used when the URL asks for TLS; nil means the system's roots and
	// no client certificate.
	BrokerTLS *tls.Config
	// Instance tells collectors on one broker apart. It must be the same after a
	// restart, or what the broker keeps for this one is delivered to nobody.
	Instance string
	// DirectTopics says to take what sensors publish on the central broker
	// themselves, beside the batches of edges.
	DirectTopics bool
	// MaxReadings is where a transaction is full; one message may carry it beyond.
	MaxReadings int
	// MaxDelay is how long a message may wait for others to share its transaction.
	MaxDelay time.Duration
	// AppendTimeout bounds one transaction.
	AppendTimeout time.Duration
	// MaxPendingBytes bounds the payloads that are taken and not yet answered.
	MaxPendingBytes int64
	// Window is how many unacknowledged batches an edge may have out while the
	// collector is idle. It is told fewer as the collector fills up.
	Window int
}

// Default returns a configuration that lacks nothing for one collector beside a
// broker on the same machine.
func Default() Config {
	return Config{
		BrokerURL:       "tcp://127.0.0.1:1883",
		Instance:        "1",
		DirectTopics:    true,
		MaxReadings:     5000,
		MaxDelay:        50 * time.Millisecond,
		AppendTimeout:   30 * time.Second,
		MaxPendingBytes: 64 << 20,
		Window:          32,
	}
}

// Validate returns an error that names every field that cannot be used, its value
// and what is allowed.
func (c *Config) Validate() error {
	var errs []error
	require := func(ok bool, field string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s %v: want %s", field, value, want))
		}
	}
	schemes := []string{"tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss"}
	u, err := url.Parse(c.BrokerURL)
	require(err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme),
		"broker URL", shown(u), fmt.Sprintf("scheme://host:port with one of the schemes %v", schemes))
	require(c.Instance != "" && len(c.Instance) <= 64, "instance", fmt.Sprintf("%q", c.Instance), "1 to 64 bytes")
	require(c.MaxReadings >= 1 && c.MaxReadings <= 100_000, "max readings", c.MaxReadings, "1 to 100000")
	require(c.MaxDelay >= time.Millisecond && c.MaxDelay <= time.Minute, "max delay", c.MaxDelay, "1ms to 1m")
	require(c.AppendTimeout >= time.Second, "append timeout", c.AppendTimeout, "at least 1s")
	require(c.MaxPendingBytes >= 4*wire.MaxBatchBytes, "max pending bytes", c.MaxPendingBytes, fmt.Sprintf("at least %d", 4*wire.MaxBatchBytes))
	require(c.Window >= 1 && c.Window <= 4096, "window", c.Window, "1 to 4096")
	return errors.Join(errs...)
}

// shown is a URL for people: without its password, and nothing of one that could
// not be read, since a password may be in it.
func shown(u *url.URL) string {
	if u == nil {
		return "(unreadable)"
	}
	return fmt.Sprintf("%q", u.Redacted())
}

// A Collector is the path from the central broker into the store. Make one with
// New.
type Collector struct {
	// edges brings batches and takes their acknowledgements; sensors brings what
	// sensors publish themselves, nil without Config.DirectTopics.
	edges, sensors *broker.Link
	flow           *ingest.Pipeline
}

// A Store is what a collector writes to.
type Store interface {
	store.ReadingWriter
	ingest.SensorKeeper
}

// New returns a collector that writes to st and spreads news on live. It connects
// to nothing before Run. A nil log discards. The error is that of cfg.Validate.
func New(cfg Config, st Store, live bus.Publisher, log *slog.Logger, reg prometheus.Registerer) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure collector: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	flow := ingest.New(ingest.Config{
		MaxReadings: cfg.MaxReadings, MaxDelay: cfg.MaxDelay, AppendTimeout: cfg.AppendTimeout,
		MaxPendingBytes: cfg.MaxPendingBytes, Window: cfg.Window,
	}, ingest.Deps{Store: st, Sensors: st, Bus: live, Log: log, Reg: reg, Now: time.Now})
	ms := broker.NewMetrics(reg, "edges", "sensors")
	c := &Collector{flow: flow, edges: broker.New(cfg.edges(), flow, log, ms[0])}
	if cfg.DirectTopics {
		c.sensors = broker.New(cfg.sensors(), flow, log, ms[1])
	}
	return c, nil
}

// All subscriptions are shared: each message goes to one of the collectors.
const share = "$share/collector/"

// edges says how batches are heard. An edge keeps a batch until we acknowledge it, so
// the broker need not keep it for us too: where a collector is gone, its share goes to
// the others with the next message and not when its session has expired.
func (c *Config) edges() broker.Config {
	b := c.broker("")
	b.Filters, b.Clean = []string{share + wire.BatchFilter}, true
	if !c.DirectTopics {
		b.Forget = c.sensors().ClientID
	}
	return b
}

// sensors says how sensors are heard that publish on the central broker. Nobody but the
// broker keeps their messages while we are away.
func (c *Config) sensors() broker.Config {
	b := c.broker("-sensors")
	b.Filters = []string{share + wire.SensorFilter, share + wire.SensorTopicAlt}
	return b
}

func (c *Config) broker(suffix string) broker.Config {
	return broker.Config{
		URL: c.BrokerURL, Username: c.BrokerUsername, Password: c.BrokerPassword, TLS: c.BrokerTLS,
		ClientID: "cityflow-collector-" + c.Instance + suffix,
	}
}

// Run collects until ctx ends, then takes nothing new, finishes for a few seconds
// what it has, and returns nil. What could not be finished is delivered again by
// the broker or its edge. It may be called once.
func (c *Collector) Run(ctx context.Context) error {
	linkCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var links errgroup.Group
	links.Go(func() error { return c.edges.Run(linkCtx) })
	if c.sensors != nil {
		links.Go(func() error { return c.sensors.Run(linkCtx) })
	}
	err := c.flow.Run(ctx, c.edges)
	stop()
	return errors.Join(err, links.Wait())
}

// Accept stores readings that come another way than through the broker, such as an
// import; see traffic.Sink. It returns when they are committed, and waits for the
// store until ctx ends. It needs Run to run.
func (c *Collector) Accept(ctx context.Context, batch []traffic.Reading) error {
	if err := c.flow.Accept(ctx, batch); err != nil {
		return fmt.Errorf("collect %d readings: %w", len(batch), err)
	}
	return nil
}

// BrokerReady returns nil while messages flow from the broker.
func (c *Collector) BrokerReady(context.Context) error {
	err := c.edges.Connected()
	if err == nil && c.sensors != nil {
		err = c.sensors.Connected()
	}
	return err
}

// StoreReady returns why the last transaction failed, nil when it did not.
func (c *Collector) StoreReady(context.Context) error {
	if err := c.flow.StoreErr(); err != nil {
		return fmt.Errorf("last append failed: %w", err)
	}
	return nil
}

var (
	_ broker.Receiver = (*ingest.Pipeline)(nil)
	_ traffic.Sink    = (*Collector)(nil)
)
