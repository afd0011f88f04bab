// Package progress shows how far a long piece of work has come: as a bar where
// people look (a terminal), as a log line every so often everywhere else.
//
// A nil *Meter shows nothing, so callers need no condition. It does not measure
// anything itself; package replay and the fleet are its callers.
package progress
