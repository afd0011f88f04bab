// Package timescale keeps a region's data on a PostgreSQL server (15 or newer), with
// the TimescaleDB extension where the server has it: the database of the cluster. It
// keeps every promise of package store.
//
// Open brings the schema up to date under an advisory lock, so that any number of
// processes may start at once, and in place: an older database answers as before. With
// the extension the tables that grow for ever are hypertables; without it they are
// partitioned by days, and by months where the past is read in. Everything else is the
// same.
//
// Append is one transaction of four to six round trips. Readings are copied straight
// into the table:
//
//	begin ─▶ were these batches stored before? ─▶ COPY ─▶ lock newest states ─▶ write them,
//	         which edges sent duplicates lately?          roads, blocks of time, batches, gaps, commit
//	           │ then look these up first
//
// COPY fails as a whole when one row is there; the transaction then begins again and
// looks up every reading, and if others are still faster, lets the server sort it out
// row by row (ON CONFLICT). All writers lock rows in the same order; a deadlock or a
// serialization failure that happens all the same is tried again, which is safe because
// a reading counts once. Every call has a deadline.
//
// What a process remembers of roads is checked against a revision number that every
// change of a road raises. Averages are made by Maintain, not by writers; Buckets uses
// those that are up to date, which traffic_slots tells, and reads single readings for
// the rest, so its answer does not depend on when Maintain ran.
//
// docs/storage.md has the tables, the plans and the reasons. This is not the place where
// readings are judged. Only composition roots import it.
package timescale
