// Package buffer keeps an edge's readings on disk from the moment a sensor is told
// that they are safe until the centre said that it has them.
//
// It is a folder of segments, small bbolt files that are written once, in order, by the
// process that created them, and unlinked when everything in them was acknowledged:
//
//	0000000007.seg   closed: read only     batches 4,101 … 5,530
//	0000000008.seg   closed: read only     batches 5,531 … 5,604
//	0000000009.seg   head: appended to     batches 5,605 …
//	quarantine/      segments that could not be read
//
// A value in a segment is one whole encoded batch (shared/wire), its key says
// number, time, size and checksum. Batches are numbered without gaps within an epoch,
// a random number that is drawn anew whenever the numbers used so far may not be
// known any more. docs/formats/buffer.md describes the bytes.
//
// It promises that Accept returns nil, and Submit calls done(nil), only after the
// readings were synced to disk; that many callers share one sync; that disk space
// returns as acknowledgements come; that the folder never grows much beyond its bound
// (Accept then refuses with ErrFull); and that opening is quick whatever is in it. A
// batch is offered again after a restart unless its acknowledgement was noted,
// so whoever receives it must know it by its number or its readings.
//
// It is not a database: readings are not looked at, searched or changed. The agent
// fills it, the uplink empties it.
package buffer
