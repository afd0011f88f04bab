package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A Box is what has the settings.
type Box interface {
	// Apply applies the settings, and those of the box's own where they are nil, to
	// everything that runs. An error says what cannot be; then nothing has changed.
	Apply(Settings) error
	// Reached is when the connection was made on which the collector has answered,
	// zero while there is none. Apply makes a new one.
	Reached() time.Time
	// Announce tells the centre soon that the state has changed.
	Announce()
}

// A Result is what became of a version.
type Result string

// The results; see the package's text. A box that was never told anything has none.
const (
	Pending    Result = "pending"
	Applied    Result = "applied"
	Refused    Result = "refused"
	RolledBack Result = "rolled back"
)

// State is what became of the newest version.
type State struct {
	Version uint64 `json:"version"`
	Result  Result `json:"result,omitempty"`
	// Reason says why it was refused or rolled back.
	Reason string `json:"reason,omitempty"`
}

// Config is what a manager may be told. Start from Default.
type Config struct {
	// Path is the file of the settings.
	Path string
	// Limit is how long the collector may take to answer under new settings.
	Limit time.Duration
}

// Default waits two minutes, without a Path.
func Default() Config { return Config{Limit: 2 * time.Minute} }

// A Manager keeps a box's settings. Offer and State may be called at any time.
type Manager struct {
	cfg    Config
	log    *slog.Logger
	box    Box
	offers chan []byte

	// kept is what the file says, current what was confirmed last. They belong to
	// Open and Run.
	kept    memory
	current Settings
	trial   Settings
	since   time.Time

	mu    sync.Mutex
	state State // guarded by mu
}

// Open reads what was kept. A trial that the process did not survive is over.
func Open(cfg Config, log *slog.Logger) (*Manager, error) {
	if cfg.Path == "" || cfg.Limit <= 0 {
		return nil, fmt.Errorf("settings of the centre: path %q and limit %s are not allowed: want a file and more than 0", cfg.Path, cfg.Limit)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Manager{cfg: cfg, log: log.With("component", "remote"), offers: make(chan []byte, 4)}
	var err error
	if m.kept, err = load(cfg.Path); err != nil {
		m.log.Error("going on with the box's own settings", "error", err)
	}
	if v := m.kept.Confirmed; v != nil {
		if m.current, err = v.read(); err != nil {
			m.log.Error("the centre's settings are not allowed any more; going on with the box's own", "version", v.Number, "error", err)
			m.kept.Last = State{v.Number, RolledBack, flat(err)}
			m.current, m.kept.Confirmed = Settings{}, nil
		}
	}
	if v := m.kept.Pending; v != nil {
		m.kept.Last = State{v.Number, RolledBack, "the process ended before the collector answered"}
		m.kept.Pending = nil
	}
	m.state = m.kept.Last
	return m, m.kept.save(cfg.Path)
}

// Settings are those to start with.
func (m *Manager) Settings() Settings { return m.current }

// Drop gives up the settings to start with, because the box cannot start with them.
func (m *Manager) Drop(why error) {
	m.log.Error("the centre's settings cannot be applied; going on with the box's own", "error", why)
	m.current, m.kept.Confirmed = Settings{}, nil
	m.become(State{m.kept.Last.Version, RolledBack, why.Error()})
}

// State is what became of the newest version.
func (m *Manager) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// Offer takes a message of the configuration topic. It does not wait: with several at once
// the later ones are dropped, to come again with the next connection.
func (m *Manager) Offer(payload []byte) {
	select {
	case m.offers <- payload:
	default:
	}
}

// Run applies to box what is offered, until ctx ends.
func (m *Manager) Run(ctx context.Context, box Box) error {
	m.box = box
	tick := time.NewTicker(max(m.cfg.Limit/120, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case payload := <-m.offers:
			m.consider(payload)
		case <-tick.C:
			m.judge()
		case <-ctx.Done():
			return nil
		}
	}
}

// consider begins the trial of a new version.
func (m *Manager) consider(payload []byte) {
	if len(payload) == 0 {
		return // the centre took its message away
	}
	v, s, err := parse(payload)
	switch {
	case v.Number == 0:
		m.show(State{0, Refused, flat(err)})
		return
	case v.Number <= m.kept.Last.Version:
		return
	case m.kept.Pending != nil:
		m.rollBack(fmt.Sprintf("version %d came before the collector answered", v.Number))
	}
	if err == nil {
		m.kept.Pending = &v
		if err = m.kept.save(m.cfg.Path); err == nil {
			err = m.box.Apply(s)
		}
	}
	if err != nil {
		m.kept.Pending = nil
		m.become(State{v.Number, Refused, flat(err)})
		return
	}
	m.trial, m.since = s, time.Now()
	m.become(State{v.Number, Pending, ""})
}

// judge ends a trial that has succeeded or failed.
func (m *Manager) judge() {
	v := m.kept.Pending
	switch {
	case v == nil:
	case m.box.Reached().After(m.since):
		m.kept.Confirmed, m.kept.Pending, m.current = v, nil, m.trial
		m.become(State{v.Number, Applied, ""})
	case time.Since(m.since) > m.cfg.Limit:
		m.rollBack(fmt.Sprintf("no answer from the collector within %s", m.cfg.Limit))
	}
}

// rollBack goes back to what was confirmed.
func (m *Manager) rollBack(why string) {
	number := m.kept.Pending.Number
	m.kept.Pending = nil
	if err := m.box.Apply(m.current); err != nil {
		why = fmt.Sprintf("%s; and the settings before cannot be applied again: %s", why, flat(err))
	}
	m.become(State{number, RolledBack, why})
}

// become keeps and shows what became of a version.
func (m *Manager) become(s State) {
	m.kept.Last = s
	if err := m.kept.save(m.cfg.Path); err != nil {
		m.log.Error("settings are not kept", "error", err)
	}
	m.show(s)
}

// show logs and announces a state.
func (m *Manager) show(s State) {
	m.mu.Lock()
	m.state = s
	m.mu.Unlock()
	m.log.Info("settings from the centre", "version", s.Version, "result", string(s.Result), "reason", s.Reason)
	if m.box != nil {
		m.box.Announce()
	}
}

// flat is an error in one line.
func flat(err error) string {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return err.Error()
	}
	text := ""
	for i, e := range joined.Unwrap() {
		if i > 0 {
			text += "; "
		}
		text += e.Error()
	}
	return text
}
