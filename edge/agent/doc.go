// Package agent is the edge as a whole: sensors publish to its broker, readings are
// checked, scored and buffered, the uplink carries them to the centre, and the score
// of every road is published, retained, for signs and signals nearby.
//
//	sensor ──MQTT──▶ broker ──▶ decode ──▶ score ──▶ buffer ──▶ uplink ──MQTT──▶ collector
//	sign   ◀──MQTT── broker ◀── scores ◀────┘
//
// It promises that a sensor is answered only after its readings are on disk, that a
// message which can never be taken is answered too, counted, and reported upstream
// (a bounded number a second), and that stopping loses nothing: the door is closed first,
// what is inside is written, the uplink sends what it can, then the broker and the
// buffer close.
//
// Where no central broker is named the uplink connects to the agent's own broker: a
// collector that subscribes there makes a town on one machine. Composition roots
// call this package; in one process with a collector they run its three stages one by
// one, so that the collector can stop between them.
package agent
