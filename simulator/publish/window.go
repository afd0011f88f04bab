package publish

import (
	"context"
	"sync"
)

// A message is a batch of readings on its way.
type message struct {
	topic    string
	payload  []byte
	readings int
	sent     bool // at least once
}

// A window holds the messages that are not acknowledged, in order. It has room for a
// fixed number; who wants to put in more waits.
type window struct {
	slots chan struct{} // one token per message in the window
	work  chan struct{} // "there is something to send"

	mu sync.Mutex // guards everything below
	// out are the messages, the first next of them sent on the present connection.
	out  []*message
	next int
	// changed is closed and replaced at every acknowledgement.
	changed chan struct{}
}

func newWindow(size int) *window {
	return &window{slots: make(chan struct{}, size), work: make(chan struct{}, 1), changed: make(chan struct{})}
}

// put adds a message at the end when there is room for it.
func (w *window) put(ctx context.Context, stopped <-chan struct{}, m *message) error {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-stopped:
		return ErrStopped
	}
	w.mu.Lock()
	w.out = append(w.out, m)
	w.mu.Unlock()
	w.wake()
	return nil
}

func (w *window) wake() {
	select {
	case w.work <- struct{}{}:
	default:
	}
}

// rewind makes every message unsent: a new connection begins.
func (w *window) rewind() {
	w.mu.Lock()
	w.next = 0
	w.mu.Unlock()
	w.wake()
}

// take returns the next message to send, nil when all are sent.
func (w *window) take() *message {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == len(w.out) {
		return nil
	}
	m := w.out[w.next]
	w.next++
	return m
}

// acked forgets the first message and returns how many readings it had.
func (w *window) acked() int {
	w.mu.Lock()
	n := w.out[0].readings
	w.out[0] = nil
	w.out = w.out[1:]
	w.next--
	close(w.changed)
	w.changed = make(chan struct{})
	w.mu.Unlock()
	<-w.slots
	return n
}

// left returns how many readings are not acknowledged, and a channel that is closed
// when that changes.
func (w *window) left() (int, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, m := range w.out {
		n += m.readings
	}
	return n, w.changed
}
