// Package uplink carries an edge's buffered batches to the collector, over whatever link
// there is, until the collector says that they are in the database.
//
// It promises that batches are published in order, at most as many unacknowledged
// as the collector allows; that a batch stays in the buffer until the collector's own
// acknowledgement, a broker's is not enough; that a lost acknowledgement, a
// duplicate one, one of another epoch, a broker or a collector that is not there,
// delay batches and lose none; and that it tries for ever, with pauses that grow and
// differ between edges. A batch may arrive more than once: its name makes it known.
//
// A connection is a session: a new client, a subscription to the acknowledgements, then
// everything unacknowledged from the oldest on. Nothing but the buffer outlives it,
// so a client that is stuck is replaced whole.
//
// It does not read readings and does not choose between fresh ones and backlog. The
// agent runs it.
package uplink
