package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sethvargo/go-retry"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

const (
	// A failed transaction is tried again after retryFirst, later up to retryMax.
	retryFirst = 100 * time.Millisecond
	retryMax   = 5 * time.Second
)

// A commit is a micro-batch that is in the store.
type commit struct {
	batch    *microBatch
	appended store.Appended
}

// A writer brings micro-batches into the store. Several goroutines may run one.
type writer struct {
	store   store.ReadingWriter
	timeout time.Duration
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics

	mu  sync.Mutex
	err error // guarded by mu: why the last transaction failed
}

func newWriter(timeout time.Duration, deps Deps, m *metrics) *writer {
	return &writer{store: deps.Store, timeout: timeout, log: deps.Log.With("component", "writer"), now: deps.Now, metrics: m}
}

func (w *writer) lastErr() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// run appends until in is closed. After the end of ctx it lets go of what comes.
func (w *writer) run(ctx context.Context, in <-chan *microBatch, out chan<- commit) {
	for b := range in {
		a, err := w.append(ctx, &b.delivery)
		if err != nil {
			w.log.Warn("stopping before readings were stored; they stay with the broker and the edges", "readings", len(b.delivery.Readings), "err", err)
			continue
		}
		w.metrics.stored.Add(float64(a.New))
		w.metrics.duplicates.Add(float64(a.Duplicate))
		w.metrics.batchSize.Observe(float64(len(b.delivery.Readings)))
		out <- commit{b, a}
	}
}

// append tries until the store has taken d or ctx ends.
func (w *writer) append(ctx context.Context, d *store.Delivery) (store.Appended, error) {
	wait := retry.WithJitterPercent(30, retry.WithCappedDuration(retryMax, retry.NewExponential(retryFirst)))
	for {
		a, err := w.try(ctx, d)
		if err == nil || ctx.Err() != nil {
			return a, err
		}
		if w.refuse(d, err) {
			continue
		}
		pause, _ := wait.Next()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return a, err
		}
	}
}

func (w *writer) try(ctx context.Context, d *store.Delivery) (store.Appended, error) {
	if err := ctx.Err(); err != nil {
		return store.Appended{}, err
	}
	limited, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	began := time.Now()
	a, err := w.store.Append(limited, *d)
	w.metrics.appendTime.Observe(time.Since(began).Seconds())
	w.note(err)
	return a, err
}

// note remembers and logs when the store begins and ends to fail.
func (w *writer) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil && w.err == nil:
		w.log.Warn("the store does not take readings, trying again until it does; nothing is acknowledged meanwhile", "err", err)
	case err == nil && w.err != nil:
		w.log.Info("the store takes readings again")
	}
	if err != nil {
		w.metrics.appendErrors.Inc()
	}
	w.err = err
}

// refuse moves the readings that the store will never take to the rejections. It
// reports whether there were any: then another try makes sense at once.
func (w *writer) refuse(d *store.Delivery, err error) bool {
	var refused *traffic.Refused
	if !errors.As(err, &refused) {
		return false
	}
	why := make(map[int]error, len(refused.Items))
	for _, item := range refused.Items {
		why[item.Index] = item.Err
	}
	kept := make([]traffic.Reading, 0, len(d.Readings))
	for i, r := range d.Readings {
		reason := why[i]
		if reason == nil {
			kept = append(kept, r)
			continue
		}
		w.metrics.failed(traffic.ReasonOf(reason)).Inc()
		payload, _ := wire.EncodeSensor([]traffic.Reading{r}) // what JSON cannot hold is in the detail
		d.Rejected = append(d.Rejected, traffic.Rejected{
			At: w.now().UTC().Truncate(traffic.Resolution), Edge: r.Edge, Origin: "store",
			Payload: payload[:min(len(payload), traffic.MaxRejectedPayload)], Reason: traffic.ReasonOf(reason),
			Detail: clean(fmt.Sprintf("the store refused it: %v", reason)),
		})
	}
	moved := len(d.Readings) - len(kept)
	d.Readings = kept
	return moved > 0
}
