// Package broker is the MQTT broker that every CityFlow process embeds: sensors
// publish to it, a local sign subscribes to its scores, and in a standalone town it
// is the central broker as well. Mochi is inside and not seen from outside.
//
// It promises that a message on one of the intake's topics is acknowledged (PUBACK at
// QoS 1, PUBREC and then PUBCOMP at QoS 2) only after the intake said that it is
// kept, and that acknowledgements are pipelined: one connection may have many
// messages waiting while the intake gathers them into one write to disk. A message
// that the intake could not keep is not acknowledged and its connection is closed,
// which is what makes a sensor send it again. Messages on other topics go from
// publisher to subscribers as on any broker.
//
// Ordinary messages on the intake's topics, at QoS 0 and 1 and without MQTT 5 properties,
// are taken out of a connection's stream before mochi reads it, and go to the intake as
// many at a time as one read brought (conn, session). That is where the broker's speed
// comes from; all other packets are mochi's.
//
// Everything that a client can make grow is bounded: packets, waiting messages and
// bytes, sessions, queues for slow subscribers, time for a write. A packet that makes
// the decoder panic costs its connection. Clients without a password or
// certificate are served on this machine only; the others publish and subscribe to what
// their role allows, and take nobody else's session.
//
// It does not know what a message means (edge/agent decodes), does not keep messages
// over a restart, and does not cluster. The agent and the composition roots call it.
package broker
