//go:build !race

// Package race tells tests whether they are watched for races.
package race

// Enabled is whether the race detector is on.
const Enabled = false
