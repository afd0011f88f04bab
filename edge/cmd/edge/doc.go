// Command edge is the agent that runs near the sensors: it takes their readings over
// MQTT, keeps them on disk until the centre has them, and publishes each road's score
// on its own broker. Every flag has an environment variable CITYFLOW_… and a key in
// the file that --config names.
package main
