package fleet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
	"github.com/2zrhun/city-flow/simulator/internal/mqttconn"
)

// Config is what a user chooses.
type Config struct {
	// BrokerURL is the central broker, such as tcp://127.0.0.1:1883.
	BrokerURL string
	// TLS is used by ssl:// addresses; nil trusts the system's authorities.
	TLS *tls.Config
	// Edges is how many edges there are, 1 to 1,000; Sensors how many each has, 1 to
	// 1,000.
	Edges, Sensors int
	// Prefix begins the edges' names: <prefix>0001 and so on.
	Prefix string
	// Rate is in readings per second over all edges; 0 is as fast as they are
	// acknowledged.
	Rate float64
	// Batch is the readings in a batch; 0 is what an edge collects in a second, or
	// 500 at full speed.
	Batch int
	// Total ends the run after so many readings, rounded up to whole batches of each
	// edge; 0 runs until the end of the context.
	Total int64
	// Start is the event time of the first readings; the zero time is now, or a
	// week ago at full speed. No reading is sent before its event time has come.
	Start time.Time
	// Step is the event time between two readings of a sensor; 0 is what fits the
	// rate, or one second at full speed.
	Step time.Duration
	// AckTimeout is how long a batch may be unacknowledged before it is sent again.
	AckTimeout time.Duration
	// Seed chooses the readings.
	Seed uint64
}

// The bounds of a Config.
const (
	maxEdges   = 1000
	maxSensors = 1000
	fullBatch  = 500
	fullStep   = time.Second
	fullBehind = 7 * 24 * time.Hour
)

// DefaultConfig is 10 edges of 100 sensors with 100 readings a second.
func DefaultConfig() Config {
	return Config{
		BrokerURL: "tcp://127.0.0.1:1883", Edges: 10, Sensors: 100, Prefix: "sim-", Rate: 100,
		AckTimeout: 10 * time.Second, Seed: 1,
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
	note(c.Edges >= 1 && c.Edges <= maxEdges, "edges", c.Edges, "1 to 1000")
	note(c.Sensors >= 1 && c.Sensors <= maxSensors, "sensors", c.Sensors, "1 to 1000")
	note(len(c.Prefix)+16 <= traffic.MaxIDBytes, "prefix", c.Prefix, "a shorter name")
	note(c.Rate >= 0 && c.Rate <= 1e8, "rate", c.Rate, "readings per second, or 0 for full speed")
	note(c.Batch >= 0 && c.Batch <= wire.MaxBatchReadings, "batch", c.Batch, fmt.Sprintf("0 to %d", wire.MaxBatchReadings))
	note(c.Total >= 0, "total", c.Total, "0 or more")
	note(c.Step >= 0 && c.Step <= 24*time.Hour, "step", c.Step, "0s to 24h")
	note(c.AckTimeout >= time.Second && c.AckTimeout <= 10*time.Minute, "ack-timeout", c.AckTimeout, "1s to 10m")
	return errors.Join(errs...)
}

// settled fills in what the user left open.
func (c Config) settled(now time.Time) Config {
	perEdge := c.Rate / float64(c.Edges)
	if c.Batch == 0 {
		c.Batch = fullBatch
		if c.Rate > 0 {
			c.Batch = max(1, min(fullBatch, int(perEdge)))
		}
	}
	if c.Step == 0 {
		c.Step = fullStep
		if c.Rate > 0 {
			c.Step = max(traffic.Resolution, time.Duration(float64(c.Sensors)/perEdge*float64(time.Second)).Truncate(traffic.Resolution))
		}
	}
	if c.Start.IsZero() {
		c.Start = now
		if c.Rate == 0 {
			c.Start = now.Add(-fullBehind)
		}
	}
	c.Start = c.Start.UTC().Truncate(traffic.Resolution)
	return c
}
