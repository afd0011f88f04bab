// Command collector brings what edges and sensors publish on the central MQTT broker
// into PostgreSQL and spreads the news through Redis. Every flag has an environment
// variable CITYFLOW_… and a key in the file that --config names.
//
// Any number of them may run, each with its own --instance. Stopping one, in any way,
// loses nothing: what it did not acknowledge is delivered again.
package main
