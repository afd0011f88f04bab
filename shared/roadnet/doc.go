// Package roadnet is the road network as a directed graph: junctions, the roads
// between them with geometry, length, class, free-flow speed and capacity, the turns
// that are forbidden between them, and the ways to get one: Import reads a city's own
// reference file, an OpenStreetMap extract, the street graph of Paris or a file
// written by Save, FromRoads takes what a store already has, and synth generates a
// city.
//
// It promises that topology comes from the source's node ids and never from
// coordinates, that a road's geometry runs in driving direction, that positions are
// kept to 1e-7 degree (about 1 cm), and that bad input is reported with the ids it
// concerns while the rest loads: Report says what was left out and why.
//
// Topology is the same network in dense integers, for whoever searches it: the
// rerouter for detours, the predictor for neighbours, the simulator for spill-back.
//
// It knows neither traffic nor time: speeds that change belong to the rerouter.
//
// The messages of its files are in proto; `cd proto && buf generate` makes their code.
package roadnet
