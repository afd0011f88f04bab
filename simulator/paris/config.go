package paris

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Config is what a user chooses.
type Config struct {
	// URL is the base of the portal's Explore API.
	URL string
	// Dataset and Reference name the counts and the geometry of the arcs there.
	Dataset, Reference string
	// Interval is the time between two polls, at least 5 minutes.
	Interval time.Duration
	// Lookback is how far before the newest hour the counts are read, whole hours
	// from 1 h to 7 days: at the first poll all of it, later what is new in it.
	Lookback time.Duration
	// Timeout bounds one request with its answer, 1 s to 10 min.
	Timeout time.Duration
	// CacheDir is where answers are kept; empty keeps nothing.
	CacheDir string
}

// The bounds of a Config.
const (
	minInterval = 5 * time.Minute
	maxInterval = 24 * time.Hour
	maxLookback = 7 * 24 * time.Hour
)

// DefaultConfig follows the city's own portal.
func DefaultConfig() Config {
	return Config{
		URL:       "https://opendata.paris.fr/api/explore/v2.1",
		Dataset:   "comptages-routiers-permanents",
		Reference: "referentiel-comptages-routiers",
		Interval:  15 * time.Minute,
		Lookback:  24 * time.Hour,
		Timeout:   time.Minute,
	}
}

// Validate returns an error that names each bad key, its value and what is allowed.
func (c Config) Validate() error {
	var errs []error
	note := func(ok bool, key string, value any, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %v: want %s", key, value, want))
		}
	}
	u, err := url.Parse(c.URL)
	note(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "paris-url", c.URL, "an http or https address")
	note(c.Dataset != "" && c.Dataset == url.PathEscape(c.Dataset), "paris-dataset", c.Dataset, "the name of a data set")
	note(c.Reference != "" && c.Reference == url.PathEscape(c.Reference), "paris-reference", c.Reference, "the name of a data set")
	note(c.Interval >= minInterval && c.Interval <= maxInterval, "paris-interval", c.Interval, "5m to 24h")
	note(c.Lookback >= time.Hour && c.Lookback <= maxLookback && c.Lookback%time.Hour == 0, "paris-lookback", c.Lookback, "whole hours, 1h to 168h")
	note(c.Timeout >= time.Second && c.Timeout <= 10*time.Minute, "paris-timeout", c.Timeout, "1s to 10m")
	return errors.Join(errs...)
}
