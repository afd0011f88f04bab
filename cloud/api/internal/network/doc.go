// Package network keeps the city's roads at hand: their metadata, their places and
// their JSON, read from the store as a whole and again when they are a minute old or
// when news came of a road that is not among them.
//
// A Roads value never changes, so everybody may hold it for as long as an answer
// takes. It promises that a store which does not answer leaves the last known roads
// in place. What happens on the roads is live's business, not this package's; rest
// and live call it.
package network
