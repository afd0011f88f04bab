// Package mqttconn keeps one MQTT connection at a time: it connects with growing
// pauses until it succeeds, and tells when the connection is lost.
//
// It does not resend anything. A message that was not acknowledged when the
// connection was lost is its sender's to send again, in its order: the client
// library would do it too, but then nobody could say what is still out. Its callers
// are the publisher and the fleet.
package mqttconn
