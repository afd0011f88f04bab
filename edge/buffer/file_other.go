//go:build !linux

package buffer

import (
	"math"
	"os"
)

// syncData makes written data durable.
func syncData(f *os.File) error { return f.Sync() }

// forgetPages does nothing.
func forgetPages(*os.File) {}

// lockFile does nothing: bbolt's own locks on the segments are all there is.
func lockFile(*os.File) error { return nil }

// freeBytes does not know.
func freeBytes(string) (int64, error) { return math.MaxInt64, nil }
