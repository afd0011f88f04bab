package buffer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Errors of Accept and Submit; ask with errors.Is. The readings stay with the caller.
var (
	// ErrFull is returned while the files on disk have reached MaxBytes and nothing
	// may, or can, make room.
	ErrFull = errors.New("buffer is full")
	// ErrBusy is returned while MaxPending readings wait for the disk.
	ErrBusy = errors.New("too many readings wait for the disk")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("buffer is closed")
)

// A Buffer is a durable queue of batches. All methods may be called at any time from
// any goroutine; Next, Get and Forget are meant for one uplink.
type Buffer struct {
	cfg Config
	log *slog.Logger
	met *metrics
	now func() time.Time

	// wake tells the committer that there is something new to think about.
	wake      chan struct{}
	committed chan struct{} // closed when the committer has ended
	commit    committer
	// space wakes keepLoop, and kept is closed when it has ended.
	space, kept chan struct{}

	// clock serializes what is learnt about boots. Order: clock, reading, mu.
	clock sync.Mutex
	boots boots // guarded by mu; written only with clock held

	gaps ledger

	// reading is held while a segment's database is read, opened or closed.
	reading sync.Mutex
	// opened is the closed segment whose database is open, guarded by reading.
	opened *segment
	shut   bool // guarded by reading: nothing is opened any more

	mu sync.Mutex // guards all below
	// segments are in order of writing. The last is the newest, and the head unless
	// writing to it failed.
	segments []*segment
	pin      time.Duration // how long a segment that was read is left alone
	bytes    int64         // of all files
	mark     mark
	changed  chan struct{} // closed and replaced when batches were added
	pending  []*item
	waiting  int // readings in pending and in the commit under way
	closed   bool
}

var _ traffic.Sink = (*Buffer)(nil)

// An item is what one caller handed in.
type item struct {
	readings []traffic.Reading
	rejected []traffic.Rejected
	done     func(error)
	since    time.Time
	// report asks for a batch about what was lost.
	report bool
}

// Open opens the folder and starts a new segment in it. A damaged segment is moved
// aside and reported; a folder of a newer version, or one that another process
// uses, is an error.
func Open(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Buffer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure buffer: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := &Buffer{
		cfg: cfg, log: log.With("component", "buffer"), now: time.Now,
		wake: make(chan struct{}, 1), committed: make(chan struct{}), changed: make(chan struct{}),
		space: make(chan struct{}, 1), kept: make(chan struct{}),
	}
	b.commit.epoch, b.commit.seq = newEpoch(), 1
	b.boots, b.bytes = boots{}, cfg.overhead()
	b.pin = pinFor
	if cfg.Now != nil {
		b.now = cfg.Now
	}
	b.met = newMetrics(reg, b)
	if err := b.recover(); err != nil {
		return nil, fmt.Errorf("open buffer %s: %w", cfg.Dir, err)
	}
	go b.commitLoop()
	go b.keepLoop()
	return b, nil
}

// Close writes what is pending and closes the segments.
func (b *Buffer) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()
	b.signal()
	<-b.committed
	<-b.kept
	return b.finish()
}

// Accept takes the readings over and returns when they are on disk. Readings that are
// not valid come back in a *traffic.Refused; the others are kept. ErrFull, ErrBusy
// and ErrClosed, and the errors of the disk, leave all of them with the caller.
func (b *Buffer) Accept(ctx context.Context, batch []traffic.Reading) error {
	valid, refused := b.sift(batch)
	if len(valid) > 0 {
		result := make(chan error, 1)
		b.Submit(valid, nil, func(err error) { result <- err })
		select {
		case err := <-result:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for the disk: %w", ctx.Err())
		}
	}
	if len(refused.Items) > 0 {
		return refused
	}
	return nil
}

// sift copies the valid readings: the caller may use its slice again as soon as Accept
// has returned, also when the disk is not done with it.
func (b *Buffer) sift(batch []traffic.Reading) ([]traffic.Reading, *traffic.Refused) {
	valid := make([]traffic.Reading, 0, len(batch))
	refused := &traffic.Refused{}
	for i := range batch {
		if err := b.validate(&batch[i]); err != nil {
			refused.Items = append(refused.Items, traffic.Refusal{Index: i, Err: err})
			continue
		}
		valid = append(valid, batch[i])
	}
	return valid, refused
}

// validate is Reading.Validate for who may not know the time.
func (b *Buffer) validate(r *traffic.Reading) error {
	if !b.cfg.ClockUnknown {
		return r.Validate(b.now())
	}
	dated := *r
	if isStamp(r.At) {
		dated.At = traffic.Earliest
	}
	return dated.Validate(dated.At)
}

// Submit takes over readings that are valid, and records of what was rejected, and
// calls done once, from another goroutine or before it returns: with nil when they
// are on disk. The slices belong to the buffer from now on. done must be quick: it
// holds up everybody's commit.
func (b *Buffer) Submit(readings []traffic.Reading, rejected []traffic.Rejected, done func(error)) {
	if err := b.enqueue(&item{readings: readings, rejected: rejected, done: done, since: b.now()}); err != nil {
		b.met.refused.WithLabelValues(refusalLabel(err)).Add(float64(len(readings)))
		done(err)
	}
}

func (b *Buffer) enqueue(it *item) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ErrClosed
	case b.bytes >= b.cfg.MaxBytes:
		return fmt.Errorf("%w: %d of %d bytes are taken", ErrFull, b.bytes, b.cfg.MaxBytes)
	case b.waiting > 0 && b.waiting+len(it.readings) > b.cfg.MaxPending:
		return fmt.Errorf("%w: %d", ErrBusy, b.waiting)
	}
	before := b.waiting
	b.pending = append(b.pending, it)
	b.waiting += len(it.readings)
	if len(b.pending) == 1 || before < b.cfg.BatchReadings && b.waiting >= b.cfg.BatchReadings {
		b.signal()
	}
	return nil
}

func refusalLabel(err error) string {
	switch {
	case errors.Is(err, ErrFull):
		return "full"
	case errors.Is(err, ErrBusy):
		return "busy"
	default:
		return "closed"
	}
}

// signal wakes the committer; one signal that was not looked at yet is enough.
func (b *Buffer) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Stats is the state of a buffer at one moment.
type Stats struct {
	// Bytes are those of the files on disk, MaxBytes their bound.
	Bytes, MaxBytes int64
	// Batches are those not acknowledged.
	Batches uint64
	// Oldest is when the oldest of them whose time is known was written, zero
	// without any.
	Oldest time.Time
	// Gaps are the losses that are not reported to the centre yet.
	Gaps int
	// Undated are the batches that wait for Resolve.
	Undated uint64
	// Written are the bytes that the disk was given since Open, and Syncs how often
	// it was made to keep them.
	Written, Syncs uint64
}

// Stats reads the state; it costs one look into a segment.
func (b *Buffer) Stats() Stats {
	s := Stats{Gaps: b.gaps.len(), Written: b.commit.written.Load(), Syncs: b.commit.syncs.Load()}
	b.mu.Lock()
	s.Bytes, s.MaxBytes = b.bytes, b.cfg.MaxBytes
	for _, seg := range b.segments {
		s.Batches += seg.unacked()
		if !seg.sendable() {
			s.Undated += seg.unacked()
		}
	}
	b.mu.Unlock()
	if s.Batches > s.Undated {
		if e, _, ok := b.after(Cursor{}, false); ok {
			s.Oldest = e.key.at
		}
	}
	return s
}

func (b *Buffer) currentMark() mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mark
}
