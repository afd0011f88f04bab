package buffer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	quarantineDir = "quarantine"
	// quarantineKeep is how many damaged segments are kept as evidence.
	quarantineKeep = 8
)

// recover reads what the folder holds, moves damaged segments aside, and begins a new
// head. Old segments are never written to: bbolt would have to read one whole before.
func (b *Buffer) recover() error {
	if err := os.MkdirAll(b.cfg.Dir, 0o750); err != nil {
		return err
	}
	ordinals, err := b.listSegments()
	if err != nil {
		return err
	}
	var newest *segment // the last file, when it can be read
	for _, n := range ordinals {
		s := &segment{ordinal: n, path: segmentPath(b.cfg.Dir, n)}
		b.commit.ordinal = n
		m, err := s.load()
		s.close()
		newest = nil
		switch {
		case errors.Is(err, errDamaged):
			b.quarantine(s, err)
		case err != nil:
			return err
		default:
			newest, b.mark = s, m
			b.segments = append(b.segments, s)
			b.bytes += s.bytes
		}
	}
	b.resume(newest)
	if err := b.ensureHead(); err != nil {
		return err
	}
	b.retire()
	return nil
}

// resume decides how to number on from the newest file. Where that cannot be read the
// numbers after the last known one may have been used, so a new epoch begins.
func (b *Buffer) resume(newest *segment) {
	c := &b.commit
	if newest == nil {
		b.mark = mark{}
		c.epoch, c.seq = newEpoch(), 1
		return
	}
	c.epoch, c.seq = newest.epoch, newest.next
	for _, s := range b.segments {
		if s.epoch != b.mark.epoch {
			continue
		}
		for n := s.first; n < s.next && n <= b.mark.seq; n++ {
			s.ack(n)
		}
	}
}

func newEpoch() uint64 {
	for {
		if e := rand.Uint64(); e != 0 {
			return e
		}
	}
}

// listSegments returns the ordinals of the segment files in order, and removes what a
// crash left of a segment that was being created.
func (b *Buffer) listSegments() ([]uint64, error) {
	files, err := os.ReadDir(b.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var ordinals []uint64
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".seg.tmp") {
			_ = os.Remove(filepath.Join(b.cfg.Dir, f.Name())) // it is in nobody's way
		}
		name, ok := strings.CutSuffix(f.Name(), ".seg")
		if n, err := strconv.ParseUint(name, 10, 64); ok && err == nil && f.Type().IsRegular() {
			ordinals = append(ordinals, n)
		}
	}
	slices.Sort(ordinals)
	return ordinals, nil
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
