// Package broker is the collector's connection to the central MQTT broker: it keeps
// one for ever, hands on what arrives, and sends acknowledgements.
//
// It promises that a message is acknowledged to the broker only when its receiver
// says so; that messages which were not are sent again by the broker after every
// new connection, because the session is kept under a stable client id; and that a
// broker which is absent, slow or silent blocks nobody for ever: a watchdog
// replaces the whole client, with jittered pauses.
//
// It does not look into payloads and keeps no queue: a message that the receiver
// has no room for is left with the broker, which is asked for it again when there
// is room. Package ingest is the receiver.
package broker
