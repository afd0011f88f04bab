package main

import (
	"runtime/debug"
	"time"
)

// built is when the commit was made that the program was built from; older than that is no
// time that the program can see.
func built(otherwise time.Time) time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return otherwise
	}
	for _, s := range info.Settings {
		if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return at
		}
	}
	return otherwise
}
