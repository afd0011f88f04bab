package mqttconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A Config says where to connect and as whom.
type Config struct {
	// URL is the broker: tcp://, ssl:// or ws:// with host and port, user and
	// password optional.
	URL      string
	ClientID string
	// TLS is used by ssl:// and wss://; nil trusts the system's authorities.
	TLS *tls.Config
}

// schemes are those that the client library dials.
func schemes() []string { return []string{"tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss", "unix"} }

// CheckURL returns an error that says what a broker's address looks like.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains(schemes(), u.Scheme) || u.Host == "" && u.Path == "" {
		return fmt.Errorf("%q: want an address such as tcp://127.0.0.1:1883, with one of the schemes %s", redacted(address), strings.Join(schemes(), ", "))
	}
	return nil
}

// redacted is the address without its password.
func redacted(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "(unreadable)"
}

// The time limits of a connection.
const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 10 * time.Second
	keepAlive      = 30 * time.Second
	pingTimeout    = 10 * time.Second
	// quiesce is how long a Close waits for what is being written, in ms.
	quiesce = 250
	// The pauses between attempts.
	firstPause, longestPause = 100 * time.Millisecond, 10 * time.Second
)

// A Conn is a live connection.
type Conn struct {
	client mqtt.Client
	lost   chan struct{}
	// err is set before lost is closed.
	err error
	// writes are the calls of Publish inside the library.
	writes sync.WaitGroup
}

// Dial connects, trying again until it succeeds or ctx ends, whose error it returns
// then. A broker that refuses the name or the password is asked again, too: it may be
// put right there.
func Dial(ctx context.Context, cfg Config, log *slog.Logger) (*Conn, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = firstPause, longestPause
	said := false
	return backoff.Retry(ctx, func() (*Conn, error) { return dialOnce(ctx, cfg) },
		backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			if !said { // once per outage
				log.Warn("the broker can't be reached; trying on", "broker", redacted(cfg.URL), "error", err)
				said = true
			}
		}))
}

func dialOnce(ctx context.Context, cfg Config) (*Conn, error) {
	c := &Conn{lost: make(chan struct{})}
	var once sync.Once
	o := mqtt.NewClientOptions().AddBroker(cfg.URL).SetClientID(cfg.ClientID).SetCleanSession(true).
		SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true).
		SetConnectTimeout(connectTimeout).SetWriteTimeout(writeTimeout).SetKeepAlive(keepAlive).SetPingTimeout(pingTimeout).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) {
			once.Do(func() {
				c.err = err
				close(c.lost)
			})
		})
	if cfg.TLS != nil {
		o.SetTLSConfig(cfg.TLS)
	}
	c.client = mqtt.NewClient(o)
	t := c.client.Connect()
	if err := Await(ctx, t, connectTimeout+writeTimeout); err != nil {
		c.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

// Lost is closed when the connection breaks.
func (c *Conn) Lost() <-chan struct{} { return c.lost }

// Err says why the connection broke, once Lost is closed.
func (c *Conn) Err() error { return c.err }

// Publish hands a message to the connection, QoS 1. Its token ends with the broker's
// acknowledgement, or with an error when the connection is lost before. An error of
// Publish itself is that of a connection that is lost already.
func (c *Conn) Publish(topic string, payload []byte) (mqtt.Token, error) {
	// The library may hold a caller for writeTimeout when the connection breaks while
	// it waits for its turn to write. The sender has a new connection to make.
	token := make(chan mqtt.Token, 1)
	c.writes.Go(func() { token <- c.client.Publish(topic, 1, false, payload) })
	select {
	case t := <-token:
		return t, nil
	case <-c.lost:
		return nil, c.err
	}
}

// Subscribe asks for a topic, QoS 1, and waits for the broker's consent. handle gets
// the payloads in their order and must not block for long.
func (c *Conn) Subscribe(ctx context.Context, topic string, handle func(payload []byte)) error {
	t := c.client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { handle(m.Payload()) })
	if err := Await(ctx, t, writeTimeout); err != nil {
		return fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	return nil
}

// Close ends the connection and returns when nothing of it is left, which may take as
// long as a write that hangs. What is not acknowledged by then may or may not have
// arrived.
func (c *Conn) Close() {
	c.client.Disconnect(quiesce)
	c.writes.Wait()
}

// ErrNoAnswer is returned when the broker is connected and stays silent.
var ErrNoAnswer = errors.New("the broker does not answer")

// Await waits for a token, for at most the given time.
func Await(ctx context.Context, t mqtt.Token, patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w within %s", ErrNoAnswer, patience)
	}
}
