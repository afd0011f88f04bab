package store

import (
	"context"
	"fmt"
	"time"
)

// Upkeep says how long a database keeps what. Zero means for ever. What is older than
// its time goes within a day of that, with the next Maintain.
type Upkeep struct {
	// Raw is for how long single readings are kept; averages outlive them.
	Raw time.Duration
	// FiveMinutes and Hours are for how long the averages of that width are kept.
	FiveMinutes, Hours time.Duration
	// Forecasts is for how long predictions and advice are kept.
	Forecasts time.Duration
	// Records is for how long it is remembered which batches came and what was
	// lost. A batch that is sent again later is taken for new, and its readings
	// are found to be duplicates one by one.
	Records time.Duration
	// CompressAfter is the age from which on readings are compressed, where the
	// database can do that: longer than an edge's longest outage, since late
	// readings cost more there.
	CompressAfter time.Duration
}

// Day is 24 hours.
const Day = 24 * time.Hour

// DefaultUpkeep keeps readings and averages for ever: who imports the history of ten years
// has not asked for it to be deleted.
func DefaultUpkeep() Upkeep {
	return Upkeep{Forecasts: 30 * Day, Records: 90 * Day, CompressAfter: 7 * Day}
}

// Validate returns an error that names the field, the value and what is allowed.
func (u Upkeep) Validate() error {
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"raw", u.Raw},
		{"five minutes", u.FiveMinutes},
		{"hours", u.Hours},
		{"forecasts", u.Forecasts},
		{"records", u.Records},
		{"compress after", u.CompressAfter},
	} {
		if f.d != 0 && f.d < Day {
			return fmt.Errorf("upkeep: %s %s: want 0 (for ever) or at least 24h", f.name, f.d)
		}
	}
	longer := func(a, b time.Duration) bool { return a == 0 || b != 0 && a >= b }
	if !longer(u.FiveMinutes, u.Raw) {
		return fmt.Errorf("upkeep: five minutes %s: want at least as long as raw, %s", u.FiveMinutes, u.Raw)
	}
	if !longer(u.Hours, u.FiveMinutes) {
		return fmt.Errorf("upkeep: hours %s: want at least as long as five minutes, %s", u.Hours, u.FiveMinutes)
	}
	return nil
}

// Maintained says what one Maintain did.
type Maintained struct {
	// Skipped says that another process is at it, so that nothing was done.
	Skipped bool
	// RolledUp is how many blocks of five minutes were averaged (again).
	RolledUp int
	// Dropped is how many days, partitions or chunks of old data went.
	Dropped int
	// Compressed is how many chunks were compressed.
	Compressed int
	// More says that there is work left, so that the next call should come soon.
	More bool
}

// A Maintainer keeps a database in shape. Whoever writes to it calls Maintain every
// few minutes, with the newest event time (see ReadingReader.Watermark), so that a recorded
// year is not too old the moment it is stored: it makes room ahead, brings averages up to
// date, compresses what is old and drops what is too old. It works in short steps
// beside readers and writers, for at most about a minute, and one process at a time.
// What it has not done yet changes no answer, only the time it takes.
type Maintainer interface {
	Maintain(ctx context.Context, now time.Time, u Upkeep) (Maintained, error)
}
