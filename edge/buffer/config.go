package buffer

import (
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// Config is what a buffer may be told. Start from Default.
type Config struct {
	// Dir is the folder of the buffer, created when missing.
	Dir string
	// Edge is written into every batch.
	Edge traffic.EdgeID
	// BootID names the machine's current boot, and ClockUnknown says that its clock
	// is not set: readings may then bear stamps until Resolve; see the package's
	// text.
	BootID       BootID
	ClockUnknown bool
	// Now is the time, a stamp while it is unknown; nil takes the machine's clock.
	Now func() time.Time
	// CommitInterval is how long readings may wait for others before they are
	// written together. It spares SD cards; 0 writes as soon as the disk is free.
	CommitInterval time.Duration
	// BatchReadings is the most readings in one batch, and as many that are waiting
	// are written at once.
	BatchReadings int
	// MaxPending is how many readings may wait for the disk.
	MaxPending int
	// MaxBytes bounds the folder: the segments, the journal (4 MiB) and the reserve (4
	// MiB, or one segment if that is less). WhenFull is what to do about it.
	MaxBytes int64
	WhenFull WhenFull
	// SegmentBytes and SegmentAge say when the head segment is closed.
	SegmentBytes int64
	SegmentAge   time.Duration
}

// Default returns a configuration for the SD card of an edge, without Dir and Edge.
func Default() Config {
	return Config{
		CommitInterval: 500 * time.Millisecond,
		BatchReadings:  2000,
		MaxPending:     200_000,
		MaxBytes:       1 << 30,
		WhenFull:       Thin,
		SegmentBytes:   8 << 20,
		SegmentAge:     time.Hour,
	}
}

// minSegments is how many segments must fit into MaxBytes: with fewer, a full buffer
// whose batches are all acknowledged might have no closed segment to unlink.
const minSegments = 4

// Validate returns an error that names each setting that cannot work.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Dir != "", "dir: empty: want the buffer's folder")
	check(c.Edge != "" && len(c.Edge) <= traffic.MaxIDBytes, "edge: %q is not allowed: want a name of at most %d bytes", c.Edge, traffic.MaxIDBytes)
	check(!c.ClockUnknown || c.BootID != BootID{}, "boot id: absent: want one as long as the clock is unknown")
	check(c.CommitInterval >= 0 && c.CommitInterval <= time.Minute, "commit interval: %s is not allowed: want 0 to 1m", c.CommitInterval)
	check(c.BatchReadings > 0 && c.BatchReadings <= wire.MaxBatchReadings, "batch readings: %d is not allowed: want 1 to %d", c.BatchReadings, wire.MaxBatchReadings)
	check(c.MaxPending >= c.BatchReadings, "max pending: %d is not allowed: want at least one batch (%d)", c.MaxPending, c.BatchReadings)
	check(c.SegmentBytes >= 64<<10, "segment bytes: %d is not allowed: want at least 65536", c.SegmentBytes)
	check(c.MaxBytes >= c.overhead()+minSegments*c.SegmentBytes, "max bytes: %d is not allowed: want at least %d and %d segments of %d bytes", c.MaxBytes, c.overhead(), minSegments, c.SegmentBytes)
	check(c.WhenFull == Thin || c.WhenFull == Refuse, "when full: %q is not allowed: want %q or %q", c.WhenFull, Thin, Refuse)
	check(c.SegmentAge > 0, "segment age: %s is not allowed: want more than 0", c.SegmentAge)
	return errors.Join(errs...)
}
