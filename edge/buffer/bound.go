package buffer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// WhenFull says what happens to readings when the buffer is nearly full.
type WhenFull string

const (
	// Thin replaces the oldest raw readings by 5-minute averages per sensor, and when
	// that is not enough drops what is oldest, raw readings before averages.
	Thin WhenFull = "thin"
	// Refuse keeps everything and refuses new readings with ErrFull.
	Refuse WhenFull = "refuse"
)

// The buffer is thinned from thinShare of its bound on, but leaves room for the segment
// that is being written; and it drops segments when less than one has room.
const (
	thinShare = 0.8
	// pinFor is how long a segment is left alone after a batch of it was handed out:
	// the batch may be in the store by now, without an acknowledgement.
	pinFor = time.Minute
	// keepPause is how long to wait before looking again at segments that were
	// left alone.
	keepPause = 10 * time.Second
)

func (c *Config) evictAt() int64 { return c.MaxBytes - c.SegmentBytes }

func (c *Config) thinAt() int64 {
	share := c.overhead() + int64(thinShare*float64(c.MaxBytes-c.overhead()))
	return min(share, c.evictAt()-c.SegmentBytes)
}

// keepLoop makes room in the background until Close.
func (b *Buffer) keepLoop() {
	defer close(b.kept)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b.space:
		case <-timer.C:
		case <-b.committed:
			return
		}
		for b.thinOne() {
		}
		b.evict()
		b.keepReserve()
		if b.isShort() {
			timer.Reset(keepPause)
		}
	}
}

// lookAfterSpace wakes keepLoop.
func (b *Buffer) lookAfterSpace() {
	select {
	case b.space <- struct{}{}:
	default:
	}
}

func (b *Buffer) isShort() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes > b.cfg.thinAt()
}

func (b *Buffer) size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// evict drops segments until there is room for another one.
func (b *Buffer) evict() {
	if b.cfg.WhenFull == Refuse {
		return
	}
	for {
		s := b.victim()
		if s == nil || !b.drop(s) {
			return
		}
	}
}

// victim chooses what to drop, nil for nothing. As long as there is room at all it leaves
// to thinning what can be thinned, and to the uplink what was just read; then raw readings
// go before averages, and older before newer ones.
func (b *Buffer) victim() *segment {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes < b.cfg.evictAt() {
		return nil
	}
	full := b.bytes >= b.cfg.MaxBytes
	var best [3]*segment
	for _, s := range b.segments {
		rank := b.rank(s)
		switch {
		case s.head || s.settling || s.path == "" || len(s.unsettled) > 0:
		case !full && b.thinnable(s):
			return nil
		case best[rank] == nil && (full || rank < rankRead):
			best[rank] = s
		}
	}
	for _, s := range best {
		if s != nil {
			return s
		}
	}
	return nil
}

// The ranks of segments that may be dropped, in the order in which they are.
const (
	rankRaw = iota
	rankAverages
	rankRead
)

// rank says how soon a segment goes. The caller holds mu.
func (b *Buffer) rank(s *segment) int {
	switch {
	case b.wasJustRead(s):
		return rankRead
	case s.kind == kindAverages:
		return rankAverages
	default:
		return rankRaw
	}
}

// wasJustRead reports whether a batch may be on its way. The caller holds mu.
func (b *Buffer) wasJustRead(s *segment) bool { return b.now().Sub(s.readAt) < b.pin }

// drop evicts one segment. It reports false when the segment is still there.
func (b *Buffer) drop(s *segment) bool {
	g := b.survey(s, traffic.GapEvicted)
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	i := slices.Index(b.segments, s)
	if i < 0 {
		b.mu.Unlock()
		return true // delivered meanwhile
	}
	b.segments = slices.Delete(slices.Clone(b.segments), i, i+1)
	b.bytes -= s.bytes
	b.advanceMark()
	b.mu.Unlock()
	if g.FirstSeq <= g.LastSeq {
		b.lose(g, s.kind)
	}
	s.lost = 0 // it is reported, and of no use as evidence
	b.unlink(s)
	return true
}

// survey adds up what is not acknowledged of a closed segment. What cannot be read counts
// as nothing known.
func (b *Buffer) survey(s *segment, cause traffic.GapCause) traffic.Gap {
	b.mu.Lock()
	shadow := s.shadow()
	b.mu.Unlock()
	first := shadow.firstUnacked(shadow.first)
	g := traffic.Gap{Cause: cause, Epoch: s.epoch, FirstSeq: first, LastSeq: shadow.next - 1}
	err := shadow.eachKey(func(k key) {
		if !shadow.isAcked(k.seq) {
			one := shadow.gapOf(k, cause)
			g.Readings += one.Readings
			g.From, g.To = earlier(g.From, one.From), later(g.To, one.To)
		}
	})
	if err != nil {
		b.log.Warn("cannot survey a segment that goes", "segment", s.path, "error", err)
	}
	return g
}

// eachKey opens the segment, reads all keys that can be read, and closes it.
func (s *segment) eachKey(f func(key)) error {
	if err := s.open(); err != nil {
		return err
	}
	defer s.close()
	return guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte(batchBucket)).Cursor()
			for b, _ := c.First(); b != nil; b, _ = c.Next() {
				if k, ok := parseKey(b); ok && s.has(k.seq) {
					f(k)
				}
			}
			return nil
		})
	})
}

// thinnable reports whether averages can take the place of a segment. The caller holds mu.
func (b *Buffer) thinnable(s *segment) bool {
	return s.kind == kindRaw && !s.head && !s.settling && s.path != "" && len(s.unsettled) == 0 && !s.dense && s.sendable() && !b.wasJustRead(s)
}

// thinOne thins the oldest segment that can be thinned while space is short, and reports
// whether to go on.
func (b *Buffer) thinOne() bool {
	s := b.toThin()
	if s == nil {
		return false
	}
	err := b.thin(s)
	if err == nil {
		return true
	}
	again := errors.Is(err, errTouched) || b.diskFull(err)
	b.mu.Lock()
	if s.dense = !again; again {
		s.readAt = b.now() // in a while
	}
	b.mu.Unlock()
	switch {
	case errors.Is(err, errDense):
		b.log.Info("averages would take as much space as the readings: left as they are", "segment", s.path)
	case !errors.Is(err, errTouched):
		b.log.Error("cannot thin a segment", "segment", s.path, "error", err)
	}
	return true
}

func (b *Buffer) toThin() *segment {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cfg.WhenFull == Refuse || b.closed || b.bytes < b.cfg.thinAt() {
		return nil
	}
	i := slices.IndexFunc(b.segments, b.thinnable)
	if i < 0 {
		return nil
	}
	return b.segments[i]
}

// replace puts averages in the place of the readings that they were made from.
func (b *Buffer) replace(s, averages *segment, g traffic.Gap, acked uint64) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.mu.Lock()
	i := slices.Index(b.segments, s)
	if i < 0 || s.ackedNum != acked || b.wasJustRead(s) {
		b.mu.Unlock()
		return errors.Join(errTouched, os.Remove(averages.path))
	}
	b.segments = slices.Clone(b.segments)
	b.segments[i] = averages
	b.bytes += averages.bytes - s.bytes
	b.advanceMark()
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	b.lose(g, kindRaw)
	s.lost = 0
	b.unlink(s)
	return nil
}

var (
	errDense   = errors.New("thinning saves nothing")
	errTouched = errors.New("the segment was read meanwhile")
)

// superseded removes, at a start, the segments that averages have taken the place of, and
// those that were dropped, where a crash came before their files were removed.
func (b *Buffer) superseded(files []*segment) []*segment {
	return slices.DeleteFunc(files, func(s *segment) bool {
		var g traffic.Gap
		switch i := slices.IndexFunc(files, func(o *segment) bool { return o.ordinal == s.ordinal && o.kind == kindAverages }); {
		case s.kind == kindRaw && i >= 0 && files[i].sound():
			probe := &segment{header: s.header, path: s.path}
			if _, err := probe.load(); err != nil {
				return false // it goes to quarantine and is reported there
			}
			probe.close()
			g = b.survey(probe, traffic.GapThinned)
			b.lose(g, s.kind)
		case b.gaps.dropped(s):
		default:
			return false
		}
		if err := os.Remove(s.path); err != nil {
			b.log.Warn("cannot remove a segment that was given up", "error", fmt.Errorf("remove: %w", err))
		}
		return true
	})
}

// sound reports whether the segment's file can be opened.
func (s *segment) sound() bool {
	probe := &segment{header: s.header, path: s.path}
	_, err := probe.load()
	probe.close()
	return err == nil
}
