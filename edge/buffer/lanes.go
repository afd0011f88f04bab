package buffer

import "time"

// Before reports whether c comes before d in the order of batches.
func (c Cursor) Before(d Cursor) bool {
	if c.ordinal != d.ordinal {
		return c.ordinal < d.ordinal
	}
	return c.seq < d.seq
}

// maxSince is how many batches Since looks back over at most.
const maxSince = 1024

// Since returns the place after which batches are fresh: the last maxSince of them at
// most, as far back as they were written at t or later. An uplink sends them before
// what is older.
func (b *Buffer) Since(t time.Time) Cursor {
	b.reading.Lock()
	defer b.reading.Unlock()
	looked := 0
	for _, r := range b.newestFirst() {
		for n := r.next; n > r.s.first; n-- {
			at := Cursor{r.s.ordinal, r.s.epoch, n - 1}
			if looked++; looked > maxSince || b.shut || r.s.stamps {
				return at
			}
			if e, err := b.fetch(r.s, n-1, false); err != nil || e.key.at.Before(t) {
				return at
			}
		}
	}
	return Cursor{}
}

// A span is a segment with its end at one moment.
type span struct {
	s    *segment
	next uint64
}

func (b *Buffer) newestFirst() []span {
	b.mu.Lock()
	defer b.mu.Unlock()
	spans := make([]span, 0, len(b.segments))
	for i := len(b.segments) - 1; i >= 0; i-- {
		spans = append(spans, span{b.segments[i], b.segments[i].next})
	}
	return spans
}
