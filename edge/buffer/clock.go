package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A BootID names one boot of the machine: Linux has it in
// /proc/sys/kernel/random/boot_id.
type BootID [16]byte

// boots has, for each boot whose stamps are in the buffer and known, how much later than
// 1970 it began. What was learnt once stays: a batch that is sent again has the same
// times.
type boots map[BootID]time.Duration

const (
	bootsName  = "clock"
	bootsMagic = "CFB1"
	bootBytes  = 16 + 8
	// datingBytes is what a batch may grow by when its stamps become times.
	datingBytes = 64
)

// isStamp tells a stamp, a duration since boot added to 1970, from a time. Both sides of
// a range without readings are neither.
func isStamp(t time.Time) bool { return !t.IsZero() && t.Before(traffic.Earliest) }

// Resolve says that a boot began at offset after 1970-01-01 UTC: what time a stamp of
// that boot means. Its batches can be sent from now on, with corrected times and flagged
// traffic.QualityClock, and so can those of earlier boots: for a boot that never learnt
// the time they are dated so that they end just before the next known time. What is
// known of a boot is kept on disk and never changes; Resolve then does nothing. The
// error is that of the disk, or says that the offset cannot be right.
func (b *Buffer) Resolve(boot BootID, offset time.Duration) error {
	offset = offset.Truncate(traffic.Resolution)
	if began := time.Unix(0, 0).Add(offset); began.Before(traffic.Earliest) {
		return fmt.Errorf("resolve boot %x: began at %s: want %s or later", boot, began.UTC().Format(time.RFC3339), traffic.Earliest.Format(time.RFC3339))
	}
	b.clock.Lock()
	defer b.clock.Unlock()
	known := maps.Clone(b.knownBoots())
	if _, ok := known[boot]; ok {
		return nil
	}
	known[boot] = offset
	if err := b.learn(known); err != nil {
		return fmt.Errorf("resolve boot %x: %w", boot, err)
	}
	return nil
}

func (b *Buffer) knownBoots() boots {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.boots
}

// learn adds what can be concluded to what is known, keeps it on disk, and applies it. The
// caller holds clock.
func (b *Buffer) learn(known boots) error {
	b.mu.Lock()
	infer(known, b.segments, b.cfg.BootID, b.knownNow(known))
	used := boots{}
	for boot, offset := range known {
		if boot == b.cfg.BootID || mentioned(boot, b.segments) {
			used[boot] = offset
		}
	}
	before := b.boots
	b.mu.Unlock()
	if !maps.Equal(before, used) {
		if err := b.replaceFile(filepath.Join(b.cfg.Dir, bootsName), used.encode()); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.boots = used
	for _, s := range b.segments {
		s.resolve(used)
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// resolve takes over what is known of the boot whose stamps the segment has. The caller
// holds the buffer's mu.
func (s *segment) resolve(known boots) {
	if offset, ok := known[s.boot]; ok && s.stamps {
		s.resolved, s.offset = true, offset
	}
}

// knownNow is a time that is later than all earlier boots, zero while none is known.
func (b *Buffer) knownNow(known boots) time.Time {
	if offset, ok := known[b.cfg.BootID]; ok {
		return time.Unix(0, 0).Add(offset)
	}
	if b.cfg.ClockUnknown {
		return time.Time{}
	}
	return b.now()
}

func mentioned(boot BootID, segments []*segment) bool {
	for _, s := range segments {
		if s.stamps && s.boot == boot {
			return true
		}
	}
	return false
}

// infer dates the boots that ended without knowing the time, newest first. The current one
// is not among them: it will know.
func infer(known boots, segments []*segment, current BootID, now time.Time) {
	limit := now // something known that is later than the segments before it
	for i := len(segments) - 1; i >= 0; i-- {
		s := segments[i]
		if !s.stamps {
			limit = s.created
			continue
		}
		if _, ok := known[s.boot]; !ok && s.boot != current && !limit.IsZero() {
			known[s.boot] = limit.Sub(s.lastStamp()).Truncate(traffic.Resolution) - traffic.Resolution
		}
		offset, ok := known[s.boot]
		if limit = (time.Time{}); ok {
			limit = time.Unix(0, 0).Add(offset)
		}
	}
}

// lastStamp is the boot's own beginning for a segment without any stamp.
func (s *segment) lastStamp() time.Time {
	if isStamp(s.last) {
		return s.last
	}
	return time.Unix(0, 0)
}

// loadBoots reads what was learnt before. A file that is damaged is as good as none: what
// was learnt is learnt again.
func (b *Buffer) loadBoots() (boots, error) {
	content, err := os.ReadFile(filepath.Join(b.cfg.Dir, bootsName))
	if errors.Is(err, fs.ErrNotExist) {
		return boots{}, nil
	}
	if err != nil {
		return nil, err
	}
	known, ok := parseBoots(content)
	if !ok {
		b.log.Error("what was known of earlier boots' clocks is damaged", "file", bootsName)
	}
	return known, nil
}

func (s boots) encode() []byte {
	b := []byte(bootsMagic)
	for boot, offset := range s {
		b = append(b, boot[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(offset))
	}
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func parseBoots(b []byte) (boots, bool) {
	n := len(b) - len(bootsMagic) - 4
	if n < 0 || n%bootBytes != 0 || string(b[:len(bootsMagic)]) != bootsMagic ||
		checksum(b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return boots{}, false
	}
	s := boots{}
	for b = b[len(bootsMagic) : len(b)-4]; len(b) > 0; b = b[bootBytes:] {
		s[BootID(b[:16])] = time.Duration(binary.BigEndian.Uint64(b[16:]))
	}
	return s, true
}

// turnClock begins a new segment when the clock became known, so that a segment either has
// stamps or has none.
func (b *Buffer) turnClock() {
	c := &b.commit
	_, known := b.knownBoots()[b.cfg.BootID]
	c.undated = b.cfg.ClockUnknown && !known
	if c.head != nil && c.head.stamps != c.undated {
		b.closeHead()
	}
}

// dateReadings flags stamps while the clock is unknown, and corrects those that come late.
func (b *Buffer) dateReadings(rs []traffic.Reading) error {
	offset, known := b.knownBoots()[b.cfg.BootID]
	for i := range rs {
		if !isStamp(rs[i].At) {
			continue
		}
		rs[i].Quality |= traffic.QualityClock
		switch {
		case b.commit.undated:
		case known:
			rs[i].At = rs[i].At.Add(offset)
		default:
			return fmt.Errorf("reading of sensor %q has the stamp %s, and the clock is known", rs[i].Sensor, rs[i].At.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// dated returns a batch with times in place of stamps. The same batch and offset give the
// same bytes.
func dated(e entry, offset time.Duration) (entry, error) {
	batch, err := wire.DecodeBatch(e.value)
	if err != nil {
		return e, err
	}
	date := func(t *time.Time) {
		if isStamp(*t) {
			*t = t.Add(offset)
		}
	}
	for i := range batch.Readings {
		if isStamp(batch.Readings[i].At) {
			batch.Readings[i].Quality |= traffic.QualityClock
		}
		date(&batch.Readings[i].At)
	}
	for i := range batch.Rejected {
		date(&batch.Rejected[i].At)
	}
	for i := range batch.Gaps {
		date(&batch.Gaps[i].From)
		date(&batch.Gaps[i].To)
		date(&batch.Gaps[i].Noticed)
	}
	e.value, err = wire.EncodeBatch(batch)
	e.key = e.key.dated(offset)
	return e, err
}

// dated returns a key with times in place of stamps.
func (k key) dated(offset time.Duration) key {
	for _, t := range []*time.Time{&k.at, &k.from, &k.to} {
		if isStamp(*t) {
			*t = t.Add(offset)
		}
	}
	return k
}
