//go:build race

// Package race tells tests whether they are watched for races, which makes number
// work ten times slower: the longest of them leave part of their data out then.
package race

// Enabled is whether the race detector is on.
const Enabled = true
