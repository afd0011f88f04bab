package buffer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// A settlement is the work of bringing into segment files what only the journal holds. It
// has a goroutine of its own, so that commits go on in the other half of the journal.
type settlement struct {
	jobs []settling
	// round is the last of the journal that has something of it, and mark what was
	// acknowledged when it began.
	round uint64
	mark  mark
	// result gets one error; failed is the segment that could not be written.
	result chan error
	failed *segment
}

// settling is what one settlement has to do for one segment.
type settling struct {
	segment *segment
	// path is where its file is or will be.
	path    string
	entries []entry
	bytes   int64
	state   state
	// last says that nothing will be added to the segment.
	last bool
}

// settle moves what only the journal holds into segment files and waits for it; closing
// closes the head as well. Of a batch that is acknowledged by now only the key is written:
// while the uplink works a reading is written once. After an error everything still is in
// the journal.
func (b *Buffer) settle(closing bool) error {
	b.finishSettling()
	err := b.settleOnce(closing)
	if err != nil && b.diskFull(err) {
		err = b.settleOnce(closing)
	}
	return err
}

// settleOnce is settle without a second try. No settlement is under way.
func (b *Buffer) settleOnce(closing bool) error {
	var last *segment
	if closing {
		last = b.commit.head
	}
	b.beginSettling(last)
	return b.awaitSettling()
}

// makeRoom lets the journal go on in its other half, and what was written to this one be
// settled meanwhile. It waits where the other half is not settled yet, and fails where
// that cannot be done.
func (b *Buffer) makeRoom() error {
	b.finishSettling()
	if b.commit.journal.mayTurn() {
		b.beginSettling(nil)
		return nil
	}
	return b.settle(false)
}

// beginSettling starts to settle everything that is not. last, the head or nil, gets no more
// batches.
func (b *Buffer) beginSettling(last *segment) {
	c := &b.commit
	st := &settlement{round: c.journal.round, result: make(chan error, 1)}
	b.mu.Lock()
	st.mark = b.mark
	for _, s := range b.segments {
		if len(s.unsettled) > 0 || s == last {
			st.jobs = b.plan(st.jobs, s, s == last)
		}
	}
	b.mu.Unlock()
	if c.head != nil && !c.head.head {
		c.head = nil
	}
	if c.journal.mayTurn() {
		c.journal.turn()
	}
	c.settling = st
	go func() { st.result <- b.carryOut(st) }()
}

// plan appends what is to be written of a segment; nothing where all of it is acknowledged:
// then the segment is given up. The caller holds mu.
func (b *Buffer) plan(jobs []settling, s *segment, last bool) []settling {
	if s.unacked() == 0 {
		s.unsettled, s.unsettledBytes, s.head = nil, 0, false
		return jobs
	}
	if last {
		s.head = false
	}
	j := settling{
		segment: s, path: s.path, entries: slices.Clone(s.unsettled), bytes: s.unsettledBytes,
		state: s.state(b.mark), last: !s.head,
	}
	if j.path == "" {
		j.path = filepath.Join(b.cfg.Dir, s.fileName())
	}
	for i := range j.entries {
		if s.isAcked(j.entries[i].key.seq) {
			j.entries[i].value = nil
		}
	}
	s.settling = true
	return append(jobs, j)
}

// awaitSettling waits for the settlement under way, if there is one.
func (b *Buffer) awaitSettling() error {
	if b.commit.settling == nil {
		return nil
	}
	return b.settled(<-b.commit.settling.result)
}

// finishSettling is awaitSettling for who goes on in any case.
func (b *Buffer) finishSettling() {
	if err := b.awaitSettling(); err != nil {
		b.cannotSettle(err)
	}
}

// lookAtSettlement takes note of a settlement that has ended.
func (b *Buffer) lookAtSettlement() {
	if st := b.commit.settling; st != nil && len(st.result) > 0 {
		b.finishSettling()
	}
}

// settled draws the conclusions of a settlement that has ended.
func (b *Buffer) settled(err error) error {
	c := &b.commit
	st := c.settling
	c.settling = nil
	if err != nil {
		b.splitUnsettled(st.failed)
		return err
	}
	c.journal.done = max(c.journal.done, st.round)
	if c.journal.round == st.round { // the other half was not free when it began
		c.journal.turn()
	}
	if len(st.jobs) > 0 {
		c.saved = st.mark
	}
	return nil
}

// carryOut does the work of a settlement, in its own goroutine.
func (b *Buffer) carryOut(st *settlement) error {
	for i := range st.jobs {
		if err := b.settleSegment(&st.jobs[i]); err != nil {
			st.failed = st.jobs[i].segment
			b.mu.Lock()
			for _, j := range st.jobs[i:] {
				j.segment.settling = false
			}
			b.mu.Unlock()
			return fmt.Errorf("write to disk: %w", err)
		}
	}
	b.tidy()
	b.evict()
	b.lookAfterSpace()
	return nil
}

// tidy is retire for who does not hold reading.
func (b *Buffer) tidy() {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.retire()
}

func (b *Buffer) settleSegment(j *settling) error {
	s := j.segment
	db, spent, err := b.writeSegment(j)
	b.commit.spent(spent)
	if err != nil {
		return err
	}
	if j.last {
		b.seal(db, j.state)
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	s.db, s.path, s.settling = db, j.path, false
	if j.last {
		s.close()
		b.nameForGood(s)
	}
	s.unsettled, s.unsettledBytes = slices.Clone(s.unsettled[len(j.entries):]), s.unsettledBytes-j.bytes
	if spent.size > 0 {
		b.bytes += spent.size - s.bytes
		s.bytes = spent.size
	}
	return nil
}

// writeSegment writes batches to the file of a segment, which it creates where there is
// none.
func (b *Buffer) writeSegment(j *settling) (*bolt.DB, cost, error) {
	s := j.segment
	if s.path == "" {
		return s.create(j.path, b.cfg.SegmentBytes, j.entries, j.state)
	}
	if len(j.entries) == 0 {
		return s.db, cost{}, nil
	}
	spent, err := write(s.db, nil, j.entries, j.state)
	return s.db, spent, err
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

// closeHead lets the next batch begin a new segment. What is unsettled stays so.
func (b *Buffer) closeHead() {
	b.finishSettling()
	head := b.commit.head
	if head == nil {
		return
	}
	b.mu.Lock()
	split := head.path != "" && len(head.unsettled) > 0
	st := head.state(b.mark)
	b.mu.Unlock()
	if split {
		b.splitUnsettled(head)
		head = b.commit.head
	} else if head.db != nil {
		b.seal(head.db, st)
	}
	b.commit.head = nil
	b.reading.Lock()
	defer b.reading.Unlock()
	head.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	head.head = false
	b.nameForGood(head)
}

// nameForGood gives a segment that gets no more batches the name that says so. The caller
// holds mu.
func (b *Buffer) nameForGood(s *segment) {
	if s.path == "" {
		return
	}
	name := filepath.Join(b.cfg.Dir, s.fileName())
	if name == s.path {
		return
	}
	if err := os.Rename(s.path, name); err != nil {
		b.log.Warn("cannot give a segment its last name", "segment", s.path, "error", err)
		return
	}
	s.path = name
}

// seal commits once more, so that both of bbolt's first pages lead to everything: with one
// of them damaged the last commit would be lost without a trace.
func (b *Buffer) seal(db *bolt.DB, st state) {
	spent, err := write(db, nil, nil, st)
	b.commit.spent(spent)
	if err != nil {
		b.log.Warn("cannot seal a segment", "segment", db.Path(), "error", err)
	}
}

// finish settles what can be settled, notes what was acknowledged and closes everything.
// What is left in the journal is safe there. There is no committer any more.
func (b *Buffer) finish() error {
	c := &b.commit
	if err := b.settle(true); err != nil {
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
