// Package bus carries the news that something changed, from the process that wrote
// it to the processes that show it or compute from it.
//
// It is a hint, never the truth: what is published may be lost when a subscriber
// is slow or a link breaks, and then the subscriber is told (Event.Missed) and
// reads the store. inproc connects the parts of one process, redis several
// processes; bustest is the suite that both pass. It is not a queue and keeps
// nothing.
package bus
