package predictor

import (
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
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
	// Models are the models that run, by name, in the order in which they speak while
	// nothing is known about their errors. Without evidence or training the first of
	// them that can speaks.
	Models []string
	// HalfLife is the event time in which a scored forecast loses half its weight.
	HalfLife time.Duration
	// Holidays is whose public holidays count as Sundays: "FR", or "" for none.
	Holidays string
	// Shard is which of the Shards this predictor is, from 0: it forecasts the roads
	// whose id hashes to it.
	Shard, Shards int
	// Training is how models learn.
	Training Training
}

// grace is for how many steps after its end readings of a step still count as truth.
const grace = 2

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
		Models:    Models(),
		HalfLife:  24 * time.Hour,
		Holidays:  "FR",
		Shards:    1,
		Training:  defaultTraining(),
	}
}

// Models lists the names of all models, in the order of Config.Models.
func Models() []string {
	return []string{model.EWMALR, model.PersistenceName, model.ProfileName, model.ProfileARName, model.MLPName, model.EnsembleName}
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
	if err := c.validateSteps(); err != nil {
		return err
	}
	if c.Tolerance < 0 {
		return fmt.Errorf("tolerance %s: want 0 or more", c.Tolerance)
	}
	if c.Quiet <= 0 || c.Poll <= 0 {
		return fmt.Errorf("quiet %s and poll %s: want more than 0", c.Quiet, c.Poll)
	}
	if err := c.validateModels(); err != nil {
		return err
	}
	if c.Shards < 1 || c.Shard < 0 || c.Shard >= c.Shards {
		return fmt.Errorf("shard %d of %d: want 0 to one less than the number of shards, which is at least 1", c.Shard, c.Shards)
	}
	return c.Training.validate()
}

func (c *Config) validateSteps() error {
	if c.Step < time.Second || c.Step%time.Second != 0 || 24*time.Hour%c.Step != 0 {
		return fmt.Errorf("step %s: want whole seconds that divide a day, such as 5m", c.Step)
	}
	if c.Lookback < c.Step || c.Lookback%c.Step != 0 || c.Lookback > 24*time.Hour {
		return fmt.Errorf("lookback %s: want a multiple of the step %s, at most a day", c.Lookback, c.Step)
	}
	return nil
}

func (c *Config) validateModels() error {
	if len(c.Models) == 0 {
		return fmt.Errorf("models: none given: want some of %v", Models())
	}
	for i, m := range c.Models {
		if !slices.Contains(Models(), m) {
			return fmt.Errorf("model %q: want some of %v", m, Models())
		}
		if slices.Contains(c.Models[:i], m) {
			return fmt.Errorf("model %q is given twice", m)
		}
	}
	if c.HalfLife < c.Step {
		return fmt.Errorf("half-life %s: want at least the step %s", c.HalfLife, c.Step)
	}
	if c.Holidays != "" && c.Holidays != "FR" {
		return fmt.Errorf("holidays %q: want FR or nothing", c.Holidays)
	}
	return nil
}

// stepsAhead is how many steps after the newest one the step begins that ends when a
// horizon is reached.
func (c *Config) stepsAhead(horizonMin int) int {
	return int((time.Duration(horizonMin)*time.Minute + c.Step - 1) / c.Step)
}

// steps are the horizons as models are asked for them, in steps, ascending.
func (c *Config) steps() []int {
	var steps []int
	for _, h := range c.Horizons {
		steps = append(steps, c.stepsAhead(h))
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}
