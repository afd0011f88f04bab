package broker

import (
	"context"
	"fmt"
	"sync"
)

// A door counts the intake messages that are inside, from being read to being
// answered, and can be shut behind the last of them.
type door struct {
	mu     sync.Mutex
	shut   bool          // guarded by mu, and so is all below
	inside int           //
	empty  chan struct{} // closed when shut and nobody is inside
}

func newDoor() *door { return &door{empty: make(chan struct{})} }

// enter reports whether n messages may come in; each of them has to leave.
func (d *door) enter(n int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return false
	}
	d.inside += n
	return true
}

func (d *door) leave(n int) {
	if n == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside -= n
	if d.shut && d.inside == 0 {
		close(d.empty)
	}
}

// close lets nobody in any more and waits until everybody has left, or ctx ends.
func (d *door) close(ctx context.Context) error {
	d.mu.Lock()
	if !d.shut {
		d.shut = true
		if d.inside == 0 {
			close(d.empty)
		}
	}
	d.mu.Unlock()
	select {
	case <-d.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %d messages to be kept: %w", d.count(), ctx.Err())
	}
}

func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inside
}
