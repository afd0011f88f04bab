package uplink

import "time"

// mostProbePause bounds the pause between two hellos: a collector that comes back should
// not be kept waiting.
const mostProbePause = 15 * time.Second

// A probe asks with hellos whether a collector is there and wants batches. Until the
// first answer of a connection nothing else is sent, because a broker drops what nobody
// has subscribed to yet.
type probe struct {
	first time.Duration
	// asking says that hellos go out.
	asking bool
	due    time.Time
	pause  time.Duration
	// sent is when the oldest hello went out that may still be answered.
	sent time.Time
}

// ask begins to send hellos after a delay, unless they are being sent.
func (p *probe) ask(now time.Time, delay time.Duration) {
	if p.asking {
		return
	}
	p.asking, p.pause = true, p.first
	p.due = now.Add(delay)
}

// isDue reports whether a hello should go out now.
func (p *probe) isDue(now time.Time) bool { return p.asking && !now.Before(p.due) }

// asked notes that one did.
func (p *probe) asked(now time.Time) {
	if p.sent.IsZero() {
		p.sent = now
	}
	p.due = now.Add(jitter(2 * p.pause))
	p.pause = min(2*p.pause, max(mostProbePause, p.first))
}

// answered notes that the collector answered, and returns how long a hello took at most.
// Asking goes on while the collector wants no batches.
func (p *probe) answered(now time.Time, wanted bool) (took time.Duration, known bool) {
	known = !p.sent.IsZero()
	if known {
		took = now.Sub(p.sent)
	}
	p.sent = time.Time{}
	if wanted {
		p.asking = false
	}
	return took, known
}
