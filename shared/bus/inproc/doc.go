// Package inproc is the bus between the parts of one process.
//
// Publish puts the event into a bounded ring of each subscriber and returns; it
// neither waits nor copies. It connects no processes (redis does) and keeps
// nothing for those who subscribe later. The standalone binary and tests use it.
package inproc
