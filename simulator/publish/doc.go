// Package publish sends readings to an MQTT broker the way sensors do: the JSON of
// package wire, QoS 1, on one connection, in the order in which it was given them.
//
// What it promises:
//
//   - A reading is done when the broker acknowledged its message (PUBACK). When the
//     connection is lost, everything that was not acknowledged is sent again, in
//     order, before anything newer; so a reading may arrive twice, and counts once
//     by its (sensor, time).
//   - The order of the readings of each sensor is kept, and so is event time as a
//     whole.
//   - Memory is bounded: at most Config.Window messages of Config.Batch readings are
//     out. Then Publish blocks, which slows the source.
//   - Nothing waits for a full message longer than Config.Linger.
//
// A message whose readings are all of one sensor goes to that sensor's topic, any
// other to traffic/data; both are those of package wire.
//
// It does not judge readings and does not write to disk: what was not acknowledged
// when the process ends is the source's to play again. Callers are cmd/simulator and
// standalone.
//
//	Publish ─► batch ─► window (unacknowledged, in order) ─► connection ─► PUBACK ─► forget
//	                            └──────── connection lost: again from the first ◄───┘
package publish
