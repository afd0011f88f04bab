package buffer

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A committer is the state of the goroutine that writes; nobody else touches it, but
// for written.
type committer struct {
	// head is the segment being written, nil after a failure.
	head *segment
	// saved is the mark that head holds.
	saved mark
	// epoch and seq number the next batch.
	epoch, seq uint64
	// ordinal is the number of the newest segment file.
	ordinal uint64
	// failure is the last error of the disk, and retry when to try it again.
	failure error
	retry   time.Time
	written atomic.Uint64
	scratch []traffic.Reading
}

// The bounds of one commit, and the pause after one that failed: a disk that is full
// is not asked again for every message.
const (
	maxCommitBatches = 32
	retryPause       = time.Second
	// maxBatchRejected keeps a batch of nothing but rejections well below
	// wire.MaxBatchBytes.
	maxBatchRejected = 500
)

// commitLoop gathers what callers submit and writes it, until Close.
func (b *Buffer) commitLoop() {
	defer close(b.committed)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		group, wait, closed := b.gather()
		switch {
		case len(group) > 0:
			b.write(group)
		case closed:
			return
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-b.wake:
			case <-timer.C:
			}
		default:
			<-b.wake
		}
	}
}

// gather takes out what is to be written now. Without any it says how long the oldest
// pending item may still wait; 0 when there is none.
func (b *Buffer) gather() (group []*item, wait time.Duration, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) == 0 {
		return nil, 0, b.closed
	}
	wait = b.cfg.CommitInterval - b.now().Sub(b.pending[0].since)
	if wait > 0 && b.waiting < b.cfg.BatchReadings && !b.closed {
		return nil, min(wait, b.cfg.CommitInterval), false
	}
	n, readings := 0, 0
	for n < len(b.pending) && readings < maxCommitBatches*b.cfg.BatchReadings {
		readings += len(b.pending[n].readings)
		n++
	}
	group = b.pending[:n:n]
	b.pending = b.pending[n:]
	if len(b.pending) == 0 {
		b.pending = nil
	}
	return group, 0, b.closed
}

// write puts a group on disk and answers its callers.
func (b *Buffer) write(group []*item) {
	errs := make([]error, len(group))
	entries := b.encode(group, errs)
	var err error
	if len(entries) > 0 {
		err = b.store(entries)
	}
	readings := 0
	for _, it := range group {
		readings += len(it.readings)
	}
	b.mu.Lock()
	b.waiting -= readings
	b.mu.Unlock()
	if err == nil {
		b.met.readings.Add(float64(readings))
	}
	for i, it := range group {
		it.done(errors.Join(errs[i], err))
	}
}

// encode packs the group into as few batches as its bounds allow. A reading that cannot
// be encoded, which no valid one should be, fails its own caller only.
func (b *Buffer) encode(group []*item, errs []error) []entry {
	all := b.commit.scratch[:0]
	var rejected []traffic.Rejected
	for _, it := range group {
		all = append(all, it.readings...)
		rejected = append(rejected, it.rejected...)
	}
	entries, err := b.pack(nil, all, rejected)
	clear(all) // their strings are not ours to hold
	if b.commit.scratch = all[:0]; cap(all) > 8*b.cfg.BatchReadings {
		b.commit.scratch = nil
	}
	if err == nil {
		return entries
	}
	b.log.Warn("cannot encode readings together, trying each caller's alone", "error", err)
	entries = nil
	for i, it := range group {
		own, err := b.pack(entries, it.readings, it.rejected)
		if err != nil {
			errs[i] = fmt.Errorf("encode batch: %w", err)
			continue
		}
		entries = own
	}
	return entries
}

// pack appends the batches that hold readings and rejected to entries.
func (b *Buffer) pack(entries []entry, readings []traffic.Reading, rejected []traffic.Rejected) ([]entry, error) {
	for len(readings)+len(rejected) > 0 {
		n, m := min(len(readings), b.cfg.BatchReadings), min(len(rejected), maxBatchRejected)
		var err error
		if entries, err = b.packOne(entries, readings[:n], rejected[:m]); err != nil {
			return nil, err
		}
		readings, rejected = readings[n:], rejected[m:]
	}
	return entries, nil
}

// packOne makes one batch, or several where one would be too large.
func (b *Buffer) packOne(entries []entry, readings []traffic.Reading, rejected []traffic.Rejected) ([]entry, error) {
	c := &b.commit
	batch := wire.Batch{
		Edge: b.cfg.Edge, Epoch: c.epoch, Seq: c.seq + uint64(len(entries)),
		Readings: readings, Rejected: rejected,
	}
	value, err := wire.EncodeBatch(&batch)
	if err == nil {
		k := key{seq: batch.Seq, at: b.now(), readings: uint32(len(readings)), sum: checksum(value)}
		return append(entries, entry{k, value}), nil
	}
	if len(readings)+len(rejected) < 2 {
		return nil, err
	}
	n, m := len(readings)/2, len(rejected)/2
	if entries, err = b.packOne(entries, readings[:n], rejected[:m]); err != nil {
		return nil, err
	}
	return b.packOne(entries, readings[n:], rejected[m:])
}

// store writes batches to the head and makes them visible to the reading side.
func (b *Buffer) store(entries []entry) error {
	c := &b.commit
	if b.now().Before(c.retry) {
		return c.failure
	}
	if err := b.ensureHead(); err != nil {
		return b.failed(err)
	}
	m := b.currentMark()
	start := time.Now()
	bytes, err := c.head.append(entries, m)
	if err != nil {
		b.abandonHead(uint64(len(entries)))
		return b.failed(fmt.Errorf("write to disk: %w", err))
	}
	b.met.sync.Observe(time.Since(start).Seconds())
	c.saved, c.failure = m, nil
	c.seq += uint64(len(entries))
	for _, e := range entries {
		c.written.Add(uint64(len(e.value)))
	}
	b.mu.Lock()
	b.bytes += bytes - c.head.bytes
	c.head.bytes, c.head.next = bytes, c.seq
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	b.rotate()
	return nil
}

func (b *Buffer) failed(err error) error {
	c := &b.commit
	if c.failure == nil {
		b.log.Error("cannot keep readings; their senders will send them again", "error", err)
	}
	c.failure, c.retry = err, b.now().Add(retryPause)
	b.met.failures.Inc()
	return err
}

// rotate closes a head that is large or old enough and begins a new one.
func (b *Buffer) rotate() {
	c := &b.commit
	age := b.now().Sub(c.head.created)
	if c.head.bytes < b.cfg.SegmentBytes && age < b.cfg.SegmentAge && age >= 0 {
		return
	}
	old := c.head
	c.head = nil
	if err := b.ensureHead(); err != nil {
		_ = b.failed(err) // the next commit tries again
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	old.close()
	b.retire()
}

// ensureHead begins a new segment where there is no head.
func (b *Buffer) ensureHead() error {
	c := &b.commit
	if c.head != nil {
		return nil
	}
	s := &segment{ordinal: c.ordinal + 1, epoch: c.epoch, first: c.seq, created: b.now()}
	m := b.currentMark()
	if err := createSegment(b.cfg.Dir, s, b.cfg.SegmentBytes, m); err != nil {
		return err
	}
	c.head, c.ordinal, c.saved = s, s.ordinal, m
	b.mu.Lock()
	defer b.mu.Unlock()
	b.segments = append(b.segments, s)
	b.bytes += s.bytes
	return nil
}

// abandonHead closes a head after a write failed: what the file holds of the n batches is
// known only to the file, so their numbers are not used again.
func (b *Buffer) abandonHead(n uint64) {
	c := &b.commit
	old := c.head
	c.head = nil
	c.seq += n
	b.reading.Lock()
	defer b.reading.Unlock()
	old.close()
	found := &segment{path: old.path}
	_, err := found.load()
	found.close()
	if err != nil {
		b.log.Error("cannot read the segment that could not be written", "segment", old.path, "error", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old.next = found.next
	b.bytes += found.bytes - old.bytes
	old.bytes = found.bytes
}

// finish notes the mark and closes the head.
func (c *committer) finish(m mark) error {
	if c.head == nil {
		return nil
	}
	var err error
	if m != c.saved {
		_, err = c.head.append(nil, m)
	}
	if err = errors.Join(err, c.head.db.Close()); err != nil {
		return fmt.Errorf("close buffer: %w", err)
	}
	return nil
}
