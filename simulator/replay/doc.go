// Package replay plays recorded traffic from files: the Paris hourly counts in all
// the forms their publisher gives them, wide tables with one column per sensor
// (METR-LA, PEMS), SCATS day tables (Melbourne), any long table whose columns the
// user names, and CityFlow's own NDJSON. Files may be gzip or zstd; several are
// merged by event time. Config says what a user can choose; the forms are recognised
// from the files themselves.
//
// What it promises:
//
//   - Readings come in event-time order. Of one instant, they come in the order of
//     the files, and inside a file in the order of its rows; that is also the order
//     of rows that repeat a (sensor, time): the first is the one that counts
//     downstream.
//   - A row that can't be used is given to Deps.OnRejected with file:line and the
//     reason, and counted; the rows around it are kept. A row without any quantity is
//     counted as "no measurement" and is no error.
//   - A file that can't be used at all is an error of Open or Run that says what was
//     found and what was wanted.
//   - Stamps become the beginning of the interval, in UTC; see package wallclock for
//     the days when the clock changes.
//   - Memory: files are loaded and sorted, at 36 bytes a row at most, up to
//     Config.MaxRows rows in all. Wide tables that are in time order stream, and so
//     does what follows the first MaxRows rows of a file in time order; beyond that, a
//     file out of order is an error that says so.
//
// A record is a line: fields with line breaks inside quotes do not occur in traffic
// files, and refusing them keeps one stray quote from swallowing the rows after it.
//
// It does not publish: the composition roots (cmd/simulator, standalone) connect it
// to a publisher.
//
//	file ─► decompress ─► guard (lines) ─► decoder (form) ─► rows (sorted) ─┐
//	file ─► …                                                               ├─ merge ─► Player ─► out
//	wide file in order ─► decoder ──────────────────────────────────────────┘
package replay
