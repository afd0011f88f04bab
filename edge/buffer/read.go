package buffer

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A Cursor is a place in the order of batches. The zero Cursor is before the oldest.
type Cursor struct {
	ordinal, epoch, seq uint64
}

// A Batch is one stored batch.
type Batch struct {
	// Cursor is the batch's own place: Next continues after it.
	Cursor Cursor
	// Epoch and Seq are its name, as in Payload.
	Epoch, Seq uint64
	// Readings is how many it holds.
	Readings int
	// At is when it was written.
	At time.Time
	// Payload is the encoded wire.Batch.
	Payload []byte
}

// Next returns the first batch after a place that is not acknowledged; false when there
// is none yet, or none yet whose times are known. What cannot be read is put aside,
// reported and passed over.
func (b *Buffer) Next(after Cursor) (Batch, bool) {
	b.report()
	e, s, ok := b.after(after, true)
	if !ok {
		return Batch{}, false
	}
	return s.batch(e), true
}

// Get returns the batch at a place again; false when it is not there any more: it was
// acknowledged, thinned or evicted, or the disk lost it. Then there is nothing left to
// send under its name.
func (b *Buffer) Get(at Cursor) (Batch, bool) {
	before := at
	before.seq--
	e, s, ok := b.after(before, true)
	if !ok || (Cursor{s.ordinal, s.epoch, e.key.seq}) != at {
		return Batch{}, false
	}
	return s.batch(e), true
}

func (s *segment) batch(e entry) Batch {
	return Batch{
		Cursor: Cursor{s.ordinal, s.epoch, e.key.seq}, Epoch: s.epoch, Seq: e.key.seq,
		Readings: int(e.key.readings), At: e.key.at, Payload: e.value,
	}
}

// Changed returns a channel that is closed when there may be more for Next. Take it before
// asking.
func (b *Buffer) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// after finds the first batch after a place that is not acknowledged and can be read.
func (b *Buffer) after(c Cursor, withValue bool) (entry, *segment, bool) {
	b.reading.Lock()
	defer b.reading.Unlock()
	for {
		s, n := b.locate(c)
		if s == nil || b.shut {
			return entry{}, nil, false
		}
		e, err := b.fetch(s, n, withValue)
		c = Cursor{s.ordinal, s.epoch, n}
		switch {
		case err == nil && !e.gone:
			return e, s, true
		case err == nil:
			b.settledAcked(s, n)
		case errors.Is(err, errDamaged):
			b.passOver(s, n, e.key, err)
		default: // the file system refuses: the batch is there, only not now
			b.log.Error("cannot read a segment", "segment", s.path, "error", err)
			return entry{}, nil, false
		}
	}
}

// locate says where the first unacknowledged batch after c is; nil when there is none
// that may be sent.
func (b *Buffer) locate(c Cursor) (*segment, uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, _ := slices.BinarySearchFunc(b.segments, c.ordinal, func(s *segment, n uint64) int {
		return cmp.Compare(s.ordinal, n)
	})
	for _, s := range b.segments[i:] {
		from := s.first
		if s.ordinal == c.ordinal && s.epoch == c.epoch {
			from = c.seq + 1
		}
		if n := s.firstUnacked(from); n < s.next {
			if !s.sendable() {
				return nil, 0 // all that follow wait for the same
			}
			return s, n
		}
	}
	return nil, 0
}

// fetch reads one batch and checks it. The key is filled in as far as it can be read, also
// with an error. The caller holds reading.
func (b *Buffer) fetch(s *segment, n uint64, withValue bool) (entry, error) {
	e, offset, ok := b.fromJournal(s, n, withValue)
	if !ok {
		var err error
		if e, err = b.fromFile(s, n, withValue); err != nil || e.gone {
			return e, err
		}
	}
	if !s.stamps {
		return e, nil
	}
	if !withValue {
		e.key = e.key.dated(offset)
		return e, nil
	}
	out, err := dated(e, offset)
	if err != nil {
		return e, fmt.Errorf("%w: batch %d: %w", errDamaged, n, err)
	}
	return out, nil
}

// fromJournal finds a batch that is not settled.
func (b *Buffer) fromJournal(s *segment, n uint64, handOut bool) (e entry, offset time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if handOut {
		s.readAt = b.now()
	}
	if n < s.settled() || n >= s.next {
		return e, s.offset, false
	}
	return s.unsettled[n-s.settled()], s.offset, true
}

func (b *Buffer) fromFile(s *segment, n uint64, withValue bool) (entry, error) {
	if s.db == nil {
		b.closeReader()
		if err := s.open(); err != nil {
			return entry{}, err
		}
		b.opened = s
	}
	e, err := s.read(n, withValue)
	if err == nil && withValue && !e.gone && checksum(e.value) != e.key.sum && !s.proves(e.value, n) {
		err = fmt.Errorf("%w: checksum of batch %d", errDamaged, n)
	}
	return e, err
}

// proves reports whether a value is batch n by its own checksum: then only its key is
// damaged.
func (s *segment) proves(value []byte, n uint64) bool {
	batch, err := wire.DecodeBatch(value)
	return err == nil && batch.Epoch == s.epoch && batch.Seq == n
}

// settledAcked notes that a batch was acknowledged before it was settled, in an earlier
// life. The caller holds reading.
func (b *Buffer) settledAcked(s *segment, n uint64) {
	b.mu.Lock()
	s.ack(n)
	full := b.advanceMark()
	b.mu.Unlock()
	if full {
		b.retire()
	}
}

// passOver gives up a batch that cannot be read, or all of a segment that cannot be
// opened. The segment goes to quarantine, instead of being unlinked, when the rest
// of it has been delivered. The caller holds reading.
func (b *Buffer) passOver(s *segment, n uint64, k key, cause error) {
	if s.lost == 0 {
		b.log.Error("a segment is damaged: passing over what cannot be read", "segment", s.path, "batch", n, "cause", cause)
	}
	if k.seq != n {
		k = key{seq: n} // it cannot be read either
	}
	b.mu.Lock()
	g := s.gapOf(k, traffic.GapDamaged)
	if s.db == nil {
		g = traffic.Gap{Cause: traffic.GapDamaged, Epoch: s.epoch, FirstSeq: n, LastSeq: s.settled() - 1}
	}
	for n := g.FirstSeq; n <= g.LastSeq; n++ {
		if s.ack(n) {
			s.lost++
		}
	}
	b.advanceMark()
	b.mu.Unlock()
	b.lose(g, s.kind)
	b.retire()
}

// closeReader closes the database that is open for reading. The caller holds reading.
func (b *Buffer) closeReader() {
	if b.opened != nil {
		b.opened.close()
		b.opened = nil
	}
}

// Forget removes batches that the receiver has kept. Numbers that are unknown, or known
// to be acknowledged, are ignored. It returns how many were news.
func (b *Buffer) Forget(epoch uint64, seqs []uint64) int {
	b.mu.Lock()
	news := 0
	for _, n := range seqs {
		if s := b.holder(epoch, n); s != nil && s.ack(n) {
			news++
		}
	}
	full := b.advanceMark()
	b.mu.Unlock()
	b.noteReported(epoch, seqs)
	if full {
		b.reading.Lock()
		defer b.reading.Unlock()
		b.retire()
	}
	return news
}

// noteReported removes what the centre now knows from the record of losses.
func (b *Buffer) noteReported(epoch uint64, seqs []uint64) {
	for _, n := range seqs {
		if err := b.gaps.delivered(mark{epoch, n}); err != nil {
			b.log.Warn("cannot note that a loss is reported; it will be reported again", "error", err)
		}
	}
}

// holder finds the segment of a batch. The caller holds mu.
func (b *Buffer) holder(epoch, n uint64) *segment {
	for _, s := range b.segments {
		if s.epoch == epoch && s.has(n) {
			return s
		}
	}
	return nil
}

// advanceMark moves the mark over all batches that are acknowledged without a gap, and
// reports whether some segment is acknowledged whole. The caller holds mu.
func (b *Buffer) advanceMark() (full bool) {
	gap := false
	for _, s := range b.segments {
		full = full || s.unacked() == 0
		if n := s.firstUnacked(s.first); !gap && n > s.first {
			b.mark = mark{s.epoch, n - 1}
		}
		gap = gap || s.unacked() > 0
	}
	return full
}

// retire unlinks the segments that nothing is to be delivered from, except for the one that
// batches are added to. The caller holds reading.
func (b *Buffer) retire() {
	b.mu.Lock()
	var gone []*segment
	keep := b.segments[:0:0]
	for _, s := range b.segments {
		if s.head || s.settling || s.unacked() > 0 {
			keep = append(keep, s)
			continue
		}
		gone = append(gone, s)
		b.bytes -= s.bytes
	}
	b.segments = keep
	b.mu.Unlock()
	for _, s := range gone {
		b.unlink(s)
		b.lookAfterSpace()
	}
}

func (b *Buffer) unlink(s *segment) {
	if b.opened == s {
		b.opened = nil
	}
	s.close()
	if s.path == "" {
		return
	}
	if s.lost > 0 {
		b.quarantine(s, fmt.Errorf("%w: %d of %d batches could not be read", errDamaged, s.lost, s.batches()))
		return
	}
	b.removeFile(s)
}

func (b *Buffer) removeFile(s *segment) {
	if err := os.Remove(s.path); err != nil {
		b.log.Warn("cannot remove a delivered segment", "error", err)
	}
}
