package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/edge/clock"
	"github.com/2zrhun/city-flow/edge/remote"
	"github.com/2zrhun/city-flow/edge/uplink"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Config is what an agent may be told. Start from Default.
type Config struct {
	// Edge is this agent's name. Buffer.Edge and Uplink.Edge are set to it.
	Edge traffic.EdgeID
	// Version is the program's, for the status.
	Version string
	// StateDir is the folder where the agent keeps what it has learnt, beside the
	// buffer's; empty, that is forgotten when it stops.
	StateDir string
	Broker   broker.Config
	Buffer   buffer.Config
	// Uplink.URL is the central broker; empty, it is the agent's own.
	Uplink uplink.Config
	// Clock.Path is set when there is a StateDir.
	Clock clock.Config
	// Certificate, where set, says when the edge's certificate ends and why it could
	// not be renewed, for the status.
	Certificate func() (notAfter time.Time, err error)
	// Remote is about the settings that come from the centre, which are taken when
	// there is a StateDir. Its Path is set then.
	Remote remote.Config
	// LogLevel, where set, is what log goes by, for the centre to change.
	LogLevel *slog.LevelVar
	// MaxRoads bounds the roads whose reference is learnt and whose score is
	// published.
	MaxRoads int
	// ScoreInterval is how often the score of one road is published at most.
	ScoreInterval time.Duration
	// RejectedPerSecond is how many records of rejected messages are sent upstream;
	// all are counted.
	RejectedPerSecond int
	// CloseTimeout is how long messages that are inside may take to reach the disk
	// when the agent stops.
	CloseTimeout time.Duration
}

// Default returns a configuration for an edge with up to 1,000 sensors; Edge and
// Buffer.Dir are missing.
func Default() Config {
	return Config{
		Version:           "unknown",
		Broker:            broker.Default(),
		Buffer:            buffer.Default(),
		Uplink:            uplink.Default(),
		Clock:             clock.Default(),
		Remote:            remote.Default(),
		MaxRoads:          20_000,
		ScoreInterval:     time.Second,
		RejectedPerSecond: 50,
		CloseTimeout:      5 * time.Second,
	}
}

// Validate returns an error that names each setting of the agent's own that cannot
// work; its parts validate theirs.
func (c *Config) Validate() error {
	var errs []error
	if c.Edge == "" || len(c.Edge) > traffic.MaxIDBytes {
		errs = append(errs, fmt.Errorf("edge: %q is not allowed: want a name of at most %d bytes", c.Edge, traffic.MaxIDBytes))
	}
	if c.MaxRoads <= 0 || c.RejectedPerSecond < 0 {
		errs = append(errs, fmt.Errorf("max roads %d and rejected per second %d are not allowed: want more than 0, and not less", c.MaxRoads, c.RejectedPerSecond))
	}
	if c.ScoreInterval <= 0 || c.CloseTimeout <= 0 {
		errs = append(errs, fmt.Errorf("score interval %s and close timeout %s are not allowed: want more than 0", c.ScoreInterval, c.CloseTimeout))
	}
	return errors.Join(errs...)
}
