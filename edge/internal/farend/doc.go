// Package farend is the other end of the uplink as tests script it: a collector that keeps
// every batch in memory, counts what comes twice, and acknowledges as the script says.
//
// Only test files of the edge import it.
package farend
