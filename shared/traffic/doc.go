// Package traffic holds the nouns that flow through CityFlow: readings, roads,
// scores, predictions and reroutes, with their units, their validation, and the
// one verb, Sink.Accept, with which every stage hands readings to the next.
//
// It promises that a value which passed Validate is safe to store, to average and
// to draw. It does not know bytes (wire), rows (store) or wall clocks: "now" is
// always an argument. It imports the standard library only; everybody may import it.
package traffic
