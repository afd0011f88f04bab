package rerouter

import (
	"errors"
	"fmt"
	"time"
)

// Config is what an operator may choose. Begin with Default.
type Config struct {
	// HorizonMin is which forecasts are used, in minutes ahead.
	HorizonMin int
	// Model keeps the forecasts of one model; empty takes, for each road, the
	// newest, and of equally new ones the most confident.
	Model string
	// Threshold is the predicted score, 0 to 1, from which a road counts as
	// congested.
	Threshold float64
	// MinConfidence is how sure, 0 to 1, a forecast must be to call for advice. A
	// forecast of ewma-lr-v2 from one reading, all that an hourly feed can give, has
	// 0.01.
	MinConfidence float64
	// MinLiveScore is what the newest reading of a road must score (v2, 0 to 1) for a
	// forecast to be believed: the trend of a few noisy readings alone, without the
	// first signs of a jam, is no reason to send anybody round. Roads without a
	// reading are taken at the forecast's word.
	MinLiveScore float64
	// SlowRatio guards against scores that are high on a road that flows, which
	// score v1 gives to any busy road: no advice while the expected speed is above
	// this share of free flow, 0 to 1.
	SlowRatio float64
	// MinGain is what a detour must save each vehicle.
	MinGain time.Duration
	// MaxShare is the most of a road's traffic that is advised to leave it, 0 to 1.
	MaxShare float64
	// MinShare is the least share, 0 to 1, that a detour must be able to take: below
	// it, advice would only move the jam.
	MinShare float64
	// MaxLoad is the most flow that advice may bring onto a road, as a share of its
	// capacity.
	MaxLoad float64
	// Hysteresis keeps advice from flapping, 0 to 0.5: for advice in force, all least
	// values above are lowered by this share and SlowRatio is raised, and its detour
	// stays unless another gains more by this share.
	Hysteresis float64
	// KeepDecision is how long, in event time, an operator's decision about a detour
	// holds for the same detour of later cycles; each of these prolongs it.
	KeepDecision time.Duration
	// MaxAdvice is the most pieces of advice in force: an operator can act on a few.
	// Those that save the most vehicle-minutes stay.
	MaxAdvice int
	// ForecastMaxAge is how much older than the newest cycle a road's forecast
	// may be, in event time.
	ForecastMaxAge time.Duration
	// LiveMaxAge is how much older than the newest cycle a reading may be, in
	// event time; hourly feeds need more than an hour.
	LiveMaxAge time.Duration
	// MinPause is the least time between two cycles.
	MinPause time.Duration
	// PollEvery is how often the store is asked for a new cycle in case the bus
	// lost the news.
	PollEvery time.Duration
	// RefreshEvery is how often the network is read again.
	RefreshEvery time.Duration
	// Timeout bounds each read of a whole table, and each write.
	Timeout time.Duration
	// Zone is the city's time zone, for the times in the advice's reason.
	Zone *time.Location
}

// Default returns a configuration that lacks nothing. Its Zone is UTC.
func Default() Config {
	return Config{
		HorizonMin:     30,
		Threshold:      0.6,
		MinConfidence:  0.005,
		MinLiveScore:   0.25,
		MaxShare:       0.5,
		MinShare:       0.05,
		MaxLoad:        0.95,
		Hysteresis:     0.15,
		KeepDecision:   15 * time.Minute,
		MaxAdvice:      25,
		SlowRatio:      0.6,
		MinGain:        15 * time.Second,
		ForecastMaxAge: 15 * time.Minute,
		LiveMaxAge:     90 * time.Minute,
		MinPause:       time.Second,
		PollEvery:      30 * time.Second,
		RefreshEvery:   time.Minute,
		Timeout:        30 * time.Second,
		Zone:           time.UTC,
	}
}

// Validate returns an error that names every field that cannot be used, its value and
// what is allowed.
func (c *Config) Validate() error {
	var errs []error
	require := func(ok bool, field string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s %v: want %s", field, value, want))
		}
	}
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	require(c.HorizonMin >= 1 && c.HorizonMin <= 24*60, "horizon", c.HorizonMin, "1 to 1440 minutes")
	require(share(c.Threshold), "threshold", c.Threshold, "0 to 1")
	require(share(c.MinConfidence), "min confidence", c.MinConfidence, "0 to 1")
	require(share(c.MinLiveScore), "min live score", c.MinLiveScore, "0 to 1")
	require(c.MaxShare >= 0.01 && c.MaxShare <= 1, "max share", c.MaxShare, "0.01 to 1")
	require(c.MinShare >= 0.01 && c.MinShare <= c.MaxShare, "min share", c.MinShare, "0.01 to the max share")
	require(c.MaxLoad > 0 && c.MaxLoad <= 2, "max load", c.MaxLoad, "above 0, at most 2")
	require(c.Hysteresis >= 0 && c.Hysteresis <= 0.5, "hysteresis", c.Hysteresis, "0 to 0.5")
	require(c.KeepDecision >= 0, "keep decision", c.KeepDecision, "0s or more")
	require(c.MaxAdvice >= 1, "max advice", c.MaxAdvice, "at least 1")
	require(share(c.SlowRatio), "slow ratio", c.SlowRatio, "0 to 1")
	require(c.MinGain >= 0 && c.MinGain <= time.Hour, "min gain", c.MinGain, "0s to 1h")
	require(c.ForecastMaxAge >= 0, "forecast max age", c.ForecastMaxAge, "0s or more")
	require(c.LiveMaxAge >= 0, "live max age", c.LiveMaxAge, "0s or more")
	require(c.MinPause >= 0 && c.MinPause <= time.Hour, "min pause", c.MinPause, "0s to 1h")
	require(c.PollEvery >= time.Second, "poll interval", c.PollEvery, "at least 1s")
	require(c.RefreshEvery >= time.Second, "refresh interval", c.RefreshEvery, "at least 1s")
	require(c.Timeout >= time.Second, "timeout", c.Timeout, "at least 1s")
	require(c.Zone != nil, "time zone", c.Zone, "a location")
	return errors.Join(errs...)
}
