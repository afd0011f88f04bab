// Package synth generates the road network of a city that does not exist: a ring
// motorway with interchanges, arterials, an inner ring, a river with quays and a few
// bridges, irregular blocks, and one-way streets in the centre.
//
// How: streets follow a cross field, a direction (and the three at right angles to
// it) for every place, which is the blend of what bends streets in real cities: the
// centre, the river, the arterials, and districts that were each laid out by
// somebody. Streets are traced along the field at a distance from their parallels
// that grows outwards, cut where they cross, and cleaned up.
//
// It promises that the same Params give the same network (on one processor
// architecture: the last bit of a float may differ on another), that every junction
// can be reached from every other, that no road has zero length, and that geometry
// runs in driving direction, on the right. It does not model traffic; the simulator
// does, and it and the composition roots are the callers.
package synth
