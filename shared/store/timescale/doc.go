// Package timescale keeps a region's data on a PostgreSQL server (15 or newer), with
// the TimescaleDB extension where the server has it: the database of the cluster. It
// keeps every promise of package store.
//
// Open brings the schema up to date under an advisory lock, so that any number of
// processes may start at once. With the extension the tables that grow for ever
// are hypertables in daily chunks; without it they are plain tables with the same
// keys, and everything works the same.
//
// Each Append is one statement sent in one round trip with what belongs to it, and
// one transaction. Concurrent writers lock rows in the same order; a deadlock or a
// serialization failure that happens all the same is tried again, which is safe
// because a reading counts once. Every call has a deadline.
//
// It does not partition plain tables, compress, or drop old data yet, and it is not
// the place where readings are judged. Only composition roots import it.
package timescale
