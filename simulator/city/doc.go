// Package city is a source of readings from a city that does not exist: traffic flows
// over a road network, real or generated, and sensors measure it.
//
// The flow is macroscopic, one cell a road (Daganzo's cell transmission model, 1994): a
// road lets out at most what its triangular fundamental diagram sends and takes in at
// most what it receives, so a queue that fills a road spills back to the roads
// upstream, as it does behind an incident. Drivers enter and leave everywhere, follow
// turning shares at the junctions, and come in two rush hours on weekdays. Sensors
// count with noise, some give no speed, some fall silent or repeat a value.
//
// Everything is drawn from one seed: the same seed, network and start give the same
// readings. The package knows no broker and no clock but the one it is paced by.
package city
