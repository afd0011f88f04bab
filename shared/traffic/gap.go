package traffic

import "time"

// GapCause is why readings that were acknowledged to a sensor never reach the store.
// It is a metric label and a database value: names are added, never changed.
type GapCause string

// The causes of a gap.
const (
	// GapThinned says that raw readings were replaced by averages to save space:
	// the averages arrive, flagged with QualityThinned.
	GapThinned GapCause = "thinned"
	// GapEvicted says that readings were dropped because the buffer was full.
	GapEvicted GapCause = "evicted"
	// GapDamaged says that the disk no longer returns what was written.
	GapDamaged GapCause = "damaged"
)

// A Gap says what one edge lost, so that no loss is silent. (Edge, Epoch, FirstSeq,
// Cause) names it: a gap reported twice counts once.
type Gap struct {
	Edge  EdgeID
	Cause GapCause
	// Epoch, FirstSeq and LastSeq are the batches that were lost, both included.
	Epoch             uint64
	FirstSeq, LastSeq uint64
	// From and To enclose the times of the lost readings, both included; zero
	// where a damaged disk does not tell.
	From, To time.Time
	// Readings is how many were lost; 0 where a damaged disk does not tell.
	Readings int
	// Noticed is when the edge found out, by its own clock.
	Noticed time.Time
}
