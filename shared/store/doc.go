// Package store says what a CityFlow database promises; its folders keep the
// promise: sqlite in one file on one machine, timescale on a PostgreSQL server
// with or without the TimescaleDB extension. Package storetest holds the promise
// as a test suite that every backend passes without exception.
//
// The promises that callers build on:
//
//   - What Append, Put… and the account methods have answered with nil survives
//     a power cut.
//   - Append is one transaction: all of a Delivery or nothing of it.
//   - (sensor, time) is stored once. The first value wins; later ones are
//     counted as duplicates and change nothing.
//   - Times come back in UTC, equal to the microsecond. Ranges are half open,
//     [From, To); a zero bound is open.
//   - Lists are ordered by a key that does not depend on collation, and their
//     cursors neither skip nor repeat rows that existed throughout.
//   - The newest state of a road is never made older by a late reading.
//   - A cancelled context leaves nothing half done.
//
// A store does not judge readings (traffic.Reading.Validate does, before), does
// not know MQTT, and is not a bus: bus carries the hint that something changed,
// the store is the truth. Services take the narrow interface that they use.
package store
