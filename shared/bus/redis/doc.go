// Package redis is the bus between the processes of a cluster, on Redis pub/sub.
//
// What is in Redis, for our processes and for anybody who listens in:
//
//   - The channels cityflow:live, cityflow:predictions and cityflow:reroutes carry
//     JSON objects {"publisher", "seq", "part", "parts", and "roads" or
//     "predictions" or "reroutes"}. An event is cut into parts of about 256 KiB;
//     seq counts the events of one publisher on one channel from 1.
//   - The hash cityflow:latest holds the newest state of each road as JSON, by
//     road id. A late reading never makes an entry older.
//
// A process has one subscribing connection, however many subscribers there are
// in it. A lost event is noticed by its missing seq, a lost link by itself; both
// are told by Event.Missed. Every call has a deadline, so a Redis that is gone or
// silent costs a publisher a few seconds and an error, not more.
//
// It keeps no history and retries no event: the store is the truth.
package redis
