package redis

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/2zrhun/city-flow/shared/bus"
)

const (
	// partBytes is the length that a part aims at: far below the buffer limit
	// at which Redis cuts a slow subscriber off.
	partBytes = 256 << 10
	// maxParts bounds what one event may take in memory while it is put together.
	maxParts = 1024
	// maxPublishers bounds how many publishers are remembered per topic.
	maxPublishers = 256
)

// split cuts an event into the messages of its parts, in order; also an empty
// list is one part.
func split(publisher string, seq uint64, name string, items [][]byte) ([][]byte, error) {
	var groups [][][]byte
	for size := 0; len(items) > 0; size = 0 {
		n := 0
		for n < len(items) && (n == 0 || size+len(items[n]) < partBytes) {
			size += len(items[n]) + 1
			n++
		}
		groups = append(groups, items[:n])
		items = items[n:]
	}
	if len(groups) == 0 {
		groups = [][][]byte{nil}
	}
	if len(groups) > maxParts {
		return nil, fmt.Errorf("event of %d parts is too large, want at most %d parts of %d KiB", len(groups), maxParts, partBytes>>10)
	}
	parts := make([][]byte, len(groups))
	for i, g := range groups {
		b := fmt.Appendf(make([]byte, 0, partBytes/4), `{"publisher":%q,"seq":%d,"part":%d,"parts":%d,%q:[`, publisher, seq, i+1, len(groups), name)
		for j, item := range g {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, item...)
		}
		parts[i] = append(b, "]}"...)
	}
	return parts, nil
}

// An assembler puts the parts of one topic's events together again and counts
// the events that are missing.
type assembler struct {
	topic   bus.Topic
	streams map[string]*stream
	// clock orders streams by last use.
	clock uint64
	// broken is set when events of unknown number may have been lost.
	broken bool
}

// A stream is what is known of one publisher.
type stream struct {
	// done is the last event that was given on; known says that there was one.
	done  uint64
	known bool
	used  uint64
	// The event that is being put together has number seq; next is the part
	// that must follow, 0 when nothing is under way.
	seq  uint64
	next int
	part bus.Event
}

func newAssembler(t bus.Topic) *assembler {
	return &assembler{topic: t, streams: make(map[string]*stream)}
}

// add takes one message and returns the event that it completes, if it does.
func (a *assembler) add(payload []byte) (*bus.Event, error) {
	var m message
	if err := json.Unmarshal(payload, &m); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	if m.Publisher == "" || m.Seq == 0 || m.Part < 1 || m.Part > m.Parts || m.Parts > maxParts {
		return nil, errors.New("decode message: publisher, seq, part or parts is absent or out of range")
	}
	s := a.stream(m.Publisher)
	again := m.Seq == s.seq && m.Part < s.next
	if again || s.known && m.Seq <= s.done {
		return nil, nil // sent again by a publisher that did not hear the answer
	}
	if m.Part == 1 {
		s.seq, s.next, s.part = m.Seq, 1, bus.Event{Topic: a.topic}
	}
	if m.Seq != s.seq || m.Part != s.next {
		s.next, s.part = 0, bus.Event{}
		return nil, nil // a part is missing; the next complete event tells
	}
	m.appendTo(&s.part)
	s.next++
	if m.Part < m.Parts {
		return nil, nil
	}
	return a.complete(s)
}

func (a *assembler) complete(s *stream) (*bus.Event, error) {
	e := s.part
	if s.known {
		e.Missed = s.seq - s.done - 1
	}
	if a.broken {
		e.Missed = max(e.Missed, 1)
	}
	a.broken = false
	s.done, s.known = s.seq, true
	s.next, s.part = 0, bus.Event{}
	if err := e.Check(); err != nil {
		a.broken = true
		return nil, err
	}
	return &e, nil
}

func (a *assembler) stream(publisher string) *stream {
	a.clock++
	s := a.streams[publisher]
	if s == nil {
		if len(a.streams) >= maxPublishers {
			a.forgetOldest()
		}
		s = new(stream)
		a.streams[publisher] = s
	}
	s.used = a.clock
	return s
}

func (a *assembler) forgetOldest() {
	oldest, used := "", a.clock
	for p, s := range a.streams {
		if s.used < used {
			oldest, used = p, s.used
		}
	}
	delete(a.streams, oldest)
}
