// Package api measures the API as its clients meet it: a server in a process of its own
// over SQLite, and the load beside it on the same machine. `make bench-api` runs it.
//
// It promises figures that can be compared between versions, and with the naive way to do
// the same in the same process. It is no test of what the API answers: cloud/api has those.
package api
