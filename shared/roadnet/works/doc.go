// Package works reads closures and roadworks as cities publish them, and finds the
// roads that they touch.
//
// Import understands the three files of Paris: closures of the ring road, tunnels,
// ramps and river banks (fermetures-voirie), disruptive works (chantiers-perturbants)
// and works of any kind (chantiers-a-paris). It promises that times are right: where
// the closures file gives an instant and a sentence that disagree, as on every row,
// the sentence holds, read as the city's wall clock. What cannot be used is left out
// and reported with its line; the rest loads.
//
// Locate matches by place only: the files name no road of any map. It neither stores
// nor applies anything: the rerouter decides what a closure means for a detour.
package works
