package publish

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/simulator/internal/mqttconn"
)

// Config is what a user chooses.
type Config struct {
	// BrokerURL is the broker, such as tcp://127.0.0.1:1883; it may hold a user and
	// a password.
	BrokerURL string
	// ClientID is the name towards the broker; empty makes one up.
	ClientID string
	// Batch is the most readings in a message, 1 to 2,000.
	Batch int
	// Window is the most messages that are out unacknowledged, 1 to 1,000.
	Window int
	// Linger is how long readings wait for others before a message leaves, at most
	// 10 s; 0 sends what each Publish brought at once.
	Linger time.Duration
	// AckTimeout is how long the broker may take to acknowledge a message before
	// the connection is given up, 1 s to 10 min.
	AckTimeout time.Duration
	// TLS is used by ssl:// addresses; nil trusts the system's authorities.
	TLS *tls.Config
}

const (
	maxBatch  = 2000 // 520 bytes for each reading before wire.MaxSensorBytes is reached
	maxWindow = 1000
	maxLinger = 10 * time.Second
)

// DefaultConfig suits a broker on the same machine.
func DefaultConfig() Config {
	return Config{
		BrokerURL: "tcp://127.0.0.1:1883", Batch: 500, Window: 64, Linger: 20 * time.Millisecond, AckTimeout: time.Minute,
	}
}

// Validate returns an error that names each bad key, its value and what is allowed.
func (c Config) Validate() error {
	var errs []error
	if err := mqttconn.CheckURL(c.BrokerURL); err != nil {
		errs = append(errs, fmt.Errorf("broker-url: %w", err))
	}
	note := func(ok bool, key string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %v: want %s", key, value, want))
		}
	}
	note(c.Batch >= 1 && c.Batch <= maxBatch, "batch", c.Batch, fmt.Sprintf("1 to %d", maxBatch))
	note(c.Window >= 1 && c.Window <= maxWindow, "window", c.Window, fmt.Sprintf("1 to %d", maxWindow))
	note(c.Linger >= 0 && c.Linger <= maxLinger, "linger", c.Linger, "0s to 10s")
	note(c.AckTimeout >= time.Second && c.AckTimeout <= 10*time.Minute, "ack-timeout", c.AckTimeout, "1s to 10m")
	return errors.Join(errs...)
}

func (c Config) conn() mqttconn.Config {
	id := c.ClientID
	if id == "" {
		id = "cityflow-simulator-" + rand.Text()[:10]
	}
	return mqttconn.Config{URL: c.BrokerURL, ClientID: id, TLS: c.TLS}
}
