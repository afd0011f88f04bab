// Package sqlite keeps a city's data in one SQLite file on one machine: the
// database of the standalone program. It keeps every promise of package store.
//
// There is one writing connection, handed round in the order of arrival, and a
// small pool of reading ones, which never wait for the writer (WAL). A commit
// reaches the disk before the call returns. Several processes may open the same
// file; a writer waits a few seconds for another process's transaction and then
// says that the file is locked.
//
// Nothing scans the whole history. Readings are clustered by blocks of a
// minute and, within them, by sensor: see migration/00001_initial.sql for the
// layout and why. Memory is bounded by the page caches (about 32 MiB) and by what
// the writer remembers of up to 200,000 roads, so that it need not ask
// for them again with each batch.
//
// Averages of five minutes and of hours are made by Maintain, one block in a
// transaction; it also drops what is old, a minute of readings in a transaction, so that
// writers never wait for long. Buckets uses the averages that are up to date and reads
// single readings for the rest. A file whose last user did not close it is checked when
// it is opened.
//
// It is not for a network file system, which SQLite's locks do not work on. Only
// composition roots import it.
package sqlite
