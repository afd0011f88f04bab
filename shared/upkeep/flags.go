package upkeep

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/2zrhun/city-flow/shared/daemon"
	"github.com/2zrhun/city-flow/shared/store"
)

// The settings of an Upkeep are the same in every program that runs one.
const (
	keepReadings  = "keep-readings-days"
	keepAverages  = "keep-averages-days"
	keepHourly    = "keep-hourly-days"
	keepForecasts = "keep-forecasts-days"
	compressAfter = "compress-after-days"
)

// Flags are the settings of how long what is kept.
func Flags(set *daemon.Settings) []cli.Flag {
	def := store.DefaultUpkeep()
	days := func(name string, d time.Duration, usage string) cli.Flag {
		return &cli.IntFlag{Name: name, Value: int(d / store.Day), Sources: set.Sources(name), Usage: usage}
	}
	return []cli.Flag{
		days(keepReadings, def.Raw, "`DAYS` for which single readings are kept; 0 is for ever"),
		days(keepAverages, def.FiveMinutes, "`DAYS` for which averages of five minutes are kept; 0 is for ever"),
		days(keepHourly, def.Hours, "`DAYS` for which hourly averages are kept; 0 is for ever"),
		days(keepForecasts, def.Forecasts, "`DAYS` for which forecasts and advice are kept; 0 is for ever"),
		days(compressAfter, def.CompressAfter, "`DAYS` after which readings are compressed, where the database can: more than an edge's longest outage; 0 is never"),
	}
}

// Configure reads the flags. Its error names the flag, the value and what is allowed.
func Configure(cmd *cli.Command) (store.Upkeep, error) {
	u := store.DefaultUpkeep()
	const most = 36500 // a century
	for name, d := range map[string]*time.Duration{
		keepReadings: &u.Raw, keepAverages: &u.FiveMinutes, keepHourly: &u.Hours, keepForecasts: &u.Forecasts, compressAfter: &u.CompressAfter,
	} {
		n := cmd.Int(name)
		if n < 0 || n > most {
			return u, fmt.Errorf("%s: %d is not allowed: want 0 to %d", name, n, most)
		}
		*d = time.Duration(n) * store.Day
	}
	switch {
	case shorter(u.FiveMinutes, u.Raw):
		return u, fmt.Errorf("%s: %d is not allowed: want 0 or at least %s, %d", keepAverages, u.FiveMinutes/store.Day, keepReadings, u.Raw/store.Day)
	case shorter(u.Hours, u.FiveMinutes):
		return u, fmt.Errorf("%s: %d is not allowed: want 0 or at least %s, %d", keepHourly, u.Hours/store.Day, keepAverages, u.FiveMinutes/store.Day)
	}
	return u, u.Validate()
}

// shorter compares two times of which 0 is for ever.
func shorter(a, b time.Duration) bool { return a != 0 && (b == 0 || a < b) }
