package source

import (
	"context"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// MaxChunk is the most readings that a Source hands over in one call.
const MaxChunk = 500

// An Out receives readings. It may block: that is how a slow receiver slows the
// source. An error ends the run. The slice is the source's again after the return,
// so a receiver copies what it keeps.
type Out func(ctx context.Context, readings []traffic.Reading) error

// A Source emits readings in event-time order. Only a live feed may bring an hour that
// was filled in late after newer ones.
type Source interface {
	// Run calls out until the source is exhausted or ctx ends, both nil; it
	// returns the error of out, or its own when it can't go on.
	Run(ctx context.Context, out Out) error
}

// A RoadLister is a Source that knows something about the roads of its readings.
type RoadLister interface {
	// Roads returns what the source knows by itself, in no particular order. It
	// may read files to their end or ask a server; Run afterwards does not have
	// to do that again.
	Roads(ctx context.Context) ([]traffic.Road, error)
}
