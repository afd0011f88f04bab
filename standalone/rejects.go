package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// rejects keeps the rows that a source could not use beside the messages that the
// edge refused, so that one list tells all. It never holds a source up: when the store
// is slower than a file full of bad rows, it keeps count and lets the record go.
type rejects struct {
	store   store.ReadingWriter
	log     *slog.Logger
	waiting chan traffic.Rejected
}

const (
	// maxWaitingRejects bounds the records that wait for the store.
	maxWaitingRejects = 10_000
	// rejectsEvery is how often they are written.
	rejectsEvery = 250 * time.Millisecond
	// loggedRejects is how many are logged one by one at each writing.
	loggedRejects = 5
)

func newRejects(st store.ReadingWriter, log *slog.Logger) *rejects {
	return &rejects{store: st, log: log, waiting: make(chan traffic.Rejected, maxWaitingRejects)}
}

// add takes a record; it never waits.
func (r *rejects) add(rejected traffic.Rejected) {
	select {
	case r.waiting <- rejected:
	default: // the source counts all of them; the list is bounded anyhow
	}
}

// run writes what was added until ctx ends, and then what is left.
func (r *rejects) run(ctx context.Context) error {
	tick := time.NewTicker(rejectsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return r.write(context.WithoutCancel(ctx))
		case <-tick.C:
			if err := r.write(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("rejected rows could not be listed", "error", err)
			}
		}
	}
}

func (r *rejects) write(ctx context.Context) error {
	batch := make([]traffic.Rejected, 0, len(r.waiting))
	for range cap(batch) {
		batch = append(batch, <-r.waiting)
	}
	if len(batch) == 0 {
		return nil
	}
	for _, b := range batch[:min(len(batch), loggedRejects)] {
		r.log.Warn("rejected", "origin", b.Origin, "reason", b.Reason, "detail", b.Detail)
	}
	if more := len(batch) - loggedRejects; more > 0 {
		r.log.Warn("more were rejected: see `cityflow rejected list`", "count", more)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := r.store.Append(ctx, store.Delivery{Rejected: batch}); err != nil {
		return fmt.Errorf("store %d rejected rows: %w", len(batch), err)
	}
	return nil
}
