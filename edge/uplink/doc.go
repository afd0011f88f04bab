// Package uplink carries an edge's buffered batches to the collector, over whatever link
// there is, until the collector says that they are in the database.
//
// It promises that a batch stays in the buffer until the collector's own acknowledgement,
// a broker's is not enough; that at most as many are unacknowledged as the collector
// allows; that a lost acknowledgement, a duplicate one, one of another epoch, a broker or
// a collector that is not there, delay batches and lose none; and that it tries for
// ever, with pauses that grow and differ between edges. A batch may arrive more than
// once: its name makes it known.
//
// Batches go in two lanes, each in order. What was written within the last minute goes at
// once; older ones fill the room that is left: of the window that the collector grants,
// of which a quarter is kept free for fresh ones, and of the bytes that the link
// moves in a moment (pacer), so that on a slow link fresh batches do not queue
// behind a backlog.
//
// A connection is a session: a new client, a subscription to the acknowledgements, a
// hello, and, once a collector answered that, batches. A window of 0 stops them within
// the batch that is being sent; hellos ask, ever more seldom, for another window. A
// collector that falls silent gets hellos too, and then one batch at a time. A batch that
// others overtook is taken for lost and sent again without waiting for its time.
//
// Nothing but the buffer outlives a session, so a client that is stuck is replaced whole.
// None of its calls is waited for without a bound; one that does not come back after its
// connection was closed is left behind and counted, and with more than eight of them
// Run ends with an error: the process is better started anew.
//
// It does not read readings. What time it is, it asks a Clock and tells it what collectors
// say. The agent runs it.
package uplink
