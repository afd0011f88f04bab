// Package routingtest gives tests and benchmarks of routing their graphs: Region
// generates one of any size, Cases reads every road graph of the data folder beside the
// repository, TNTP reads the networks of traffic assignment. A test that needs the
// folder skips where it is absent.
//
// It promises the same graphs each time. Only test files import it.
package routingtest
