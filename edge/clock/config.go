package clock

import (
	"errors"
	"fmt"
	"time"
)

// A Mode says how far to trust the machine's clock.
type Mode string

const (
	// Auto believes the machine's clock while it is synchronised.
	Auto Mode = "auto"
	// Trusted believes it always: there is a battery, or the collector is on the same
	// machine.
	Trusted Mode = "trusted"
)

// Config is what a clock may be told. Start from Default.
type Config struct {
	// Path is the file of what is known; empty, nothing is kept.
	Path string
	Mode Mode
	// Built is when the program was built: no time before it is believed.
	Built time.Time
	// Tolerance is how far two clocks may differ before it is warned of.
	Tolerance time.Duration
	// SaveInterval is how often Path is written while the time is known.
	SaveInterval time.Duration
}

// Default trusts the machine's clock and keeps nothing.
func Default() Config {
	return Config{
		Mode: Trusted, Built: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Tolerance: 2 * time.Second, SaveInterval: 10 * time.Minute,
	}
}

// Validate returns an error that names each setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if c.Mode != Auto && c.Mode != Trusted {
		errs = append(errs, fmt.Errorf("clock: %q is not allowed: want %s or %s", c.Mode, Auto, Trusted))
	}
	if c.Tolerance <= 0 || c.SaveInterval <= 0 {
		errs = append(errs, fmt.Errorf("clock tolerance %s and save interval %s are not allowed: want more than 0", c.Tolerance, c.SaveInterval))
	}
	return errors.Join(errs...)
}
