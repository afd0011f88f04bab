// Package load publishes sensor messages over MQTT 3.1.1 with as little work of its own
// as can be, and collects what an edge sends, for the benchmark of the edge. Both sides of
// a comparison get the same load: it knows nothing of what it talks to.
//
// Each connection is one goroutine that writes as many messages as its window has room
// for in one system call and then waits for acknowledgements. It is not an MQTT client for
// anything else: it does not reconnect, and an answer that it does not expect is an error.
package load
