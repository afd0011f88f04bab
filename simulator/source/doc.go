// Package source is what every origin of readings has in common, be it a recorded
// file, the live API of a city or a synthetic one: the Source interface, the order
// and the grouping in which readings are handed on, and the Pacer that plays event
// time at a chosen speed.
//
// A Source promises event-time order: the readings of one instant follow each other
// without any other between them, in chunks of at most MaxChunk, and an instant is
// never older than the one before. It waits while the receiver is busy, so the
// slowest part of the pipeline sets the pace and no queue grows.
//
// The package does not know files, networks or brokers. Its callers are the
// implementations (replay, paris, city) and the composition roots that run them.
package source
