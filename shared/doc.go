// Package shared is the ground floor of CityFlow: what two or more of its parts
// need, and nothing else.
//
// It imports no other module of the house. The nouns are in traffic, the bytes
// on the wire in wire, the promise of a database in store, the live fan-out in
// bus, the road graph in roadnet, the congestion score in score, and the life of
// a process in daemon. The module is not tagged on its own: it changes together
// with its callers, and nobody outside the repository should import it yet.
package shared
