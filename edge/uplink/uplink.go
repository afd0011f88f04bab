package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/edge/buffer"
)

// An Uplink sends the batches of one buffer to one central broker.
type Uplink struct {
	buf *buffer.Buffer
	log *slog.Logger
	met *metrics
	// announce asks for a status at once, reconfigured for a new session.
	announce, reconfigured chan struct{}

	mu    sync.Mutex
	cfg   Config // guarded by mu
	turn  int    // guarded by mu: counts how often cfg was replaced
	state State  // guarded by mu
}

// A State is what an uplink knows about its link.
type State struct {
	// Connected says that the broker is connected and acknowledgements would
	// arrive.
	Connected bool
	// Since is when it was connected, zero while it is not.
	Since time.Time
	// Err is why it is not, nil before the first attempt.
	Err error
	// Stuck are the MQTT clients that were left behind.
	Stuck int
	// Window is how many batches may be unacknowledged, Out how many are.
	Window, Out int
	// LastAck is when the collector last said anything, zero before.
	LastAck time.Time
}

// New returns an uplink that sends what is in buf once it runs.
func New(cfg Config, buf *buffer.Buffer, log *slog.Logger, reg prometheus.Registerer) (*Uplink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure uplink: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	u := &Uplink{
		cfg: cfg, buf: buf, log: log.With("component", "uplink"),
		announce: make(chan struct{}, 1), reconfigured: make(chan struct{}, 1),
	}
	u.state.Window = cfg.Window
	u.met = newMetrics(reg, u)
	return u, nil
}

// State tells about the link.
func (u *Uplink) State() State {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state
}

func (u *Uplink) update(f func(*State)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.state)
}

// Config is what the uplink was told last.
func (u *Uplink) Config() Config {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.cfg
}

// Reconfigure tells the uplink something else. It connects anew, and so sends what is not
// acknowledged again.
func (u *Uplink) Reconfigure(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("configure uplink: %w", err)
	}
	u.mu.Lock()
	u.cfg, u.state.Window = cfg, cfg.Window
	u.turn++
	u.mu.Unlock()
	signal(u.reconfigured)
	return nil
}

// Announce publishes the status soon, where there is a connection.
func (u *Uplink) Announce() { signal(u.announce) }

// signal wakes whoever looks at c; one signal that was not looked at yet is enough.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Check returns nil while the broker is connected, and otherwise why it is not.
func (u *Uplink) Check(context.Context) error {
	s, url := u.State(), u.Config().URL
	switch {
	case s.Connected:
		return nil
	case s.Err != nil:
		return fmt.Errorf("central broker %s: %w", url, s.Err)
	default:
		return fmt.Errorf("central broker %s: not connected yet", url)
	}
}

// maxStuck is how many clients may be left behind. A process that has more of them is
// better started again.
const maxStuck = 8

// Run sends until ctx ends, and then for at most DrainTimeout more where it is
// connected and batches are left. It returns nil, or an error when the MQTT library
// does not work at all.
func (u *Uplink) Run(ctx context.Context) error {
	var pause time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		u.mu.Lock()
		cfg, turn := u.cfg, u.turn
		u.mu.Unlock()
		err := u.connectAndSend(ctx, &cfg, turn)
		u.disconnected(err)
		if n := u.State().Stuck; n > maxStuck {
			return fmt.Errorf("%d MQTT clients did not come back after their connection was closed", n)
		}
		pause = min(max(2*pause, cfg.MinPause), cfg.MaxPause)
		if time.Since(began) > cfg.MaxPause || errors.Is(err, errReconfigured) {
			pause = cfg.MinPause // it worked for a while: no reason to be shy
		}
		select {
		case <-ctx.Done():
		case <-u.reconfigured:
		case <-time.After(jitter(pause)):
		}
	}
	return nil
}

// connectAndSend is one session, from connecting to the end of its connection.
func (u *Uplink) connectAndSend(ctx context.Context, cfg *Config, turn int) error {
	l, err := connect(ctx, cfg)
	defer func() {
		if stuck := l.close(); stuck != nil {
			u.leave(stuck)
		}
	}()
	if err != nil {
		return err
	}
	s, err := newSession(u, cfg, l)
	if err != nil {
		return err
	}
	if !u.connected(turn) {
		return errReconfigured
	}
	u.log.Info("connected to the central broker", "url", cfg.URL)
	if l.deaf != nil {
		u.log.Warn("settings from the centre do not arrive", "error", l.deaf)
	}
	return s.run(ctx)
}

// connected notes that there is a session, unless its settings are old already.
func (u *Uplink) connected(turn int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if turn != u.turn {
		return false
	}
	u.met.connects.Inc()
	u.state.Connected, u.state.Since, u.state.Err = true, time.Now(), nil
	return true
}

// leave counts a client that is stuck, until it comes back.
func (u *Uplink) leave(stuck <-chan struct{}) {
	u.log.Error("the MQTT client does not come back; going on with a new one")
	u.update(func(s *State) { s.Stuck++ })
	go func() {
		<-stuck
		u.update(func(s *State) { s.Stuck-- })
	}()
}

// disconnected notes why a session ended, and logs it when that is news.
func (u *Uplink) disconnected(err error) {
	var before State
	u.update(func(s *State) {
		before = *s
		s.Connected, s.Since, s.Err, s.Out = false, time.Time{}, err, 0
	})
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, errReconfigured) {
		return
	}
	if before.Err == nil || before.Err.Error() != err.Error() {
		u.log.Warn("not connected to the central broker; readings are kept here meanwhile", "error", err)
	}
}

// jitter spreads a pause over 50 to 100 % of it, so that a thousand edges do not come
// back at the same moment.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}
