package uplink

import (
	"time"

	"github.com/2zrhun/city-flow/edge/buffer"
)

// A lane is one of two ways through the buffer.
type lane uint8

const (
	// liveLane carries batches soon after they were written, backlogLane the others,
	// oldest first.
	liveLane lane = iota
	backlogLane
	lanesNum
)

func (l lane) String() string { return [...]string{"live", "backlog"}[l] }

// rewindAfter is how often to look for batches that appeared behind the backlog's place.
const rewindAfter = 30 * time.Second

// The lanes are the places that a session has reached in the buffer. Every batch after
// border belongs to the live lane, the others to the backlog.
type lanes struct {
	buf           *buffer.Buffer
	freshFor      time.Duration
	live, backlog buffer.Cursor
	border        buffer.Cursor
	// rewound is when the backlog began at the oldest batch.
	rewound time.Time
}

// newLanes begins where the batches are fresh by a clock that batches were written by.
func newLanes(buf *buffer.Buffer, freshFor time.Duration, clock time.Time) lanes {
	at := buf.Since(clock.Add(-freshFor))
	return lanes{buf: buf, freshFor: freshFor, live: at, border: at, rewound: time.Now()}
}

// nextLive is the next batch of the live lane. When that one has grown old, because nothing
// could be sent for a while, the lane begins anew with what is fresh, and leaves the
// rest to the backlog.
func (l *lanes) nextLive(clock time.Time) (buffer.Batch, bool) {
	b, ok := l.buf.Next(l.live)
	if !ok || clock.Sub(b.At) <= l.freshFor {
		return b, ok
	}
	if at := l.buf.Since(clock.Add(-l.freshFor)); l.live.Before(at) {
		l.live, l.border = at, at
		return l.buf.Next(at)
	}
	return b, true
}

// nextBacklog is the next batch of the backlog. Batches before its place appear when readings
// whose time was unknown get one; it looks for them once it has come to its end.
func (l *lanes) nextBacklog(now time.Time) (buffer.Batch, bool) {
	b, ok := l.buf.Next(l.backlog)
	if ok && !l.border.Before(b.Cursor) {
		return b, true
	}
	if now.Sub(l.rewound) > rewindAfter {
		l.rewound, l.backlog = now, buffer.Cursor{}
	}
	return buffer.Batch{}, false
}

// passed notes that a batch was sent, or need not be.
func (l *lanes) passed(from lane, b buffer.Batch) {
	if from == liveLane {
		l.live = b.Cursor
		return
	}
	l.backlog = b.Cursor
}
