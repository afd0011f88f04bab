// Package fleet plays the part of 1 to 1,000 edge agents towards the centre, to see
// what a broker, collectors and a store can take, and whether they keep their word
// while they are disturbed.
//
// Every edge is what a real one is on the wire: a connection of its own, an edge_id,
// an epoch and rising sequence numbers; it sends batches of package wire, has at most
// as many out as the collector's acknowledgement grants, sends again what is not
// acknowledged in time, and after a reconnect everything that is out, in order. A
// batch is done when the collector acknowledged it, not when the broker did.
//
// What it sends are made-up readings of a weekday, the same for the same Seed. It
// keeps nothing on disk and promises nothing about readings of an earlier run: each
// run is a new epoch with new event times. Its only caller is cmd/simulator; tests
// and benchmarks of the whole system use it, too.
package fleet
