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
// It is not for a network file system, which SQLite's locks do not work on, and
// not the place for rollups and backups yet. Only composition roots import it.
package sqlite
