package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// An Intake takes the messages of certain topics over from the broker instead of its
// subscribers, who see them only once they are kept.
type Intake struct {
	// Match says whether a topic's messages go to Handle. It must be quick.
	Match func(topic string) bool
	// Handle takes one message over. It must not wait for a disk or a network:
	// it calls done, exactly once and from any goroutine, when the message is
	// kept, or with an error when it could not be. It must copy what it keeps of the
	// payload before it returns.
	Handle func(topic string, payload []byte, done func(error))
	// HandleAll is Handle for messages that one client sent together, in their
	// order; done answers all of them. Without it each goes to Handle.
	HandleAll func(messages []Message, done func(error))
}

// A Message is one MQTT publication.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	// Retain keeps the message for later subscribers of its topic.
	Retain bool
}

// A Broker is an MQTT 3.1.1 and 5 broker on a TCP port, and on a second one with TLS.
type Broker struct {
	cfg    Config
	intake Intake
	log    *slog.Logger
	met    *metrics
	server *mqtt.Server
	port   *port
	// secure is the port with TLS and credentials what it shows and takes; both nil
	// without.
	secure      *port
	credentials *credentials
	hook        *hook
	door        *door
	// bytes holds the payloads of waiting intake messages.
	bytes *semaphore.Weighted
	// life ends when the broker closes.
	life    context.Context
	end     context.CancelFunc
	closing sync.Once

	mu      sync.Mutex
	closed  bool           // guarded by mu
	writers sync.WaitGroup // of acknowledgements; none is added once closed
}

// New opens the broker's port, so that a port in use is known at once, and serves it
// from Run on. An intake without Match makes a plain broker.
func New(cfg Config, intake Intake, log *slog.Logger, reg prometheus.Registerer) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure broker: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Broker{
		cfg: cfg, intake: intake, log: log.With("component", "broker"),
		door: newDoor(), bytes: semaphore.NewWeighted(cfg.MaxWaitingBytes),
	}
	b.life, b.end = context.WithCancel(context.Background())
	b.server = mqtt.New(serverOptions(cfg, b.log))
	b.met = newMetrics(reg, b)
	guard, err := newGuard(&b.cfg, b.log)
	if err != nil {
		return nil, err
	}
	b.hook = &hook{b: b, guard: guard}
	if err := b.openPorts(); err != nil {
		b.closePorts()
		return nil, err
	}
	return b, nil
}

func (b *Broker) openPorts() error {
	ln, err := listen(b.cfg.Addr)
	if err != nil {
		return err
	}
	b.port = &port{id: "tcp", ln: ln, b: b, log: b.log, conns: make(map[*conn]struct{})}
	if err := errors.Join(b.server.AddHook(b.hook, nil), b.server.AddListener(b.port)); err != nil {
		return fmt.Errorf("set up broker: %w", err)
	}
	if b.cfg.TLS.Addr == "" {
		return nil
	}
	if b.secure, err = b.listenTLS(); err != nil {
		return err
	}
	if err := b.server.AddListener(b.secure); err != nil {
		return fmt.Errorf("set up broker: %w", err)
	}
	return nil
}

// closePorts is for a broker that was not set up.
func (b *Broker) closePorts() {
	for _, p := range []*port{b.port, b.secure} {
		if p != nil {
			_ = p.ln.Close() // nobody has connected
		}
	}
}

func serverOptions(cfg Config, log *slog.Logger) *mqtt.Options {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumClients = int64(cfg.MaxClients)
	c.MaximumClientWritesPending = int32(cfg.MaxOutbound)
	c.MaximumSessionExpiryInterval = uint32(cfg.SessionExpiry.Seconds())
	c.MaximumPacketSize = cfg.MaxPacketBytes
	c.ReceiveMaximum = cfg.MaxWaiting
	c.MaximumInflight = cfg.MaxUnacked
	c.TopicAliasMaximum = 256
	return &mqtt.Options{
		Capabilities:             c,
		ClientNetWriteBufferSize: 4 << 10,
		ClientNetReadBufferSize:  256, // conn has a buffer of its own
		SysTopicResendInterval:   10,  // seconds; each stops the world for a moment
		InlineClient:             true,
		Logger:                   slog.New(quietHandler{log.Handler()}),
	}
}

// Run serves clients until ctx ends, then closes the broker; see Close.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.server.Serve(); err != nil {
		return errors.Join(fmt.Errorf("serve MQTT: %w", err), b.Close())
	}
	b.log.Info("serving MQTT", "addr", b.Addr())
	if b.secure != nil {
		b.log.Info("serving encrypted MQTT", "tls_addr", b.TLSAddr())
		b.start(b.sweep)
	}
	select {
	case <-ctx.Done():
	case <-b.life.Done():
	}
	return b.Close()
}

// CloseDoor stops taking intake messages, waits until those taken are answered, or ctx
// ends, and goes on serving everything else. A client that publishes to the intake
// from now on is disconnected unacknowledged.
func (b *Broker) CloseDoor(ctx context.Context) error {
	return b.door.close(ctx)
}

// Close disconnects the clients and closes the port. Intake messages that are still
// waiting are not acknowledged.
func (b *Broker) Close() error {
	var err error
	b.closing.Do(func() {
		b.end()
		b.hook.sessions.Range(func(_, s any) bool { s.(*session).wake(); return true })
		err = b.server.Close()
		b.mu.Lock()
		b.closed = true
		b.mu.Unlock()
		b.writers.Wait()
	})
	return err
}

// Addr is the address that the broker listens on, with the port it was given.
func (b *Broker) Addr() string { return b.port.Address() }

// TLSAddr is the address of the encrypted port, empty without one.
func (b *Broker) TLSAddr() string {
	if b.secure == nil {
		return ""
	}
	return b.secure.Address()
}

// LocalURL is where a client on this machine reaches the broker.
func (b *Broker) LocalURL() string {
	addr := b.port.ln.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("tcp://%s", net.JoinHostPort(host, fmt.Sprint(addr.Port)))
}

// Clients is the number of clients that are connected.
func (b *Broker) Clients() int {
	n := b.port.clients()
	if b.secure != nil {
		n += b.secure.clients()
	}
	return n
}

// Publish delivers a message to the subscribers of its topic. It does not wait for
// them: one that is too slow misses it.
func (b *Broker) Publish(m Message) error {
	if err := b.server.Publish(m.Topic, m.Payload, m.Retain, m.QoS); err != nil {
		return fmt.Errorf("publish on %s: %w", m.Topic, err)
	}
	return nil
}

// heard reports whether a message on the topic has subscribers.
func (b *Broker) heard(topic string) bool {
	subs := b.server.Topics.Subscribers(topic)
	return len(subs.Subscriptions)+len(subs.Shared) > 0
}

// start runs f unless the broker is closed, which it reports; Close waits for it.
func (b *Broker) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.writers.Go(f)
	return true
}

// forget removes what mochi leaves of a client whose connection ended in a panic.
func (b *Broker) forget(c *conn) {
	for id, cl := range b.server.Clients.GetAll() {
		if cl.Net.Conn != c {
			continue
		}
		b.hook.sessions.Delete(cl)
		cl.ClearInflights()
		b.server.UnsubscribeClient(cl)
		b.server.Clients.Delete(id)
	}
}
