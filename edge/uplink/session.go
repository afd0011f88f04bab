package uplink

import (
	"context"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A session is the sending over one connection. It belongs to the goroutine in run.
type session struct {
	u    *Uplink
	cfg  *Config
	link *link
	// hello is the encoded question whether a collector is there.
	hello []byte

	lanes lanes
	out   flights
	pace  pacer
	probe probe
	// open are the packets that the broker has not confirmed.
	open map[*delivery]sending
	// patience is how long to wait for an acknowledgement now.
	patience time.Duration
	// heard is when the collector last said anything, answered when it last
	// acknowledged a batch; zero before it did.
	heard, answered time.Time
	// latency is a smoothed time from sending to acknowledgement.
	latency time.Duration
	// alive is when the broker or the collector last confirmed anything, or had
	// nothing to confirm.
	alive time.Time
}

// A sending is what a packet carries: a batch, or something without one.
type sending struct {
	flight *flight
	load   load
}

func newSession(u *Uplink, cfg *Config, l *link) (*session, error) {
	hello, err := wire.EncodeHello(cfg.Edge)
	if err != nil {
		return nil, fmt.Errorf("encode hello: %w", err)
	}
	now := time.Now()
	clock, _ := cfg.now()
	s := &session{
		u: u, cfg: cfg, link: l, hello: hello, lanes: newLanes(u.buf, cfg.FreshFor, clock), out: newFlights(),
		probe: probe{first: cfg.ProbeTimeout}, open: make(map[*delivery]sending), patience: cfg.AckTimeout, alive: now,
	}
	s.probe.ask(now, 0)
	return s, nil
}

// run sends until the connection ends, or, after ctx ended, until there is nothing left
// to send or the time to drain is over.
func (s *session) run(ctx context.Context) error {
	status := time.NewTicker(s.cfg.StatusInterval)
	defer status.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	var drained <-chan time.Time
	if err := s.publishStatus(); err != nil {
		return err
	}
	for {
		changed := s.u.buf.Changed()
		more, err := s.step(time.Now())
		if err != nil {
			return err
		}
		if stopping == nil && !more && s.isDone() {
			return s.sayGoodbye()
		}
		if !s.hasRoom() {
			changed = nil // news would have to wait
		}
		timer.Reset(s.wait(more))
		select {
		case <-changed:
		case <-timer.C:
		case <-status.C:
			err = s.publishStatus()
		case <-s.u.announce:
			err = s.publishStatus()
		case <-stopping:
			stopping, drained = nil, time.After(s.cfg.DrainTimeout)
		case <-drained:
			return s.sayGoodbye()
		case <-s.u.reconfigured:
			return errReconfigured
		case e := <-s.link.events:
			err = s.take(e)
		}
		if err != nil {
			return err
		}
	}
}

// take looks at what came over the link.
func (s *session) take(e event) error {
	switch {
	case e.ack != nil:
		s.acknowledged(e.ack)
	case e.config != nil:
		s.cfg.OnConfig(e.config)
	case e.delivery != nil:
		return s.confirm(e.delivery, time.Now())
	default:
		return fmt.Errorf("connection lost: %w", e.lost)
	}
	return nil
}

// step puts out what the clocks, the window and the link allow, and reports whether it
// should be called again at once.
func (s *session) step(now time.Time) (more bool, err error) {
	if len(s.open) > 0 && now.Sub(s.alive) > s.cfg.StallTimeout {
		return false, errStalled
	}
	if err := s.again(now); err != nil {
		return false, err
	}
	if s.probe.isDue(now) {
		s.probe.asked(now)
		if err := s.send(s.hello, sending{}, now); err != nil {
			return false, err
		}
	}
	return s.fill(now)
}

// hasRoom reports whether a fresh batch may be sent now.
func (s *session) hasRoom() bool {
	return !s.probe.asking && len(s.out.list) < s.window() && s.pace.mayLive()
}

// roomForBacklog is hasRoom for an old one: a part of the window is kept for fresh ones.
func (s *session) roomForBacklog(now time.Time) bool {
	window := s.window()
	reserve := max(1, window/4)
	if window == 1 {
		reserve = 0
	}
	return !s.probe.asking && len(s.out.list) < window-reserve && s.pace.mayBacklog(now)
}

// window is how many batches may be out now.
func (s *session) window() int { return s.u.State().Window }

// sendAtOnce bounds the batches sent before acknowledgements are looked at again.
const sendAtOnce = 16

// fill sends fresh batches, then old ones.
func (s *session) fill(now time.Time) (more bool, err error) {
	defer func() { s.u.update(func(st *State) { st.Out = len(s.out.list) }) }()
	for range sendAtOnce {
		b, from, ok := s.pick(now)
		if !ok {
			return false, nil
		}
		s.lanes.passed(from, b)
		f := &flight{lane: from, place: b.Cursor, name: name{b.Epoch, b.Seq}, written: b.At}
		if s.out.has(f.name) {
			continue // the backlog passes what the live lane has on its way
		}
		if err := s.launch(f, b.Payload, now); err != nil {
			return false, err
		}
	}
	return true, nil
}

// pick chooses the next batch that may be sent.
func (s *session) pick(now time.Time) (buffer.Batch, lane, bool) {
	if s.hasRoom() {
		clock, _ := s.cfg.now()
		if b, ok := s.lanes.nextLive(clock); ok {
			return b, liveLane, true
		}
	}
	if s.roomForBacklog(now) {
		b, ok := s.lanes.nextBacklog(now)
		return b, backlogLane, ok
	}
	return buffer.Batch{}, 0, false
}

// launch sends a batch, for the first time or again.
func (s *session) launch(f *flight, payload []byte, now time.Time) error {
	f.sent, f.confirmed = now, false
	f.due = now.Add(jitter(2 * s.patience))
	f.tries++
	s.out.add(f)
	s.u.met.sent.WithLabelValues(f.lane.String()).Inc()
	s.u.met.sentBytes.Add(float64(len(payload)))
	return s.send(payload, sending{flight: f}, now)
}

// send hands a packet on the batch topic to the link.
func (s *session) send(payload []byte, what sending, now time.Time) error {
	topic, _, _ := s.cfg.topics()
	d, err := s.link.publish(topic, false, payload)
	if err != nil {
		return err
	}
	from := liveLane
	if what.flight != nil {
		from = what.flight.lane
	}
	what.load = s.pace.send(from, len(payload), now)
	if len(s.open) == 0 {
		s.alive = now
	}
	s.open[d] = what
	return nil
}

// confirm notes that the broker has a packet, or that the link has lost it.
func (s *session) confirm(d *delivery, now time.Time) error {
	if d.err != nil {
		return fmt.Errorf("publish: %w", d.err)
	}
	what, ok := s.open[d]
	if !ok {
		return nil // a status
	}
	delete(s.open, d)
	s.alive = now
	s.pace.confirm(what.load, now)
	if what.flight != nil {
		what.flight.confirmed = true
	}
	return nil
}

// again sends batches whose acknowledgement is overdue.
func (s *session) again(now time.Time) error {
	if s.probe.asking {
		return nil
	}
	for i, f := range append([]*flight(nil), s.out.list...) {
		if now.Before(f.due) || !s.mayRepeat(i, f) {
			continue
		}
		switch {
		case !f.confirmed:
			f.due = now.Add(s.patience) // still on its way to the broker
			continue
		case s.heard.Before(f.due) && s.answered.Before(f.sent):
			s.probe.ask(now, 0) // whoever should answer may not be there
			return nil
		}
		s.out.take(f.name)
		b, ok := s.u.buf.Get(f.place)
		if !ok {
			continue // acknowledged or given up meanwhile
		}
		silent := s.answered.Before(f.sent)
		if silent {
			s.patience = min(2*s.patience, s.cfg.MaxAckTimeout)
		}
		s.u.met.resent.Inc()
		if err := s.launch(f, b.Payload, now); err != nil {
			return err
		}
		if silent {
			s.out.postpone(f.due)
			return nil
		}
	}
	return nil
}

// mayRepeat reports whether batch i of those out may be sent again when it is due. As long
// as nothing is acknowledged that is the oldest alone, ever more seldom: whoever
// should answer does not. Another one is lost only if something was acknowledged
// after it was sent.
func (s *session) mayRepeat(i int, f *flight) bool {
	return i == 0 || s.answered.After(f.sent)
}

// wait is how long nothing needs to be done unless something comes.
func (s *session) wait(more bool) time.Duration {
	if more {
		return 0
	}
	until := time.Now().Add(rewindAfter)
	first := func(t time.Time) {
		if t.Before(until) {
			until = t
		}
	}
	if len(s.open) > 0 {
		first(s.alive.Add(s.cfg.StallTimeout + time.Millisecond))
	}
	if s.probe.asking {
		first(s.probe.due)
	} else {
		for i, f := range s.out.list {
			if s.mayRepeat(i, f) {
				first(f.due)
			}
		}
	}
	return max(time.Until(until), time.Millisecond)
}

// isDone reports whether there is nothing left to send or to wait for.
func (s *session) isDone() bool {
	if len(s.out.list) > 0 {
		return false
	}
	return !s.probe.asking || s.u.buf.Stats().Batches == 0
}

func (s *session) publishStatus() error {
	if s.cfg.Status == nil {
		return nil
	}
	_, _, topic := s.cfg.topics()
	_, err := s.link.publish(topic, true, s.cfg.Status())
	return err
}

// sayGoodbye publishes what the will would say: a clean end does not trigger it.
func (s *session) sayGoodbye() error {
	if len(s.cfg.Offline) == 0 {
		return nil
	}
	_, _, topic := s.cfg.topics()
	d, err := s.link.publish(topic, true, s.cfg.Offline)
	if err != nil {
		return err
	}
	select {
	case <-d.done:
	case <-time.After(farewell):
	}
	return nil
}
