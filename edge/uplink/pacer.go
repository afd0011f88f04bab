package uplink

import "time"

// The measure of what a pacer lets out.
const (
	// queueTime is how long what was sent before may hold up a fresh batch on the link.
	queueTime = 400 * time.Millisecond
	// leastLimit is what may be out in any case: before anything is known of the link,
	// and on one that is slower than everything.
	leastLimit = 8 << 10
	// mostLimit bounds what a local link lets out, and with it the memory for it.
	mostLimit = 8 << 20
	// rateMemory and baseMemory are how long a good moment of the link is remembered.
	rateMemory = 4 * time.Second
	baseMemory = time.Minute
	// mostRest bounds how long the backlog holds still, tiny the packets whose own
	// bytes take no time.
	mostRest = 3 * time.Second
	tiny     = 256
	// instant is the shortest time that is believed.
	instant = 50 * time.Microsecond
)

// A pacer learns how many bytes may be on the way to the broker at once: as many as the
// link moves in the time of its round trip plus queueTime. More would only wait in the
// sockets, and fresh batches behind them. It looks at the broker's confirmations, since a
// collector that is slow is no reason to believe that the link is. (The idea is that of
// BBR: Cardwell and others, "BBR: congestion-based congestion control", ACM Queue 14(5),
// 2016.)
type pacer struct {
	// out are the bytes that the broker has not confirmed, by lane.
	out [lanesNum]int
	// size is that of the last batch of the backlog: the next is taken to be alike.
	size int
	// delivered counts the bytes that it has; last is when it confirmed the last.
	delivered int
	last      time.Time
	// rate in bytes per second, and base, the round trip of an empty packet in seconds.
	rate, base extreme
	// clean is when base was measured last: with nothing else on its way. resting is
	// since when the backlog has been holding still for that.
	clean, resting time.Time
}

// A load is one packet as the pacer sees it.
type load struct {
	lane  lane
	bytes int
	sent  time.Time
	// delivered is the pacer's when it was sent, and since is when it became that; alone
	// says that nothing else was out.
	delivered int
	since     time.Time
	alone     bool
}

// send notes a packet that goes out.
func (p *pacer) send(l lane, bytes int, now time.Time) load {
	alone := p.total() == 0
	if alone {
		p.last = now // the link was at rest until now
	}
	p.out[l] += bytes
	if l == backlogLane {
		p.size = bytes
	}
	return load{lane: l, bytes: bytes, sent: now, delivered: p.delivered, since: p.last, alone: alone}
}

func (p *pacer) total() int { return p.out[liveLane] + p.out[backlogLane] }

// confirm notes that the broker has the packet.
func (p *pacer) confirm(l load, now time.Time) {
	p.out[l.lane] -= l.bytes
	p.delivered += l.bytes
	p.last = now
	took := max(now.Sub(l.sent), instant).Seconds()
	rate := float64(p.delivered-l.delivered) / max(now.Sub(l.since), instant).Seconds()
	p.rate.most(rate, now, rateMemory)
	if !l.alone {
		return
	}
	p.clean, p.resting = now, time.Time{}
	switch {
	case l.bytes <= tiny:
		p.base.least(took, now, baseMemory)
	case rate < 0.95*p.rate.value(): // else the link may be all that it took
		p.base.least(took-float64(l.bytes)/p.rate.value(), now, baseMemory)
	}
}

// limit is how many bytes may be out now.
func (p *pacer) limit() int {
	bytes := p.rate.value() * (p.base.value() + queueTime.Seconds())
	return int(min(max(bytes, leastLimit), mostLimit))
}

// mayLive and mayBacklog say whether another batch may go out. Fresh ones do not wait for
// the backlog's bytes; the backlog waits for everybody's, and now and then until
// nothing is out, so that the round trip can be measured.
func (p *pacer) mayLive() bool { return p.out[liveLane] < p.limit() }

func (p *pacer) mayBacklog(now time.Time) bool {
	if p.total() == 0 {
		return true
	}
	if now.Sub(p.clean) > baseMemory/2 {
		if p.resting.IsZero() {
			p.resting = now
		}
		if now.Sub(p.resting) < mostRest {
			return false
		}
		p.clean, p.resting = now, time.Time{}
	}
	if p.out[backlogLane] == 0 {
		return p.total() < p.limit() // or a batch larger than the limit would never go
	}
	return p.total()+p.size <= p.limit()
}

// An extreme is the largest or smallest value of the last while, in two halves. It forgets
// only what a newer value replaces: a link at rest does not change.
type extreme struct {
	// best is that of both halves, half that of the one that began at since.
	best, half float64
	since      time.Time
}

func (e *extreme) value() float64 { return e.best }

func (e *extreme) most(v float64, at time.Time, memory time.Duration) {
	e.note(v, at, memory, func(a, b float64) float64 { return max(a, b) })
}

func (e *extreme) least(v float64, at time.Time, memory time.Duration) {
	e.note(v, at, memory, func(a, b float64) float64 { return min(a, b) })
}

func (e *extreme) note(v float64, at time.Time, memory time.Duration, better func(a, b float64) float64) {
	switch {
	case e.since.IsZero():
		e.since, e.best, e.half = at, v, v
	case at.Sub(e.since) > memory/2:
		e.since, e.best, e.half = at, better(v, e.half), v
	default:
		e.best, e.half = better(e.best, v), better(e.half, v)
	}
}
