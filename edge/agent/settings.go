package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/edge/remote"
	"github.com/2zrhun/city-flow/edge/uplink"
)

// openSettings reads what the centre set. Settings that the box cannot start with are given
// up: nobody would be there to take them back.
func (a *Agent) openSettings(log *slog.Logger) (err error) {
	if a.cfg.LogLevel != nil {
		a.logLevel = a.cfg.LogLevel.Level()
	}
	if a.cfg.StateDir == "" {
		return nil
	}
	a.cfg.Remote.Path = filepath.Join(a.cfg.StateDir, "remote.json")
	if a.remote, err = remote.Open(a.cfg.Remote, log); err != nil {
		return err
	}
	if s := a.remote.Settings(); s != (remote.Settings{}) {
		if err := a.check(s); err != nil {
			a.remote.Drop(err)
		}
	}
	a.setLogLevel(a.settings())
	return nil
}

// settings are the centre's that the agent starts with.
func (a *Agent) settings() remote.Settings {
	if a.remote == nil {
		return remote.Settings{}
	}
	return a.remote.Settings()
}

// bufferConfig and uplinkConfig are the box's own, with the centre's settings.
func (a *Agent) bufferConfig(s remote.Settings) buffer.Config {
	cfg := a.cfg.Buffer
	set(&cfg.CommitInterval, s.CommitInterval)
	if s.BufferMiB != nil {
		cfg.MaxBytes = *s.BufferMiB << 20
	}
	return cfg
}

func (a *Agent) uplinkConfig(s remote.Settings) uplink.Config {
	cfg := a.cfg.Uplink
	set(&cfg.URL, s.CentralURL)
	set(&cfg.StatusInterval, s.StatusInterval)
	set(&cfg.MaxWindow, s.Window)
	cfg.Window = min(cfg.Window, cfg.MaxWindow)
	return cfg
}

func set[T any](value, to *T) {
	if to != nil {
		*value = *to
	}
}

// check says which settings this box cannot work with.
func (a *Agent) check(s remote.Settings) error {
	buf, up := a.bufferConfig(s), a.uplinkConfig(s)
	if up.URL == "" {
		up.URL = "tcp://localhost:1883" // the agent's own broker, which has no port yet
	}
	var errs []error
	if s.LogLevel != nil && a.cfg.LogLevel == nil {
		errs = append(errs, errors.New("log-level: this program's cannot be changed while it runs"))
	}
	return errors.Join(append(errs, buf.Validate(), up.Validate())...)
}

func (a *Agent) setLogLevel(s remote.Settings) {
	if a.cfg.LogLevel == nil {
		return
	}
	level := a.logLevel
	set(&level, s.LogLevel)
	a.cfg.LogLevel.Set(level)
}

// A box is the agent as the centre's settings see it.
type box struct{ *Agent }

// Apply applies settings to what runs; see remote.Box.
func (b box) Apply(s remote.Settings) error {
	if err := b.check(s); err != nil {
		return err
	}
	buf := b.bufferConfig(s)
	if err := b.buffer.Tune(buffer.Tuning{CommitInterval: buf.CommitInterval, MaxBytes: buf.MaxBytes}); err != nil {
		return fmt.Errorf("apply settings: %w", err)
	}
	if err := b.uplink.Reconfigure(b.uplinkConfig(s)); err != nil {
		return fmt.Errorf("apply settings: %w", err)
	}
	b.setLogLevel(s)
	return nil
}

// Reached is when the connection was made on which the collector has answered.
func (b box) Reached() time.Time {
	s := b.uplink.State()
	if !s.Connected || s.LastAck.Before(s.Since) {
		return time.Time{}
	}
	return s.Since
}

// Announce publishes the status soon.
func (b box) Announce() { b.uplink.Announce() }
