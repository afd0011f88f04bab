package buffer

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A committer is the state of the goroutine that writes; nobody else touches it, but
// for the counters.
type committer struct {
	journal *journal
	// head is the segment that batches are added to, nil where the next one begins
	// a new segment.
	head *segment
	// settling is under way, nil while nothing is.
	settling *settlement
	// saved is the mark that was written last.
	saved mark
	// epoch and seq number the next batch.
	epoch, seq uint64
	// ordinal is the number of the newest segment.
	ordinal uint64
	// failure is the last error of the disk, and retry when to try it again.
	failure error
	retry   time.Time
	// settleRetry is when to try again to settle the journal.
	settleRetry time.Time
	// undated says that the clock is unknown for the group being written.
	undated bool
	scratch []traffic.Reading

	written, syncs atomic.Uint64
}

func (c *committer) spent(d cost) {
	c.written.Add(uint64(d.bytes))
	c.syncs.Add(uint64(d.syncs))
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
	b.turnClock()
	entries, gaps := b.encode(group, errs)
	var err error
	first := mark{b.commit.epoch, b.commit.seq}
	if len(entries) > 0 {
		err = b.store(entries)
	}
	if slices.ContainsFunc(group, func(it *item) bool { return it.report }) {
		if err != nil {
			first = mark{}
		}
		b.gaps.reported(gaps, first)
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
func (b *Buffer) encode(group []*item, errs []error) (entries []entry, gaps []traffic.Gap) {
	all := b.commit.scratch[:0]
	var rejected []traffic.Rejected
	for i, it := range group {
		all = append(all, it.readings...)
		rejected = append(rejected, it.rejected...)
		if it.report {
			entries, gaps, errs[i] = b.packGaps()
		}
	}
	report := entries
	entries, err := b.pack(report, all, rejected)
	clear(all) // their strings are not ours to hold
	if b.commit.scratch = all[:0]; cap(all) > 8*b.cfg.BatchReadings {
		b.commit.scratch = nil
	}
	if err == nil {
		return entries, gaps
	}
	b.log.Warn("cannot encode readings together, trying each caller's alone", "error", err)
	entries = report
	for i, it := range group {
		own, err := b.pack(entries, it.readings, it.rejected)
		if err != nil {
			errs[i] = fmt.Errorf("encode batch: %w", err)
			continue
		}
		entries = own
	}
	return entries, gaps
}

// pack appends the batches that hold readings and rejected to entries.
func (b *Buffer) pack(entries []entry, readings []traffic.Reading, rejected []traffic.Rejected) ([]entry, error) {
	if err := b.dateReadings(readings); err != nil {
		return nil, err
	}
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
	if err == nil && len(value) <= wire.MaxBatchBytes-datingBytes {
		return append(entries, entry{key: keyOf(&batch, value, b.now()), value: value}), nil
	}
	if len(readings)+len(rejected) < 2 {
		return nil, errors.Join(err, errTooLarge)
	}
	n, m := len(readings)/2, len(rejected)/2
	if entries, err = b.packOne(entries, readings[:n], rejected[:m]); err != nil {
		return nil, err
	}
	return b.packOne(entries, readings[n:], rejected[m:])
}

var errTooLarge = errors.New("one reading or rejection is too large for a batch")

// keyOf describes an encoded batch. Stamps count before times, so that a range is of one
// sort.
func keyOf(batch *wire.Batch, value []byte, now time.Time) key {
	k := key{seq: batch.Seq, at: now, readings: uint32(len(batch.Readings)), sum: checksum(value)}
	for i := range batch.Readings {
		at := batch.Readings[i].At
		switch {
		case k.from.IsZero(), isStamp(at) && !isStamp(k.to):
			k.from, k.to = at, at
		case isStamp(at) != isStamp(k.to):
		case at.Before(k.from):
			k.from = at
		case at.After(k.to):
			k.to = at
		}
	}
	return k
}

// store makes batches durable and visible to the reading side.
func (b *Buffer) store(entries []entry) error {
	c := &b.commit
	if b.now().Before(c.retry) {
		return c.failure
	}
	b.lookAtSettlement()
	for len(entries) > 0 {
		n, err := b.storeSome(entries)
		if err != nil {
			return b.failed(err)
		}
		entries = entries[n:]
	}
	c.failure = nil
	b.mu.Lock()
	close(b.changed)
	b.changed = make(chan struct{})
	full := c.head.bytes+c.head.unsettledBytes >= b.cfg.SegmentBytes
	b.mu.Unlock()
	b.rotateIfDue(full)
	return nil
}

// rotateIfDue closes a head that is large or old enough; it waits for a settlement under way,
// so that segments do not grow beyond their size. Where settling fails the journal has
// everything, and readings are taken as long as it has room.
func (b *Buffer) rotateIfDue(full bool) {
	c := &b.commit
	age := b.now().Sub(c.head.created)
	if !full && age < b.cfg.SegmentAge && age >= 0 || b.now().Before(c.settleRetry) {
		return
	}
	err := b.awaitSettling()
	switch {
	case err != nil:
	case c.journal.mayTurn():
		b.beginSettling(c.head)
	default:
		err = b.settle(true)
	}
	if err != nil {
		b.cannotSettle(err)
	}
}

// cannotSettle reports what is tried again.
func (b *Buffer) cannotSettle(err error) {
	b.commit.settleRetry = b.now().Add(retryPause)
	b.met.failures.Inc()
	b.log.Error("cannot settle what is in the journal; trying again", "error", err)
}

// storeSome writes as many of the batches to the journal as have room in it.
func (b *Buffer) storeSome(entries []entry) (n int, err error) {
	c := &b.commit
	head := b.ensureHead()
	rec := commit{segment: head.header, mark: b.currentMark()}
	for rec.entries = entries; len(rec.entries) > 1 && rec.size() > journalHalf; {
		rec.entries = rec.entries[:len(rec.entries)/2]
	}
	if !c.journal.fits(rec.size()) {
		if err := b.makeRoom(); err != nil {
			return 0, err
		}
		head = b.ensureHead() // what was settled may have been all acknowledged
		rec.segment = head.header
	}
	n = len(rec.entries)
	start := time.Now()
	spent, err := c.journal.append(&rec)
	if err != nil {
		// What the journal holds of these is known only to it: their numbers are
		// not used again.
		c.seq += uint64(len(entries))
		b.closeHead()
		return 0, err
	}
	b.met.sync.Observe(time.Since(start).Seconds())
	c.spent(spent)
	c.saved = rec.mark
	c.seq += uint64(n)
	b.mu.Lock()
	defer b.mu.Unlock()
	head.add(rec.entries)
	return n, nil
}

// add appends batches that are in the journal. The caller holds Buffer.mu.
func (s *segment) add(entries []entry) {
	s.unsettled = append(s.unsettled, entries...)
	for _, e := range entries {
		s.unsettledBytes += int64(len(e.value)) + keyBytes
		if !s.stamps || isStamp(e.key.to) {
			s.last = e.key.to
		}
	}
	s.next += uint64(len(entries))
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

// ensureHead begins a new segment where there is no head. It has no file until it is
// settled.
func (b *Buffer) ensureHead() *segment {
	c := &b.commit
	if c.head == nil {
		c.ordinal++
		h := header{ordinal: c.ordinal, kind: kindRaw, epoch: c.epoch, first: c.seq, created: b.now(), stamps: c.undated}
		if h.stamps {
			h.boot = b.cfg.BootID
		}
		c.head = &segment{header: h, next: h.first, head: true}
		b.mu.Lock()
		c.head.resolve(b.boots) // the time may have become known since turnClock looked
		b.segments = append(b.segments, c.head)
		b.mu.Unlock()
	}
	return c.head
}
