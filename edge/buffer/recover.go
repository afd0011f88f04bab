package buffer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	marks, err := b.loadSegments()
	if err == nil {
		journal.end = b.adopt(commits)
		for _, c := range commits {
			marks = append(marks, c.mark)
		}
		b.applyMarks(marks)
		err = b.loadClock()
	}
	if err != nil {
		for _, s := range b.segments {
			s.close()
		}
		return errors.Join(err, journal.close())
	}
	if err := b.settle(); err != nil {
		b.log.Error("cannot settle what is in the journal; it stays there", "error", err)
	}
	return nil
}

// loadSegments lists the segments of the folder, and returns their marks.
func (b *Buffer) loadSegments() (marks []mark, err error) {
	found, err := b.listSegments()
	if err != nil {
		return nil, err
	}
	for _, s := range found {
		named := s.header
		m, err := s.load()
		s.close()
		b.commit.ordinal = max(b.commit.ordinal, named.ordinal)
		switch {
		case errors.Is(err, errDamaged):
			s.header = named
			b.quarantine(s, err)
		case err != nil:
			return nil, err
		default:
			marks = append(marks, m)
			b.segments = append(b.segments, s)
			b.bytes += s.bytes
		}
	}
	return marks, nil
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

// adopt makes segments of those batches of the journal that no file holds, and returns
// where the last of them ends.
func (b *Buffer) adopt(commits []commit) (end int64) {
	slices.SortStableFunc(commits, func(x, y commit) int {
		switch {
		case x.segment.ordinal != y.segment.ordinal:
			return int(x.segment.ordinal) - int(y.segment.ordinal)
		case len(x.entries) == 0 || len(y.entries) == 0:
			return len(x.entries) - len(y.entries)
		case x.entries[0].key.seq < y.entries[0].key.seq:
			return -1
		}
		return 1
	})
	var last *segment
	var from uint64 // the segment that last's batches were meant for
	for _, c := range commits {
		for _, e := range c.entries {
			if b.holder(c.segment.epoch, e.key.seq) != nil {
				continue
			}
			if last == nil || from != c.segment.ordinal || last.next != e.key.seq {
				from = c.segment.ordinal
				b.commit.ordinal = max(b.commit.ordinal, from) + 1
				last = &segment{header: c.segment}
				last.ordinal, last.first, last.next = b.commit.ordinal, e.key.seq, e.key.seq
				b.segments = append(b.segments, last)
			}
			last.add([]entry{e})
			end = max(end, c.end)
		}
	}
	return end
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
