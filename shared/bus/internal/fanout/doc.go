// Package fanout hands one event to many subscribers without ever waiting for one.
//
// Each subscriber has a ring of bounded length. When it is full the oldest event
// makes room and is counted; the next event of the same topic that the subscriber
// receives tells the count in Event.Missed. It is the common part of the buses in
// this folder and knows no network.
package fanout
