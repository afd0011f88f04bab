// Package rig starts the real servers that tests talk to: PostgreSQL (with
// TimescaleDB where the machine has it), Redis and Mosquitto, each as a child
// process on a free port of 127.0.0.1 with its own temporary folder.
//
// It promises that a server is ready when the call returns, that it is gone when
// the test has ended, also when the test failed or its process was killed
// (on Linux), and that a program which is not installed fails the test with the
// name of the package to install. Programs that refuse to run as root run
// as another user. A failed test shows the last lines its servers wrote.
//
// It is not for production code: only test files import it, those of every
// module of the house.
package rig
