package store

import (
	"context"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A ReadingScanner reads everything that was measured, for exports.
type ReadingScanner interface {
	// ScanReadings calls each with the readings of [from, to), those of all roads, in
	// pieces of at most ScanPiece: ordered by time, and of one time by the bytes of
	// the sensor's name. A zero bound is open. A piece is each's own until it
	// returns; its error ends the scan and is returned. It uses the same little
	// memory for a day as for years. Readings that are stored meanwhile may
	// or may not be among them.
	ScanReadings(ctx context.Context, from, to time.Time, each func([]traffic.Reading) error) error
}

// ScanPiece is the largest number of readings that a scan hands over at once.
const ScanPiece = 4096
