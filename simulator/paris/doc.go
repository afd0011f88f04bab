// Package paris follows the road counts that the city of Paris publishes while they
// are published: it asks the Explore API of the city's portal for the newest hours of
// all arcs, and emits every (arc, hour) once.
//
// What it promises:
//
//   - It is a polite client: it says who it is, asks at most once per Interval (5
//     minutes or more) whether there is anything new, with If-None-Match, fetches
//     only when there is, waits as long as the server tells it to, and keeps what it
//     fetched on disk so that a restart does not fetch again.
//   - It never gives up: an unreachable or broken API costs a warning per interval,
//     and the readings come from the disk as long as that lasts.
//   - Only whole answers are used: HTML, garbage and answers that break off change
//     nothing.
//   - Readings of one poll come in event-time order. An hour that the city fills in
//     late comes late, after newer ones: that is how a live feed is.
//
// The counts are hourly and are published with a delay of hours; package parisfeed
// says what they mean. A number is emitted once, for its hour: it is not repeated to
// look alive.
//
// Callers are the composition roots (cmd/simulator, standalone); for --source auto
// they ask Reachable first.
package paris
