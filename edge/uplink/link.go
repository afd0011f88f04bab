package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/shared/wire"
)

// A client is what the link uses of paho's. Paho has a history of calls that never return
// (its issues 328, 411, 473, 509), so each runs on a goroutine that the link can leave
// behind.
type client interface {
	Connect() mqtt.Token
	Subscribe(topic string, qos byte, callback mqtt.MessageHandler) mqtt.Token
	Publish(topic string, qos byte, retained bool, payload any) mqtt.Token
	IsConnectionOpen() bool
	Disconnect(quiesce uint)
}

// A link is one MQTT connection to the central broker, subscribed to what the centre
// says to this edge. Paho's goroutines only ever put into its channels, and never wait
// for anybody.
type link struct {
	cfg    *Config
	client client
	// deaf is why the centre's settings do not arrive, nil when they do.
	deaf error
	// events is what the session looks at.
	events chan event
	// outbox holds packets until paho takes them.
	outbox chan *delivery
	// ended is closed when nobody looks at the link any more; work are its goroutines.
	ended chan struct{}
	work  sync.WaitGroup

	mu   sync.Mutex
	conn net.Conn // guarded by mu
	over bool     // guarded by mu: a connection made from now on is closed
}

// An event is one thing that came over the link: an acknowledgement, a configuration, a
// packet that the broker confirmed (or never will), or the end.
type event struct {
	ack, config []byte
	delivery    *delivery
	lost        error
}

// A delivery is one packet on its way to the broker.
type delivery struct {
	topic   string
	retain  bool
	payload []byte
	// done is closed when the broker has it, or err says why it never will.
	done chan struct{}
	err  error
}

// maxQueued bounds the events that nobody has looked at. Messages that find no room are
// dropped, their senders repeat them; confirmations wait.
const maxQueued = 256

// connect makes a link, or gives up when the timeouts of its parts or ctx say so. A link
// whose client is stuck comes back with the error: the caller closes it.
func connect(ctx context.Context, cfg *Config) (*link, error) {
	l := &link{
		cfg: cfg, events: make(chan event, maxQueued), ended: make(chan struct{}),
		outbox: make(chan *delivery, cfg.MaxWindow+maxExtra),
	}
	l.client = cfg.newClient(l.options().SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		return l.open(ctx)
	}))
	stop := context.AfterFunc(ctx, l.cut)
	defer stop()
	if _, err := l.call(ctx, l.client.Connect); err != nil {
		return l, fmt.Errorf("connect to %s: %w", cfg.URL, err)
	}
	_, ack, _ := cfg.topics()
	if err := l.subscribe(ctx, ack, func(payload []byte) event { return event{ack: payload} }); err != nil {
		return l, err
	}
	if cfg.OnConfig != nil {
		err := l.subscribe(ctx, wire.ConfigTopic(cfg.Edge), func(payload []byte) event { return event{config: payload} })
		if l.deaf = err; err != nil && !errors.Is(err, errRefused) {
			return l, err
		}
	}
	l.work.Go(l.pump)
	return l, nil
}

// maxExtra is how many packets beside batches may wait for paho: hellos and statuses.
const maxExtra = 16

func (l *link) options() *mqtt.ClientOptions {
	cfg := l.cfg
	_, _, status := cfg.topics()
	o := mqtt.NewClientOptions().
		AddBroker(cfg.URL).
		SetClientID("cityflow-edge-" + string(cfg.Edge)).
		SetProtocolVersion(4).
		SetCleanSession(true). // the buffer remembers better
		SetAutoReconnect(false).
		SetOrderMatters(false).
		SetKeepAlive(cfg.KeepAlive).
		SetPingTimeout(cfg.WriteTimeout).
		SetConnectTimeout(cfg.ConnectTimeout).
		SetWriteTimeout(cfg.WriteTimeout).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { l.put(event{lost: err}) })
	if cfg.User != "" {
		o.SetUsername(cfg.User).SetPassword(cfg.Password)
	}
	if len(cfg.Offline) > 0 {
		o.SetBinaryWill(status, cfg.Offline, 1, true)
	}
	return o
}

// open dials the broker and remembers the connection, to cut it when paho does not let
// go of it.
func (l *link) open(ctx context.Context) (net.Conn, error) {
	conn, err := dial(ctx, l.cfg)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		_ = conn.Close()
		return nil, context.Canceled
	}
	l.conn = conn
	return conn, nil
}

// call bounds a paho operation; its error is a refusal, or that nothing came. It does not
// rely on paho to return, nor to end the operation when the connection is cut: a
// subscription that is just being written then stays open for ever.
func (l *link) call(ctx context.Context, operation func() mqtt.Token) (mqtt.Token, error) {
	limit := 2 * l.cfg.ConnectTimeout
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	begun := make(chan mqtt.Token, 1)
	l.work.Go(func() { begun <- operation() })
	var done <-chan struct{}
	var t mqtt.Token
	for {
		select {
		case t = <-begun:
			done = t.Done()
		case <-done:
			return t, t.Error()
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timeout.C:
			return nil, fmt.Errorf("no answer within %s", limit)
		}
	}
}

// subscribe makes events of the messages on a topic.
func (l *link) subscribe(ctx context.Context, topic string, made func(payload []byte) event) error {
	t, err := l.call(ctx, func() mqtt.Token {
		return l.client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { l.offer(made(m.Payload())) })
	})
	if sub, ok := t.(*mqtt.SubscribeToken); ok && err == nil && sub.Result()[topic] > 2 {
		err = errRefused
	}
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return nil
}

// offer queues an event that may be dropped.
func (l *link) offer(e event) {
	select {
	case l.events <- e:
	default:
	}
}

// put queues an event that may not, as long as somebody looks.
func (l *link) put(e event) {
	select {
	case l.events <- e:
	case <-l.ended:
	}
}

// publish hands a packet over. It does not wait for paho; when that has not taken packets
// for so long that no further one may wait, it is stuck.
func (l *link) publish(topic string, retain bool, payload []byte) (*delivery, error) {
	d := &delivery{topic: topic, retain: retain, payload: payload, done: make(chan struct{})}
	select {
	case l.outbox <- d:
		return d, nil
	default:
		return nil, errStuck
	}
}

// pump gives the packets to paho in order, until the link ends.
func (l *link) pump() {
	for {
		select {
		case d := <-l.outbox:
			t := l.client.Publish(d.topic, 1, d.retain, d.payload)
			l.work.Go(func() { l.follow(d, t) })
		case <-l.ended:
			return
		}
	}
}

// follow reports the end of a delivery.
func (l *link) follow(d *delivery, t mqtt.Token) {
	select {
	case <-t.Done():
		d.err = t.Error()
	case <-l.ended:
		d.err = net.ErrClosed
	}
	close(d.done)
	l.put(event{delivery: d})
}

// cut ends the connection at once.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// farewell is how long a clean disconnect may take, letGo how long a client whose
// connection was cut may take to return from what it is doing.
const (
	farewell = 250 * time.Millisecond
	letGo    = 2 * time.Second
)

// close says goodbye where possible, and ends the connection in any case. It returns nil,
// or, when the client does not come back, a channel that closes if it ever does.
func (l *link) close() (stuck <-chan struct{}) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		if l.client.IsConnectionOpen() {
			l.client.Disconnect(uint(farewell.Milliseconds()))
		}
	}()
	select {
	case <-said:
	case <-time.After(2 * farewell):
	}
	l.cut()
	close(l.ended)
	all := make(chan struct{})
	go func() {
		defer close(all)
		<-said
		l.work.Wait()
	}()
	select {
	case <-all:
		return nil
	case <-time.After(letGo):
		return all
	}
}

var (
	// errStalled ends a session whose broker confirms nothing any more.
	errStalled = errors.New("the broker confirms nothing")
	// errRefused ends one that may not subscribe.
	errRefused = errors.New("the broker refuses")
	// errStuck ends one whose client takes nothing any more.
	errStuck = errors.New("the MQTT client takes no more packets")
	// errReconfigured ends one whose settings have changed.
	errReconfigured = errors.New("the settings have changed")
)
