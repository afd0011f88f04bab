package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/sethvargo/go-retry"
)

const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 5 * time.Second
	keepAlive      = 30 * time.Second
	// confirmTimeout is how long the broker may take to confirm what we publish.
	confirmTimeout = 10 * time.Second
	// stuckAfter is how long one call into the client may last.
	stuckAfter = 15 * time.Second
	checkEvery = time.Second
	// unconfirmed bounds the publications that are on their way.
	unconfirmed = 256
	// A lost connection is replaced after retryFirst, later after up to retryMax;
	// one that held for stableFor begins at retryFirst again.
	retryFirst = 250 * time.Millisecond
	retryMax   = 15 * time.Second
	stableFor  = 5 * time.Second
)

// ErrNotConnected is returned while there is no connection to the broker.
var ErrNotConnected = errors.New("not connected")

// errRoom ends a connection on purpose.
var errRoom = errors.New("asking the broker again for messages there was no room for")

// A Message is one message from the broker.
type Message struct {
	Topic   string
	Payload []byte
	// AtMostOnce says that the sender wanted no acknowledgement (QoS 0): the
	// message cannot be had again.
	AtMostOnce bool
	// Ack tells the broker to forget the message. It may wait for the network. It
	// does nothing when the connection was replaced meanwhile: then the message
	// comes again.
	Ack func()
}

// A Receiver takes messages.
type Receiver interface {
	// Offer never waits. false leaves the message with the broker.
	Offer(m Message) bool
	// Roomy reports whether messages that were not taken may be sent again.
	Roomy() bool
}

// Config says which broker, who we are and what we want to hear.
type Config struct {
	URL                string
	Username, Password string
	// TLS is used for the schemes that ask for it; nil means the system's roots.
	TLS *tls.Config
	// ClientID names the session at the broker. It must be the same after a
	// restart and of nobody else.
	ClientID string
	// Filters are subscribed to with QoS 1.
	Filters []string
	// Clean says that the senders keep what we have not answered: the broker shall
	// forget us with the connection, so that it hands our share to others at once.
	// Without it the broker keeps what comes for us until we are back.
	Clean bool
	// Forget names a session that an earlier configuration left at the broker, which
	// would collect messages for nobody; empty for none.
	Forget string
}

// A Link is the connection. Make one with New.
type Link struct {
	cfg     Config
	to      Receiver
	log     *slog.Logger
	metrics Metrics

	// refused says that the broker still has messages there was no room for.
	refused atomic.Bool
	// busySince is when the running call into the client began, in Unix
	// nanoseconds, 0 when none runs. Only one goroutine calls at a time.
	busySince atomic.Int64
	// stuck and confirm are stuckAfter and confirmTimeout but in tests.
	stuck, confirm time.Duration

	mu   sync.Mutex // guards everything declared below
	sess *session   // nil between two
	err  error      // why there is no connection; nil when there is
}

// A session is one client from its first to its last packet.
type session struct {
	client mqtt.Client
	// tokens are the publications that wait to be confirmed.
	tokens chan mqtt.Token
	// lost gets the reason why the client is of no more use.
	lost chan error
	// over is closed at the end.
	over chan struct{}
}

// New returns a link that hands messages to the receiver once Run runs.
func New(cfg Config, to Receiver, log *slog.Logger, m Metrics) *Link {
	return &Link{
		cfg: cfg, to: to, log: log.With("component", "broker", "broker", redacted(cfg.URL)), metrics: m,
		stuck: stuckAfter, confirm: confirmTimeout, err: ErrNotConnected,
	}
}

// redacted is the URL without its password.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "unreadable URL"
	}
	return u.Redacted()
}

// Connected returns nil when messages flow, otherwise why they do not.
func (l *Link) Connected() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Run keeps a connection until ctx ends. It returns nil.
func (l *Link) Run(ctx context.Context) error {
	wait := newBackoff()
	for outage := false; ctx.Err() == nil; {
		began := time.Now()
		err := l.session(ctx, &outage)
		l.setErr(err)
		if errors.Is(err, errRoom) {
			l.log.Info(errRoom.Error())
			continue
		}
		if !outage && ctx.Err() == nil {
			outage = true
			l.log.Warn("no connection to the broker, trying again until there is one", "err", err)
		}
		if time.Since(began) > stableFor {
			wait = newBackoff()
		}
		pause, _ := wait.Next()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

func newBackoff() retry.Backoff {
	return retry.WithJitterPercent(50, retry.WithCappedDuration(retryMax, retry.NewExponential(retryFirst)))
}

// session connects, subscribes and returns when that connection is of no more use.
func (l *Link) session(ctx context.Context, outage *bool) error {
	lost := make(chan error, 1)
	s := &session{
		client: mqtt.NewClient(l.options(lost)), lost: lost,
		tokens: make(chan mqtt.Token, unconfirmed), over: make(chan struct{}),
	}
	// Messages that arrive with the connection are answered at once.
	l.use(s)
	var confirmations sync.WaitGroup
	confirmations.Go(func() { l.confirmAll(s) })
	defer func() {
		l.use(nil)
		close(s.over)
		// It says goodbye, so that the broker need not find out, and does not
		// wait for a client that hangs.
		s.client.Disconnect(250)
		confirmations.Wait()
	}()
	if err := await(ctx, s.client.Connect()); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := l.forget(ctx); err != nil {
		return err
	}
	if err := l.subscribe(ctx, s.client); err != nil {
		return err
	}
	l.setErr(nil)
	l.metrics.connects.Inc()
	l.log.Info("connected to the broker", "client_id", l.cfg.ClientID, "filters", l.cfg.Filters, "after_outage", *outage)
	*outage = false
	return l.watch(ctx, lost)
}

func (l *Link) options(lost chan<- error) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions().AddBroker(l.cfg.URL).
		SetClientID(l.cfg.ClientID).SetCleanSession(l.cfg.Clean).SetProtocolVersion(4).
		SetUsername(l.cfg.Username).SetPassword(l.cfg.Password).
		SetKeepAlive(keepAlive).SetPingTimeout(confirmTimeout).
		SetConnectTimeout(connectTimeout).SetWriteTimeout(writeTimeout).
		// Run replaces clients; paho's own ways have no jitter and no watchdog.
		SetAutoReconnect(false).SetConnectRetry(false).
		SetAutoAckDisabled(true).
		// handle never waits, so it needs no goroutine per message.
		SetOrderMatters(true).
		// A kept session delivers before any subscription of ours is confirmed.
		SetDefaultPublishHandler(l.handle).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { give(lost, err) })
	if l.cfg.TLS != nil {
		o.SetTLSConfig(l.cfg.TLS.Clone())
	}
	return o
}

// give hands err over unless an earlier one waits already.
func give(lost chan<- error, err error) {
	select {
	case lost <- err:
	default:
	}
}

func (l *Link) handle(_ mqtt.Client, m mqtt.Message) {
	taken := l.to.Offer(Message{
		Topic: m.Topic(), Payload: m.Payload(), AtMostOnce: m.Qos() == 0,
		Ack: func() { l.guard(m.Ack) },
	})
	switch {
	case taken || m.Qos() == 0:
	case l.cfg.Clean:
		m.Ack() // the sender keeps it and sends it again
	default:
		l.refused.Store(true)
	}
}

// forget ends a session that nobody uses any more: a clean connection under its name
// makes the broker drop it. It does so once.
func (l *Link) forget(ctx context.Context) error {
	if l.cfg.Forget == "" {
		return nil
	}
	client := mqtt.NewClient(l.options(make(chan error, 1)).SetClientID(l.cfg.Forget).SetCleanSession(true))
	defer client.Disconnect(250)
	if err := await(ctx, client.Connect()); err != nil {
		return fmt.Errorf("end the unused session %q: %w", l.cfg.Forget, err)
	}
	l.cfg.Forget = ""
	return nil
}

func (l *Link) subscribe(ctx context.Context, client mqtt.Client) error {
	filters := make(map[string]byte, len(l.cfg.Filters))
	for _, f := range l.cfg.Filters {
		filters[f] = 1
	}
	t := client.SubscribeMultiple(filters, nil)
	if err := await(ctx, t); err != nil {
		return fmt.Errorf("subscribe to %q: %w", l.cfg.Filters, err)
	}
	for f, qos := range t.(*mqtt.SubscribeToken).Result() {
		if qos != 1 {
			return fmt.Errorf("subscribe to %q: the broker answered %#x, want QoS 1: may this client read it?", f, qos)
		}
	}
	return nil
}

func await(ctx context.Context, t mqtt.Token) error {
	timeout := time.NewTimer(connectTimeout)
	defer timeout.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return fmt.Errorf("no answer within %s", connectTimeout)
	}
}

// watch returns when the connection broke or has to be replaced.
func (l *Link) watch(ctx context.Context, lost <-chan error) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ErrNotConnected
		case err := <-lost:
			return fmt.Errorf("connection lost: %w", err)
		case <-tick.C:
		}
		if since := l.busySince.Load(); since != 0 && time.Since(time.Unix(0, since)) > l.stuck {
			return fmt.Errorf("connection stuck: a packet could not be written for %s", l.stuck)
		}
		if l.refused.Load() && l.to.Roomy() {
			l.refused.Store(false)
			return errRoom
		}
	}
}
