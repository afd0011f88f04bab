// Package wallclock reads the times that people write into traffic files: with an
// offset, as seconds since 1970, or as wall-clock time of a place, where one hour a
// year is missing and another comes twice.
//
// The rules are fixed, so the same file always gives the same instants:
//
//   - A time with an offset is that instant, whatever the zone of the Clock.
//   - A wall-clock time that comes twice (autumn) is the second of the two, the one
//     in standard time.
//   - A wall-clock time that does not exist (spring) is an error.
//   - Dates with slashes are day/month/year.
//
// Callers are the decoders of package replay and package parisfeed.
package wallclock
