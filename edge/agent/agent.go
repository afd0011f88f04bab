package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/edge/broker"
	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/edge/clock"
	"github.com/2zrhun/city-flow/edge/remote"
	"github.com/2zrhun/city-flow/edge/uplink"
	"github.com/2zrhun/city-flow/shared/score"
)

// An Agent is one edge. Run runs it whole; a process that stops others between its
// parts runs RunBroker, RunUplink and RunIntake instead, started in this order and
// stopped in reverse.
type Agent struct {
	cfg     Config
	log     *slog.Logger
	met     *metrics
	started time.Time // of this process, by its monotonic clock

	clock  *clock.Clock
	broker *broker.Broker
	buffer *buffer.Buffer
	uplink *uplink.Uplink
	// remote has the centre's settings, nil where they are not taken; logLevel is the
	// box's own.
	remote   *remote.Manager
	logLevel slog.Level
	scorer   *score.Scorer
	board    *board
	// rejects spares the rejection records that go upstream.
	rejects *allowance
}

// New opens the buffer and the broker's port. The agent must be run or closed.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure edge: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("edge", string(cfg.Edge))
	a := &Agent{
		cfg: cfg, log: log.With("component", "agent"), met: newMetrics(reg), started: time.Now(),
		scorer: score.NewScorer(cfg.MaxRoads), board: newBoard(cfg.MaxRoads), rejects: newAllowance(cfg.RejectedPerSecond),
	}
	a.recallScores()
	if err := a.open(log, reg); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Agent) open(log *slog.Logger, reg prometheus.Registerer) (err error) {
	cfg := &a.cfg
	cfg.Buffer.Edge, cfg.Uplink.Edge = cfg.Edge, cfg.Edge
	if cfg.StateDir != "" {
		cfg.Clock.Path = filepath.Join(cfg.StateDir, "clock.json")
	}
	if a.clock, err = clock.Open(cfg.Clock, log, reg); err != nil {
		return err
	}
	if err = a.openSettings(log); err != nil {
		return err
	}
	if err = a.openBuffer(log, reg); err != nil {
		return err
	}
	if a.broker, err = broker.New(cfg.Broker, broker.Intake{Match: isSensorTopic, HandleAll: a.take}, log, reg); err != nil {
		return err
	}
	if cfg.Uplink.URL == "" {
		cfg.Uplink.URL = a.broker.LocalURL()
	}
	cfg.Uplink.Clock = a.clock
	cfg.Uplink.Status, cfg.Uplink.Offline = a.status, a.offline()
	if a.remote != nil {
		cfg.Uplink.OnConfig = a.remote.Offer
	}
	a.uplink, err = uplink.New(a.uplinkConfig(a.settings()), a.buffer, log, reg)
	return err
}

// openBuffer opens a buffer that tells the time by the agent's clock, and hears when that
// is known.
func (a *Agent) openBuffer(log *slog.Logger, reg prometheus.Registerer) (err error) {
	cfg := &a.cfg.Buffer
	_, known := a.clock.Read()
	cfg.BootID, cfg.ClockUnknown = buffer.BootID(a.clock.Boot()), !known
	cfg.Now = func() time.Time { t, _ := a.clock.Read(); return t }
	if a.buffer, err = buffer.Open(a.bufferConfig(a.settings()), log, reg); err != nil {
		return err
	}
	a.clock.OnKnown(func(booted time.Time) error {
		return a.buffer.Resolve(cfg.BootID, booted.Sub(time.Unix(0, 0)))
	})
	return nil
}

// Run runs the agent until ctx ends or a part fails, and stops it in order.
func (a *Agent) Run(ctx context.Context) error {
	parts := []func(context.Context) error{a.RunBroker, a.RunUplink, a.RunIntake}
	stops := make([]func() error, len(parts))
	failed, fail := context.WithCancel(ctx)
	defer fail()
	for i, run := range parts {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan error, 1)
		go func() {
			ended <- run(own)
			fail()
		}()
		stops[i] = func() error { cancel(); return <-ended }
	}
	<-failed.Done()
	var errs []error
	for i := len(stops) - 1; i >= 0; i-- {
		errs = append(errs, stops[i]())
	}
	return errors.Join(errs...)
}

// RunBroker serves MQTT until ctx ends, then closes the broker and the buffer.
func (a *Agent) RunBroker(ctx context.Context) error {
	return errors.Join(a.broker.Run(ctx), a.Close())
}

// RunUplink sends what is buffered until ctx ends, and a little longer when there is
// something left; see uplink.Uplink.Run. Meanwhile it takes settings from the centre.
func (a *Agent) RunUplink(ctx context.Context) error {
	if a.remote != nil {
		own, stop := context.WithCancel(ctx)
		var managing sync.WaitGroup
		managing.Go(func() { _ = a.remote.Run(own, box{a}) }) // it always returns nil
		defer managing.Wait()
		defer stop()
	}
	return a.uplink.Run(ctx)
}

// RunIntake publishes scores until ctx ends, then closes the door to sensors and waits,
// for at most CloseTimeout, until everything that came in is on disk. The broker goes
// on serving everybody else.
func (a *Agent) RunIntake(ctx context.Context) error {
	var keeping sync.WaitGroup
	keeping.Go(func() { a.keepScores(ctx) })
	a.publishScores(ctx)
	keeping.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.CloseTimeout)
	defer cancel()
	if err := a.broker.CloseDoor(closing); err != nil {
		return fmt.Errorf("close the door: %w", err)
	}
	a.publishDirty()
	a.saveScores()
	return nil
}

// Close closes the clock, the broker and the buffer of an agent that does not run.
func (a *Agent) Close() error {
	var errs []error
	if a.clock != nil {
		errs = append(errs, a.clock.Close()) // it may be telling the buffer something
	}
	if a.broker != nil {
		errs = append(errs, a.broker.Close())
	}
	if a.buffer != nil {
		errs = append(errs, a.buffer.Close())
	}
	return errors.Join(errs...)
}

// Addr is the address that the broker listens on, LocalURL where a client on this
// machine reaches it.
func (a *Agent) Addr() string { return a.broker.Addr() }

// LocalURL is the broker's URL for clients on this machine.
func (a *Agent) LocalURL() string { return a.broker.LocalURL() }

// CheckBuffer returns nil while the buffer takes readings.
func (a *Agent) CheckBuffer(context.Context) error {
	if s := a.buffer.Stats(); s.Bytes >= s.MaxBytes {
		return fmt.Errorf("full: %d of %d bytes are taken by %d batches since %s",
			s.Bytes, s.MaxBytes, s.Batches, s.Oldest.UTC().Format(time.RFC3339))
	}
	return nil
}

// CheckClock returns nil while the time is known.
func (a *Agent) CheckClock(context.Context) error {
	if a.clock.State().Source == clock.Unknown {
		return errors.New("the time is not known yet: readings are kept until NTP or the centre tells it")
	}
	return nil
}

// CheckUplink returns nil while the central broker is connected.
func (a *Agent) CheckUplink(ctx context.Context) error { return a.uplink.Check(ctx) }
