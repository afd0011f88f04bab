package uplink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// Config is what an uplink may be told. Start from Default.
type Config struct {
	// URL is the central broker, such as tcp://broker.example:1883 or
	// tls://broker.example:8883.
	URL string
	// Edge names this edge in the topics.
	Edge traffic.EdgeID
	// User and Password are sent when User is not empty.
	User, Password string
	// TLS is used with a tls URL; nil verifies the server with the system's roots.
	TLS *tls.Config

	// Window is how many batches may be unacknowledged until the collector says
	// otherwise; it may say 0, which is to stop, to MaxWindow.
	Window    int
	MaxWindow int
	// AckTimeout is how long to wait for an acknowledgement before a batch is sent
	// again. It grows while the collector is silent or slow, up to MaxAckTimeout.
	AckTimeout    time.Duration
	MaxAckTimeout time.Duration
	// ProbeTimeout is how long to wait for the first answer to a hello before the next
	// one; later waits are longer, up to 15 s.
	ProbeTimeout time.Duration
	// FreshFor is how long after it was written a batch goes before the backlog.
	FreshFor time.Duration
	// StallTimeout is how long a broker may take to confirm anything before the
	// connection is given up.
	StallTimeout time.Duration
	// MinPause and MaxPause bound the pause before connecting again.
	MinPause time.Duration
	MaxPause time.Duration
	// KeepAlive is the interval of pings on an idle link.
	KeepAlive time.Duration
	// ConnectTimeout bounds connecting and subscribing, WriteTimeout one packet.
	ConnectTimeout time.Duration
	WriteTimeout   time.Duration
	// DrainTimeout is how long to go on sending after Run was told to stop.
	DrainTimeout time.Duration

	// Status, where set, makes the payload that is published, retained, on the
	// edge's status topic when connected and every StatusInterval.
	Status         func() []byte
	StatusInterval time.Duration
	// OnConfig, where set, is called with each message on the edge's configuration topic,
	// on the session's goroutine: it must not wait.
	OnConfig func(payload []byte)
	// Clock, where set, says what time it is and learns the collector's; nil takes this
	// machine's as it is.
	Clock Clock

	// Offline is the status that the broker publishes when the edge is gone, and
	// the uplink itself when it stops.
	Offline []byte

	// wrap changes the MQTT client in tests.
	wrap func(client) client
}

// A Clock is the edge's notion of the time.
type Clock interface {
	// Now is the time, and whether it is known; otherwise a time that has passed for
	// sure.
	Now() (t time.Time, known bool)
	// Learn takes the collector's clock, read at most took ago.
	Learn(server time.Time, took time.Duration)
}

func (c *Config) now() (t time.Time, known bool) {
	if c.Clock == nil {
		return time.Now(), true
	}
	return c.Clock.Now()
}

func (c *Config) learn(server time.Time, took time.Duration) {
	if c.Clock != nil {
		c.Clock.Learn(server, took)
	}
}

// newClient makes the MQTT client of one connection.
func (c *Config) newClient(o *mqtt.ClientOptions) client {
	if c.wrap != nil {
		return c.wrap(mqtt.NewClient(o))
	}
	return mqtt.NewClient(o)
}

// Default returns a configuration for a mobile link, without URL and Edge.
func Default() Config {
	return Config{
		Window:         16,
		MaxWindow:      256,
		AckTimeout:     15 * time.Second,
		MaxAckTimeout:  2 * time.Minute,
		ProbeTimeout:   time.Second,
		FreshFor:       time.Minute,
		StallTimeout:   time.Minute,
		MinPause:       time.Second,
		MaxPause:       time.Minute,
		KeepAlive:      30 * time.Second,
		ConnectTimeout: 15 * time.Second,
		WriteTimeout:   15 * time.Second,
		DrainTimeout:   5 * time.Second,
		StatusInterval: 30 * time.Second,
	}
}

// Validate returns an error that names each setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := c.address(); err != nil {
		errs = append(errs, err)
	}
	if c.Edge == "" {
		errs = append(errs, errors.New("edge: empty: want this edge's name"))
	}
	if c.MaxWindow < 1 || c.Window < 1 || c.Window > c.MaxWindow {
		errs = append(errs, fmt.Errorf("window: %d of at most %d is not allowed: want 1 to the latter", c.Window, c.MaxWindow))
	}
	for name, d := range map[string]time.Duration{
		"ack timeout": c.AckTimeout, "probe timeout": c.ProbeTimeout, "fresh for": c.FreshFor, "stall timeout": c.StallTimeout, "min pause": c.MinPause, "keep alive": c.KeepAlive,
		"connect timeout": c.ConnectTimeout, "write timeout": c.WriteTimeout, "status interval": c.StatusInterval,
	} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not allowed: want more than 0", name, d))
		}
	}
	if c.MaxAckTimeout < c.AckTimeout || c.MaxPause < c.MinPause {
		errs = append(errs, fmt.Errorf("max ack timeout %s and max pause %s: want at least ack timeout (%s) and min pause (%s)",
			c.MaxAckTimeout, c.MaxPause, c.AckTimeout, c.MinPause))
	}
	return errors.Join(errs...)
}

// address is the host:port of URL, and whether to speak TLS with it.
func (c *Config) address() (addr string, secure bool, err error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"tcp", "mqtt", "tls", "ssl", "mqtts"}, u.Scheme) {
		return "", false, fmt.Errorf("url: %q is not allowed: want tcp://host:port or tls://host:port", c.URL)
	}
	secure = u.Scheme != "tcp" && u.Scheme != "mqtt"
	port := u.Port()
	switch {
	case port == "" && secure:
		port = "8883"
	case port == "":
		port = "1883"
	}
	return net.JoinHostPort(u.Hostname(), port), secure, nil
}

func (c *Config) topics() (batch, ack, status string) {
	return wire.BatchTopic(c.Edge), wire.AckTopic(c.Edge), wire.StatusTopic(c.Edge)
}
