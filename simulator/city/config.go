package city

import (
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/simulator/source"
)

// Config is what a user chooses.
type Config struct {
	// Seed decides every draw.
	Seed uint64
	// Interval is how long each sensor gathers before it reports, a whole
	// multiple of Step.
	Interval time.Duration
	// Speed is how many seconds of event time pass in a second, or
	// source.SpeedMax. No reading is emitted before its interval has passed on the
	// wall clock: a city that caught up with the clock goes on in real time.
	Speed source.Speed
	// Start is the beginning of the first interval. The zero time means so long
	// before now that Backfill is filled.
	Start time.Time
	// Backfill is how much of the past is emitted at once at the beginning, so
	// that the map and the forecasts have something to show. Only without Start.
	Backfill time.Duration
	// Until ends the run at an event time; the zero time does not.
	Until time.Time
	// Location is the zone that the rush hours follow.
	Location *time.Location
	// Demand scales the number of trips. At 1 about a tenth of the roads want to
	// carry more than they can at the height of the rush hour.
	Demand float64
	// IncidentsPerDay is how many incidents a weekday has on 1,000 roads.
	IncidentsPerDay float64
}

// Step is the time step of the flow model.
const Step = 5 * time.Second

// DefaultConfig returns a city in Europe/Paris time that reports once a minute.
func DefaultConfig() Config {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		loc = time.UTC // the machine has no zone database
	}
	return Config{
		Seed: 1, Interval: time.Minute, Speed: source.SpeedReal, Backfill: time.Hour,
		Location: loc, Demand: 1, IncidentsPerDay: 12,
	}
}

// Validate returns an error that names each bad key, its value and what is allowed.
func (c Config) Validate() error {
	var errs []error
	bad := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("%s: %v is not allowed: want %s", key, value, want))
	}
	if c.Interval < Step || c.Interval%Step != 0 || c.Interval > time.Hour {
		bad("interval", c.Interval, fmt.Sprintf("a multiple of %s, at most 1h", Step))
	}
	if c.Speed < 0 {
		bad("speed", c.Speed, "max or a number above 0")
	}
	if c.Backfill < 0 || c.Backfill > 24*time.Hour {
		bad("backfill", c.Backfill, "0 to 24h")
	}
	if c.Location == nil {
		bad("tz", "nothing", "a time zone")
	}
	if !(c.Demand > 0 && c.Demand <= 3) {
		bad("demand", c.Demand, "more than 0, at most 3")
	}
	if !(c.IncidentsPerDay >= 0 && c.IncidentsPerDay <= 1000) {
		bad("incidents", c.IncidentsPerDay, "0 to 1000")
	}
	return errors.Join(errs...)
}
