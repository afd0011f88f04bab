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
	cfg Config
	buf *buffer.Buffer
	log *slog.Logger
	met *metrics

	mu    sync.Mutex
	state State // guarded by mu
}

// A State is what an uplink knows about its link.
type State struct {
	// Connected says that the broker is connected and acknowledgements would
	// arrive.
	Connected bool
	// Err is why it is not, nil before the first attempt.
	Err error
	// Window is how many batches may be unacknowledged, Out how many are.
	Window, Out int
	// LastAck is when the last acknowledgement came, zero before.
	LastAck time.Time
	// ClockOffset is the collector's clock minus ours at LastAck, give or take the
	// time that the acknowledgement took.
	ClockOffset time.Duration
}

// New returns an uplink that sends what is in buf once it runs.
func New(cfg Config, buf *buffer.Buffer, log *slog.Logger, reg prometheus.Registerer) (*Uplink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure uplink: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	u := &Uplink{cfg: cfg, buf: buf, log: log.With("component", "uplink")}
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

// Check returns nil while the broker is connected, and otherwise why it is not.
func (u *Uplink) Check(context.Context) error {
	s := u.State()
	switch {
	case s.Connected:
		return nil
	case s.Err != nil:
		return fmt.Errorf("central broker %s: %w", u.cfg.URL, s.Err)
	default:
		return fmt.Errorf("central broker %s: not connected yet", u.cfg.URL)
	}
}

// Run sends until ctx ends, and then for at most DrainTimeout more where it is
// connected and batches are left. It returns nil.
func (u *Uplink) Run(ctx context.Context) error {
	pause := u.cfg.MinPause
	for ctx.Err() == nil {
		began := time.Now()
		u.disconnected(u.connectAndSend(ctx))
		if time.Since(began) > u.cfg.MaxPause {
			pause = u.cfg.MinPause // it worked for a while: no reason to be shy
		}
		select {
		case <-ctx.Done():
		case <-time.After(jitter(pause)):
		}
		pause = min(2*pause, u.cfg.MaxPause)
	}
	return nil
}

// connectAndSend is one session, from connecting to the end of its connection.
func (u *Uplink) connectAndSend(ctx context.Context) error {
	l, err := connect(ctx, &u.cfg)
	if err != nil {
		return err
	}
	defer l.close()
	u.met.connects.Inc()
	u.update(func(s *State) { s.Connected, s.Err = true, nil })
	u.log.Info("connected to the central broker", "url", u.cfg.URL)
	return newSession(u, l).run(ctx)
}

// disconnected notes why a session ended, and logs it when that is news.
func (u *Uplink) disconnected(err error) {
	var before State
	u.update(func(s *State) {
		before = *s
		s.Connected, s.Err, s.Out = false, err, 0
	})
	if err == nil || errors.Is(err, context.Canceled) {
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
