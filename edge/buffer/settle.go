package buffer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// settle moves what only the journal holds into segment files, and lets the journal begin
// again. Of a batch that is acknowledged by now only the key is written: while the uplink
// works a reading is written once. After an error everything still is in the journal.
func (b *Buffer) settle() error {
	err := b.settleAll()
	if err != nil && b.diskFull(err) {
		err = b.settleAll()
	}
	if err != nil {
		return err
	}
	b.commit.journal.rewind()
	b.tidy()
	b.evict()
	b.lookAfterSpace()
	return nil
}

func (b *Buffer) settleAll() error {
	b.mu.Lock()
	segments := append([]*segment(nil), b.segments...)
	b.mu.Unlock()
	for _, s := range segments {
		if err := b.settleSegment(s); err != nil {
			return err
		}
	}
	return nil
}

// tidy is retire for who does not hold reading.
func (b *Buffer) tidy() {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.retire()
}

func (b *Buffer) settleSegment(s *segment) error {
	entries, st, wanted := b.settling(s)
	if len(entries) == 0 {
		return nil
	}
	if !wanted {
		b.forgetUnsettled(s)
		return nil
	}
	db, spent, err := b.writeSegment(s, entries, st)
	b.commit.spent(spent)
	if err != nil {
		b.splitUnsettled(s)
		return fmt.Errorf("write to disk: %w", err)
	}
	b.commit.saved = st.mark
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.path == "" {
		s.path = filepath.Join(b.cfg.Dir, s.fileName())
	}
	if s.db = db; !s.head {
		s.close()
	}
	s.unsettled, s.unsettledBytes = nil, 0
	if !slices.Contains(b.segments, s) { // delivered meanwhile
		b.removeFile(s)
		return nil
	}
	b.bytes += spent.size - s.bytes
	s.bytes = spent.size
	return nil
}

// settling copies what is to be written of a segment, and reports whether there is
// anything in it that is not acknowledged.
func (b *Buffer) settling(s *segment) (entries []entry, st state, wanted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entries = append(entries, s.unsettled...)
	for i := range entries {
		if s.isAcked(entries[i].key.seq) {
			entries[i].value = nil
		}
	}
	return entries, s.state(b.mark), s.unacked() > 0
}

// writeSegment writes batches to the file of a segment, which it creates where there is
// none.
func (b *Buffer) writeSegment(s *segment, entries []entry, st state) (*bolt.DB, cost, error) {
	if s.path == "" {
		return s.create(b.cfg.Dir, b.cfg.SegmentBytes, entries, st)
	}
	spent, err := write(s.db, nil, entries, st)
	return s.db, spent, err
}

// forgetUnsettled gives up a segment in which everything is acknowledged.
func (b *Buffer) forgetUnsettled(s *segment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.unsettled, s.unsettledBytes, s.head = nil, 0, false
	if s == b.commit.head {
		b.commit.head = nil
	}
}

// splitUnsettled closes a segment whose file could not be written. What is in the journal
// becomes a segment without a file, to be settled in another one.
func (b *Buffer) splitUnsettled(s *segment) {
	if s.path == "" {
		return
	}
	c := &b.commit
	b.reading.Lock()
	defer b.reading.Unlock()
	s.close()
	c.ordinal++
	rest := &segment{header: s.header}
	rest.ordinal = c.ordinal
	b.mu.Lock()
	defer b.mu.Unlock()
	rest.first, rest.next = s.settled(), s.next
	for n := rest.first; n < rest.next; n++ {
		if s.isAcked(n) {
			rest.ack(n)
			s.ackedNum--
		}
	}
	rest.unsettled, rest.unsettledBytes, rest.last = s.unsettled, s.unsettledBytes, s.last
	rest.resolved, rest.offset = s.resolved, s.offset
	s.next, s.unsettled, s.unsettledBytes = rest.first, nil, 0
	s.head, rest.head = false, s.head
	b.segments = append(b.segments, rest)
	if s == c.head {
		c.head = rest
	}
}

// rotate settles everything and closes the head, so that the next batch begins a new
// segment.
func (b *Buffer) rotate() error {
	if err := b.settle(); err != nil {
		return err
	}
	b.closeHead()
	b.tidy()
	return nil
}

// closeHead lets the next batch begin a new segment. What is unsettled stays so.
func (b *Buffer) closeHead() {
	head := b.commit.head
	if head == nil {
		return
	}
	b.mu.Lock()
	split := head.path != "" && len(head.unsettled) > 0
	b.mu.Unlock()
	if split {
		b.splitUnsettled(head)
		head = b.commit.head
	}
	b.seal(head)
	b.commit.head = nil
	b.reading.Lock()
	defer b.reading.Unlock()
	head.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	head.head = false
	if head.path == "" {
		return
	}
	sealed := filepath.Join(b.cfg.Dir, head.fileName())
	if err := os.Rename(head.path, sealed); err != nil {
		b.log.Warn("cannot give a segment its last name", "segment", head.path, "error", err)
		return
	}
	head.path = sealed
}

// seal commits once more, so that both of bbolt's first pages lead to everything: with one
// of them damaged the last commit would be lost without a trace.
func (b *Buffer) seal(s *segment) {
	if s.db == nil {
		return
	}
	b.mu.Lock()
	st := s.state(b.mark)
	b.mu.Unlock()
	spent, err := write(s.db, nil, nil, st)
	b.commit.spent(spent)
	if err != nil {
		b.log.Warn("cannot seal a segment", "segment", s.path, "error", err)
	}
}

// finish settles what can be settled, notes what was acknowledged and closes everything.
// What is left in the journal is safe there. There is no committer any more.
func (b *Buffer) finish() error {
	c := &b.commit
	if err := b.rotate(); err != nil {
		b.log.Warn("cannot settle what is in the journal; the next start will", "error", err)
	}
	m := b.currentMark()
	if rec := (commit{mark: m}); m != c.saved && c.journal.fits(rec.size()) {
		spent, err := c.journal.append(&rec)
		c.spent(spent)
		if err != nil {
			b.log.Warn("cannot note what was acknowledged; it will be sent again", "error", err)
		}
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	b.shut = true
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.segments {
		s.close()
	}
	if err := c.journal.close(); err != nil {
		return fmt.Errorf("close buffer: %w", err)
	}
	return nil
}
