// Package wire is where CityFlow's readings are bytes: the JSON that sensors publish,
// the compressed batches that edges send to the centre, the acknowledgements that
// come back, and the MQTT topics of all of them.
//
// It promises that decoding never panics and uses bounded memory whatever it is
// given, that one bad reading never takes its neighbours down, and that a batch
// decodes to exactly the values that were encoded. docs/formats/wire.md describes
// the bytes; the golden files in testdata fix them.
//
// It does not talk MQTT, and does not say whether a reading is plausible beyond
// traffic.Reading.Validate: a decoded batch is what an edge claims, its receiver
// validates again. Callers are the edge (broker, buffer, uplink), the collector and
// the simulator.
package wire
