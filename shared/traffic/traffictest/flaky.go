package traffictest

import (
	"context"
	"sync"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A FlakySink keeps readings in memory and fails by script: the n-th call of Accept
// returns Script[n], where that is not nil, and keeps nothing. Calls beyond the script
// succeed. It is safe for concurrent use.
type FlakySink struct {
	Script []error

	mu    sync.Mutex
	calls int
	kept  []traffic.Reading
}

var _ traffic.Sink = (*FlakySink)(nil)

// Accept keeps the batch or fails, as the script says.
func (f *FlakySink) Accept(_ context.Context, batch []traffic.Reading) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.calls
	f.calls++
	if n < len(f.Script) && f.Script[n] != nil {
		return f.Script[n]
	}
	f.kept = append(f.kept, batch...)
	return nil
}

// Calls is how often Accept was called.
func (f *FlakySink) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Kept returns all readings that were kept, in order, also those that came twice.
func (f *FlakySink) Kept() []traffic.Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]traffic.Reading(nil), f.kept...)
}
