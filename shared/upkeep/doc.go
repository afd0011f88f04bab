// Package upkeep keeps a database in shape as long as it runs: it calls a
// store.Maintainer every few minutes and tells how that goes.
//
// It promises that a failure is logged once, counted, and tried again, and that nothing
// waits for it. It does not know what a database needs: that is the backend's. The
// collector and the standalone program run it.
package upkeep
