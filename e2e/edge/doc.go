// Package edge proves what an edge promises, with the real programs: a reading that was
// acknowledged to its sensor is stored, once, whatever is killed, full or slow in
// between. The sensors are plain MQTT clients that remember what was acknowledged and
// never send anything twice.
//
// `make test` runs a short form of each proof, `make e2e-edge` the long one
// (CITYFLOW_E2E=long), which needs root for network namespaces.
package edge
