package buffer

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	quarantineDir = "quarantine"
	// quarantineKeep is how many damaged segments are kept as evidence.
	quarantineKeep = 8
)

// recover reads what the folder holds and moves damaged segments aside. Old segments are
// never written to: bbolt would have to read one whole before. What only the journal
// holds stays there, as segments without a file.
func (b *Buffer) recover() error {
	if err := os.MkdirAll(b.cfg.Dir, 0o750); err != nil {
		return err
	}
	journal, commits, err := openJournal(b.cfg.Dir)
	if err != nil {
		return err
	}
	b.commit.journal = journal
	b.openLedger()
	found, err := b.loadSegments()
	if err == nil {
		b.adopt(found, commits)
		b.applyMarks(found.marks)
		b.loseDamaged(found)
		err = b.loadClock()
	}
	if err != nil {
		for _, s := range b.segments {
			s.close()
		}
		return errors.Join(err, journal.close())
	}
	if err := b.settle(false); err != nil {
		b.log.Error("cannot settle what is in the journal; it stays there", "error", err)
	}
	b.keepReserve()
	return nil
}

// A find is what recovery learns beside the segments that are sound.
type find struct {
	marks []mark
	// damaged are the segments in quarantine, of which the name is all there is.
	damaged []damagedSegment
	// goOn has the number after the last batch that was found, by ordinal.
	goOn map[uint64]uint64
	// missing are batches that the journal had and has no more.
	missing []traffic.Gap
}

// A damagedSegment is what the name of one says; next is 0 where it does not.
type damagedSegment struct {
	header
	next uint64
}

// loadSegments reads what the segments of the folder say about themselves.
func (b *Buffer) loadSegments() (*find, error) {
	f := &find{goOn: map[uint64]uint64{}}
	files, err := b.listSegments()
	if err != nil {
		return nil, err
	}
	for _, s := range b.superseded(files) {
		named := damagedSegment{s.header, s.next}
		m, err := s.load()
		s.close()
		b.commit.ordinal = max(b.commit.ordinal, named.ordinal)
		switch {
		case errors.Is(err, errDamaged):
			s.header = named.header
			b.quarantine(s, err)
			f.damaged = append(f.damaged, named)
			f.goOn[named.ordinal] = named.first
		case err != nil:
			return nil, err
		default:
			f.marks = append(f.marks, m)
			f.goOn[s.ordinal] = s.next
			b.segments = append(b.segments, s)
			b.bytes += s.bytes
		}
	}
	return f, nil
}

// listSegments returns the segment files in order, and removes what a crash left of a
// file that was being created.
func (b *Buffer) listSegments() ([]*segment, error) {
	files, err := os.ReadDir(b.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var found []*segment
	for _, f := range files {
		path := filepath.Join(b.cfg.Dir, f.Name())
		if strings.HasSuffix(f.Name(), tmpSuffix) {
			_ = os.Remove(path) // it is in nobody's way
		}
		if s := (&segment{path: path}); f.Type().IsRegular() && s.parseName(f.Name()) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *segment) int {
		if a.ordinal < b.ordinal || a.ordinal == b.ordinal && a.kind > b.kind {
			return -1
		}
		return 1
	})
	return found, nil
}

// adopt makes segments of those batches of the journal that no file holds.
func (b *Buffer) adopt(f *find, commits []commit) {
	slices.SortStableFunc(commits, func(x, y commit) int { return cmp.Compare(x.firstSeq(), y.firstSeq()) })
	slices.SortStableFunc(commits, func(x, y commit) int { return cmp.Compare(x.segment.ordinal, y.segment.ordinal) })
	for _, c := range commits {
		f.marks = append(f.marks, c.mark)
		if c.round <= b.commit.journal.done && !f.isDamaged(c.segment.ordinal) {
			continue // it was settled, or acknowledged
		}
		for _, e := range c.entries {
			if b.holder(c.segment.epoch, e.key.seq) == nil {
				b.adoptBatch(f, c.segment, e)
			}
			f.goOn[c.segment.ordinal] = max(f.goOn[c.segment.ordinal], e.key.seq+1)
		}
	}
}

func (c *commit) firstSeq() uint64 {
	if len(c.entries) == 0 {
		return 0
	}
	return c.entries[0].key.seq
}

func (f *find) isDamaged(ordinal uint64) bool {
	return slices.ContainsFunc(f.damaged, func(h damagedSegment) bool { return h.ordinal == ordinal })
}

// adoptBatch adds a batch to the segment that was begun for the one before it, or begins
// one. meant is the segment that it was written for.
func (b *Buffer) adoptBatch(f *find, meant header, e entry) {
	next, known := f.goOn[meant.ordinal]
	if !known {
		next = meant.first
	}
	if e.key.seq > next {
		f.missing = append(f.missing, traffic.Gap{Cause: traffic.GapDamaged, Epoch: meant.epoch, FirstSeq: next, LastSeq: e.key.seq - 1})
	}
	var last *segment
	if n := len(b.segments); n > 0 {
		last = b.segments[n-1]
	}
	if last == nil || last.path != "" || last.epoch != meant.epoch || last.next != e.key.seq || last.stamps != meant.stamps {
		b.commit.ordinal = max(b.commit.ordinal, meant.ordinal) + 1
		last = &segment{header: meant}
		last.ordinal, last.first, last.next = b.commit.ordinal, e.key.seq, e.key.seq
		b.segments = append(b.segments, last)
	}
	last.add([]entry{e})
}

// loseDamaged reports what the journal did not make good of damaged segments and of
// itself.
func (b *Buffer) loseDamaged(f *find) {
	for _, h := range f.damaged {
		g := traffic.Gap{Cause: traffic.GapDamaged, Epoch: h.epoch, FirstSeq: h.first, LastSeq: h.first}
		if end, ok := b.startAfter(f, h); ok {
			g.LastSeq = end - 1
		}
		b.loseUnheld(f, g, h.kind)
	}
	for _, g := range f.missing {
		if !slices.ContainsFunc(f.damaged, func(h damagedSegment) bool { return h.epoch == g.Epoch && h.first == g.FirstSeq }) {
			b.loseUnheld(f, g, kindRaw)
		}
	}
}

// startAfter is where a damaged segment's batches end, if its name tells, or where the next
// ones of its epoch begin, if there are any.
func (b *Buffer) startAfter(f *find, h damagedSegment) (first uint64, ok bool) {
	first, ok = h.next, h.next != 0
	note := func(n uint64) {
		if n >= h.first && (!ok || n < first) {
			first, ok = n, true
		}
	}
	for _, s := range b.segments {
		if s.epoch == h.epoch {
			note(s.first)
		}
	}
	for _, d := range f.damaged {
		if d.epoch == h.epoch && d.first > h.first {
			note(d.first)
		}
	}
	return first, ok
}

// loseUnheld reports what is neither there nor was acknowledged.
func (b *Buffer) loseUnheld(f *find, g traffic.Gap, kind kind) {
	for _, m := range f.marks {
		if m.epoch == g.Epoch {
			g.FirstSeq = max(g.FirstSeq, m.seq+1)
		}
	}
	for g.FirstSeq <= g.LastSeq && b.holder(g.Epoch, g.FirstSeq) != nil {
		g.FirstSeq++
	}
	if g.FirstSeq <= g.LastSeq {
		b.lose(g, kind)
	}
}

// applyMarks acknowledges what was acknowledged when the marks were written.
func (b *Buffer) applyMarks(marks []mark) {
	for _, m := range marks {
		for _, s := range b.segments {
			for n := s.first; s.epoch == m.epoch && n < s.next && n <= m.seq; n++ {
				s.ack(n)
			}
		}
	}
	b.advanceMark()
}

// loadClock applies what was learnt of earlier boots, and what can be concluded now.
func (b *Buffer) loadClock() error {
	b.clock.Lock()
	defer b.clock.Unlock()
	known, err := b.loadBoots()
	if err != nil {
		return err
	}
	return b.learn(known)
}

func newEpoch() uint64 {
	for {
		if e := rand.Uint64(); e != 0 {
			return e
		}
	}
}

// quarantine moves a damaged segment aside and reports it.
func (b *Buffer) quarantine(s *segment, cause error) {
	b.met.damaged.Inc()
	to := filepath.Join(b.cfg.Dir, quarantineDir, filepath.Base(s.path))
	err := os.MkdirAll(filepath.Dir(to), 0o750)
	if err == nil {
		err = os.Rename(s.path, to)
	}
	if err != nil {
		b.log.Error("cannot move a damaged segment aside", "segment", s.path, "cause", cause, "error", err)
		return
	}
	b.log.Error("moved a damaged segment aside; batches in it may be lost", "segment", to, "cause", cause)
	b.pruneQuarantine()
}

// pruneQuarantine removes the oldest evidence beyond quarantineKeep.
func (b *Buffer) pruneQuarantine() {
	dir := filepath.Join(b.cfg.Dir, quarantineDir)
	files, err := os.ReadDir(dir) // sorted by name, which is by age
	if err != nil {
		return
	}
	for i := 0; i < len(files)-quarantineKeep; i++ {
		if err := os.Remove(filepath.Join(dir, files[i].Name())); err != nil {
			b.log.Warn("cannot remove an old damaged segment", "error", fmt.Errorf("prune quarantine: %w", err))
		}
	}
}
