// Package match finds the roads that sensors stand on.
//
// A sensor with a line, such as a counting arc of Paris, is followed along it; one with
// a point is taken there. A road counts where it is near and runs in the sensor's
// direction, so that the two directions of a street are told apart. What cannot be
// decided is said and not guessed: Report lists what matched, what might be two roads,
// and what lies too far from any, each with its distance.
//
// It promises the same answer for the same input, whatever the order of roads with
// equal claims. It does not look at junctions the sensor's source has: two maps agree
// on places, never on ids. `cityflow import roads --sensors` calls it.
package match
