package score

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// What a Scorer has learned, as bytes: magic, number of roads, for each its name and two
// quantiles, CRC-32C. Numbers are varints, heights IEEE 754 in little-endian order.
const (
	memoryMagic = "CFS1"
	sumBytes    = 4
	// leastRoadBytes is what a road takes at least.
	leastRoadBytes = 1 + 2*(1+5*8+5)
)

var errMemory = errors.New("not what a scorer wrote, or damaged")

// MarshalBinary returns what was learned, about 120 bytes for each road.
func (s *Scorer) MarshalBinary() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, 0, len(memoryMagic)+128*len(s.roads))
	b = append(b, memoryMagic...)
	b = binary.AppendUvarint(b, uint64(len(s.roads)))
	for _, road := range slices.Sorted(maps.Keys(s.roads)) {
		b = binary.AppendUvarint(b, uint64(len(road)))
		b = append(b, road...)
		b = s.roads[road].speed.append(b)
		b = s.roads[road].flow.append(b)
	}
	return binary.LittleEndian.AppendUint32(b, sum(b)), nil
}

// UnmarshalBinary takes what MarshalBinary returned in place of what was learned so far.
// Of more roads than the scorer may learn the first are kept. After an error nothing has
// changed.
func (s *Scorer) UnmarshalBinary(b []byte) error {
	if len(b) < len(memoryMagic)+sumBytes || string(b[:len(memoryMagic)]) != memoryMagic ||
		binary.LittleEndian.Uint32(b[len(b)-sumBytes:]) != sum(b[:len(b)-sumBytes]) {
		return fmt.Errorf("read scorer: %w", errMemory)
	}
	r := reader{rest: b[len(memoryMagic) : len(b)-sumBytes]}
	n := r.uvarint()
	if n > uint64(len(r.rest)/leastRoadBytes) {
		return fmt.Errorf("read scorer: %d roads: %w", n, errMemory)
	}
	roads := make(map[traffic.RoadID]*Learner, min(n, uint64(s.maxRoads)))
	for range n {
		road := traffic.RoadID(r.bytes(r.uvarint()))
		l := NewLearner(Prior(""))
		l.speed, l.flow = r.quantile(), r.quantile()
		if len(roads) < s.maxRoads {
			roads[road] = &l
		}
	}
	if r.bad || len(r.rest) > 0 {
		return fmt.Errorf("read scorer: %w", errMemory)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roads = roads
	return nil
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func (q *quantile) append(b []byte) []byte {
	b = binary.AppendVarint(b, q.n)
	for _, h := range q.height {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(h))
	}
	for _, p := range q.pos {
		b = binary.AppendVarint(b, p)
	}
	return b
}

// A reader takes bytes apart; bad says that there were too few.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.bytes(uint64(max(n, 0)))
	r.bad = r.bad || n <= 0
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.bytes(uint64(max(n, 0)))
	r.bad = r.bad || n <= 0
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// quantile reads what append wrote. Markers out of place would make observe divide by zero.
func (r *reader) quantile() (q quantile) {
	q.n = r.varint()
	for i := range q.height {
		if b := r.bytes(8); b != nil {
			q.height[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
	}
	for i := range q.pos {
		q.pos[i] = r.varint()
		r.bad = r.bad || q.n >= 5 && i > 0 && q.pos[i] <= q.pos[i-1]
	}
	r.bad = r.bad || q.n < 0
	return q
}
