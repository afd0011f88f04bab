package predictor

import (
	"fmt"
	"slices"
	"time"
)

// Config is what a user may set.
type Config struct {
	// Zone is the city's time zone, an IANA name, for the rush hours.
	Zone string
	// Horizons are how far ahead to predict, in minutes, 1 to MaxHorizonMin.
	Horizons []int
	// Step is the distance of the boundaries. It divides a day.
	Step time.Duration
	// Lookback is how much history a cycle sees, a multiple of Step.
	Lookback time.Duration
	// Tolerance is how far ahead of the wall clock the watermark may be.
	Tolerance time.Duration
	// Quiet is how long no news must have come before the boundary after the
	// watermark runs early.
	Quiet time.Duration
	// Poll is how often to look for news that no hint told of.
	Poll time.Duration
}

// MaxHorizonMin is the farthest horizon in minutes.
const MaxHorizonMin = 24 * 60

// Default is the configuration of a city like Paris.
func Default() Config {
	return Config{
		Zone:      "Europe/Paris",
		Horizons:  []int{5, 15, 30, 60},
		Step:      5 * time.Minute,
		Lookback:  30 * time.Minute,
		Tolerance: time.Minute,
		Quiet:     2 * time.Second,
		Poll:      5 * time.Second,
	}
}

// Validate returns an error that names the first bad field, its value and what is
// allowed.
func (c *Config) Validate() error {
	if _, err := time.LoadLocation(c.Zone); err != nil || c.Zone == "" {
		return fmt.Errorf("time zone %q: want an IANA name such as Europe/Paris", c.Zone)
	}
	if len(c.Horizons) == 0 {
		return fmt.Errorf("horizons: none given: want minutes from 1 to %d", MaxHorizonMin)
	}
	for i, h := range c.Horizons {
		if h < 1 || h > MaxHorizonMin {
			return fmt.Errorf("horizon %d min: want 1 to %d", h, MaxHorizonMin)
		}
		if slices.Contains(c.Horizons[:i], h) {
			return fmt.Errorf("horizon %d min is given twice", h)
		}
	}
	if c.Step < time.Second || c.Step%time.Second != 0 || 24*time.Hour%c.Step != 0 {
		return fmt.Errorf("step %s: want whole seconds that divide a day, such as 5m", c.Step)
	}
	if c.Lookback < c.Step || c.Lookback%c.Step != 0 || c.Lookback > 24*time.Hour {
		return fmt.Errorf("lookback %s: want a multiple of the step %s, at most a day", c.Lookback, c.Step)
	}
	if c.Tolerance < 0 {
		return fmt.Errorf("tolerance %s: want 0 or more", c.Tolerance)
	}
	if c.Quiet <= 0 || c.Poll <= 0 {
		return fmt.Errorf("quiet %s and poll %s: want more than 0", c.Quiet, c.Poll)
	}
	return nil
}
