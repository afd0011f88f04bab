// Package daemon is what every CityFlow process has, whatever it is for: its life
// from signal to ordered stop, settings from flags, environment and file, logs,
// metrics, health and readiness.
//
// It knows no noun of traffic: a part hands it plain functions. Composition roots
// (cmd/…, standalone) are its only callers.
//
// The order of a life:
//
//	Main ─► settings ─► New… of each part (may fail: one clear line, exit 1)
//	     ─► Run(stages) ─► SIGINT, SIGTERM, or the first stage that falls
//	     ─► stages stop in reverse, each only after the one feeding it has stopped
package daemon
