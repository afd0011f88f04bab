package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A link is one MQTT connection to the central broker, subscribed to the edge's
// acknowledgements. Paho's goroutines only ever put into its channels, and never
// wait for anybody.
type link struct {
	cfg    *Config
	client mqtt.Client
	// acks holds acknowledgements as they came; one that finds it full is dropped,
	// its batches are sent again.
	acks chan []byte
	lost chan error

	mu   sync.Mutex
	conn net.Conn // guarded by mu
	over bool     // guarded by mu: a connection made from now on is closed
}

// maxQueuedAcks is more than a collector sends while one is looked at.
const maxQueuedAcks = 256

// connect makes a link, or gives up when the timeouts of its parts or ctx say so.
func connect(ctx context.Context, cfg *Config) (*link, error) {
	l := &link{cfg: cfg, acks: make(chan []byte, maxQueuedAcks), lost: make(chan error, 1)}
	l.client = mqtt.NewClient(l.options().SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		return l.open(ctx)
	}))
	stop := context.AfterFunc(ctx, l.cut)
	defer stop()
	if err := l.wait(ctx, l.client.Connect()); err != nil {
		l.close()
		return nil, fmt.Errorf("connect to %s: %w", cfg.URL, err)
	}
	_, topic, _ := cfg.topics()
	if err := l.wait(ctx, l.client.Subscribe(topic, 1, l.receive)); err != nil {
		l.close()
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return l, nil
}

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
		SetConnectionLostHandler(func(_ mqtt.Client, err error) {
			select {
			case l.lost <- err:
			default:
			}
		})
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
	addr, secure, err := l.cfg.address()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.ConnectTimeout)
	defer cancel()
	var conn net.Conn
	if secure {
		conn, err = (&tls.Dialer{Config: l.cfg.TLS}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
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

// wait bounds a paho operation; its error is a refusal, or that nothing came. It does
// not rely on paho to end the operation when the connection is cut: a subscription that
// is just being written then stays open for ever.
func (l *link) wait(ctx context.Context, t mqtt.Token) error {
	limit := 2 * l.cfg.ConnectTimeout
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case <-t.Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return fmt.Errorf("no answer within %s", limit)
	}
	if sub, ok := t.(*mqtt.SubscribeToken); ok && t.Error() == nil {
		for topic, code := range sub.Result() {
			if code > 2 {
				return fmt.Errorf("the broker refuses %s", topic)
			}
		}
	}
	return t.Error()
}

func (l *link) receive(_ mqtt.Client, m mqtt.Message) {
	select {
	case l.acks <- m.Payload():
	default:
	}
}

// publish hands a packet to paho. The token is complete when the broker confirmed it.
func (l *link) publish(topic string, retain bool, payload []byte) (mqtt.Token, error) {
	t := l.client.Publish(topic, 1, retain, payload)
	select {
	case <-t.Done():
		return t, t.Error()
	default:
		return t, nil
	}
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

// farewell is how long a clean disconnect may take.
const farewell = 250 * time.Millisecond

// close says goodbye where possible, and ends the connection in any case.
func (l *link) close() {
	if l.client.IsConnectionOpen() {
		l.client.Disconnect(uint(farewell.Milliseconds()))
	}
	l.cut()
}

// errStalled ends a session whose broker confirms nothing any more.
var errStalled = errors.New("the broker confirms nothing")
