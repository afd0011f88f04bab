// Package buffer keeps an edge's readings on disk from the moment a sensor is told
// that they are safe until the centre said that it has them.
//
//	journal                              the last commits, 4 MiB, written round and round
//	0000000007-….seg   closed: read only     batches 4,101 … 5,530
//	0000000008-….seg   head: appended to     batches 5,531 …
//	quarantine/        segments that could not be read
//
// A group commit is one append to the journal and one sync. When half of the journal is
// full its batches are settled in segments, small bbolt files that are written once, in
// order, by the process that created them, and unlinked when everything in them was
// acknowledged; commits go on in the other half meanwhile.
// What was acknowledged before it is settled is not written again: as long as the uplink
// works, a reading is written once.
//
// A value in a segment is one whole encoded batch (shared/wire), its key says number,
// time, size and checksum. Batches are numbered without gaps within an epoch, a random
// number that is drawn at every start. docs/formats/buffer.md describes the bytes.
//
// It promises that Accept returns nil, and Submit calls done(nil), only after the
// readings were synced to disk; that many callers share one sync; that disk space
// returns as acknowledgements come; that the folder stays within its bound (see WhenFull
// for what goes); and that opening is quick whatever is in it. A batch is offered again
// after a restart unless its acknowledgement was noted, so whoever receives it must know
// it by its number or its readings.
//
// Nothing is lost silently: what is thinned, evicted or damaged is counted, and becomes a
// traffic.Gap that is kept on disk and sent in a batch of its own until that is
// acknowledged. A batch may therefore vanish between Next and Get.
//
// # A machine without a clock
//
// While the time is unknown (Config.ClockUnknown), a reading without a time of its own is
// handed in with a stamp: the duration since the machine's boot, added to 1970-01-01
// UTC. Whatever is before traffic.Earliest is a stamp; times that sensors know may be
// among them. Batches of stamps are kept with Config.BootID, count in Stats.Undated, and
// Next does not return them, nor what follows them, until Resolve says when that boot
// began. Then the same batches come with times, flagged traffic.QualityClock, and
// Changed fires. The agent calls Resolve for the current boot as soon as it knows the
// time (by NTP, or by the centre's clock), and also at a start with a known clock, for
// an earlier process of the same boot may have left stamps. Boots that ended before
// they knew the time are dated then, too: each ends just before the next began, so that
// no reading is ever of 1970 and the order is kept. What was resolved is on disk and
// stays as it is, so that a batch sent again is the same. Stamps that arrive after
// Resolve are corrected when they are written.
//
// It is not a database: readings are not looked at, searched or changed. The agent
// fills it, the uplink empties it.
package buffer
