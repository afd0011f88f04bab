// Package traffictest is the promise of traffic.Sink as code: TestSink judges every
// stage that takes readings over (edge/buffer, the collector's intake, the stores)
// with the same questions, and FlakySink is the one sink that fails, by script, for
// the tests of those who offer readings to one.
//
// Only test files import it.
package traffictest
