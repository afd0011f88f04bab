package buffer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// segmentFormat is the version of the segment files that are written.
const segmentFormat = 2

// A kind is what a segment holds. It is written to disk, and it decides what goes first
// when space is short.
type kind byte

const (
	kindRaw kind = iota
	// kindAverages are 5-minute averages of a raw segment.
	kindAverages
)

func (k kind) String() string {
	if k == kindAverages {
		return "averages"
	}
	return "raw"
}

// A header is what does not change about a segment.
type header struct {
	// ordinal counts the segments of the folder and orders them.
	ordinal uint64
	kind    kind
	epoch   uint64
	// first is the number of the first batch.
	first   uint64
	created time.Time
	// stamps says that the clock was unknown: times before traffic.Earliest are
	// durations since the machine's boot.
	stamps bool
	boot   BootID
}

const (
	headerBytes = 55
	flagStamps  = 1
)

func (h *header) encode() []byte {
	flags := byte(0)
	if h.stamps {
		flags = flagStamps
	}
	b := make([]byte, 0, headerBytes)
	b = append(b, segmentFormat, byte(h.kind), flags)
	b = binary.BigEndian.AppendUint64(b, h.ordinal)
	b = binary.BigEndian.AppendUint64(b, h.epoch)
	b = binary.BigEndian.AppendUint64(b, h.first)
	b = binary.BigEndian.AppendUint64(b, uint64(h.created.UnixMicro()))
	b = append(b, h.boot[:]...)
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

// parse is the inverse of encode.
func (h *header) parse(b []byte) error {
	if len(b) < 5 || checksum(b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return fmt.Errorf("%w: header % x", errDamaged, b)
	}
	if b[0] != segmentFormat || len(b) != headerBytes || b[1] > byte(kindAverages) {
		return fmt.Errorf("format %d: this program reads %d: another version wrote it; use that, or another folder", b[0], segmentFormat)
	}
	h.kind, h.stamps = kind(b[1]), b[2]&flagStamps != 0
	h.ordinal = binary.BigEndian.Uint64(b[3:])
	h.epoch = binary.BigEndian.Uint64(b[11:])
	h.first = binary.BigEndian.Uint64(b[19:])
	h.created = time.UnixMicro(int64(binary.BigEndian.Uint64(b[27:])))
	copy(h.boot[:], b[35:])
	return nil
}

// The names of segment files say enough to report what was in one that is destroyed.
const (
	rawSuffix      = ".seg"
	averagesSuffix = ".avg"
)

// fileName also says the last batch of a segment that will get no more.
func (s *segment) fileName() string {
	suffix := rawSuffix
	if s.kind == kindAverages {
		suffix = averagesSuffix
	}
	last := ""
	if !s.head {
		last = fmt.Sprintf("-%010d", s.next-1)
	}
	return fmt.Sprintf("%010d-%016x-%010d%s%s", s.ordinal, s.epoch, s.first, last, suffix)
}

// parseName reads a file name; false when it is not a segment's. next is 0 where the
// name does not say.
func (s *segment) parseName(name string) bool {
	ext := filepath.Ext(name)
	parts := strings.Split(strings.TrimSuffix(name, ext), "-")
	if len(parts) < 3 || len(parts) > 4 || ext != rawSuffix && ext != averagesSuffix {
		return false
	}
	var errs [4]error
	s.ordinal, errs[0] = strconv.ParseUint(parts[0], 10, 64)
	s.epoch, errs[1] = strconv.ParseUint(parts[1], 16, 64)
	s.first, errs[2] = strconv.ParseUint(parts[2], 10, 64)
	if len(parts) == 4 {
		s.next, errs[3] = strconv.ParseUint(parts[3], 10, 64)
		s.next++
	}
	if ext == averagesSuffix {
		s.kind = kindAverages
	}
	return errors.Join(errs[:]...) == nil
}

// A mark says that all batches of an epoch up to a number were acknowledged.
type mark struct{ epoch, seq uint64 }

const markBytes = 16

func (m mark) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, m.epoch), m.seq)
}

func parseMark(v []byte) mark {
	return mark{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])}
}

// A state is what a segment file says about its end, so that a page that is lost cannot
// pass for one that never was.
type state struct {
	mark mark
	// next is the number after the last batch in the file.
	next uint64
	// last is the latest time of a reading in the last batch.
	last time.Time
}

const stateBytes = markBytes + 8 + 8 + 4

func (s state) encode() []byte {
	b := s.mark.encode()
	b = binary.BigEndian.AppendUint64(b, s.next)
	b = binary.BigEndian.AppendUint64(b, uint64(s.last.UnixMicro()))
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func parseState(b []byte) (state, bool) {
	if len(b) != stateBytes || checksum(b[:stateBytes-4]) != binary.BigEndian.Uint32(b[stateBytes-4:]) {
		return state{}, false
	}
	return state{
		mark: parseMark(b), next: binary.BigEndian.Uint64(b[markBytes:]),
		last: time.UnixMicro(int64(binary.BigEndian.Uint64(b[markBytes+8:]))).UTC(),
	}, true
}

// An entry is one batch as it is stored.
type entry struct {
	key   key
	value []byte
	// gone says that the batch was acknowledged before it was written to the file,
	// which only has its key.
	gone bool
}

// A key names one batch, and says what can be known without decoding it.
type key struct {
	seq uint64
	// at is when the batch was written.
	at       time.Time
	readings uint32
	// sum is the CRC-32C of the value.
	sum uint32
	// from and to are the earliest and the latest time of its readings, zero without
	// any. In a segment of stamps they are stamps, too.
	from, to time.Time
}

const keyBytes = 40

func (k key) encode() []byte {
	b := make([]byte, 0, keyBytes)
	b = binary.BigEndian.AppendUint64(b, k.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(k.at.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, k.readings)
	b = binary.BigEndian.AppendUint32(b, k.sum)
	b = binary.BigEndian.AppendUint64(b, uint64(k.from.UnixMicro()))
	return binary.BigEndian.AppendUint64(b, uint64(k.to.UnixMicro()))
}

func parseKey(b []byte) (k key, ok bool) {
	if len(b) != keyBytes {
		return k, false
	}
	at := func(i int) time.Time { return time.UnixMicro(int64(binary.BigEndian.Uint64(b[i:]))).UTC() }
	return key{
		seq: binary.BigEndian.Uint64(b), at: at(8),
		readings: binary.BigEndian.Uint32(b[16:]), sum: binary.BigEndian.Uint32(b[20:]),
		from: at(24), to: at(32),
	}, true
}

func seekKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// castagnoli is a table that the standard library keeps; it is never written.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(v []byte) uint32 { return crc32.Checksum(v, castagnoli) }
