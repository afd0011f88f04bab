package uplink

import (
	"context"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/2zrhun/city-flow/edge/buffer"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A session is the sending over one connection. It belongs to the goroutine in run.
type session struct {
	u    *Uplink
	link *link
	// place is the last batch that was sent for the first time.
	place buffer.Cursor
	// out are the batches sent and not acknowledged, oldest first.
	out []*flight
	// patience is how long to wait for an acknowledgement now.
	patience time.Duration
	// answered is when the collector last acknowledged anything, zero before it did.
	answered time.Time
	// latency is a smoothed time from sending to acknowledgement.
	latency time.Duration
	// alive is when the broker or the collector last confirmed anything.
	alive time.Time
}

// A flight is one batch on its way.
type flight struct {
	place      buffer.Cursor
	epoch, seq uint64
	sent, due  time.Time
	tries      int
	// token completes, and confirmed is set, when the broker has the batch.
	token     mqtt.Token
	confirmed bool
}

func newSession(u *Uplink, l *link) *session {
	return &session{u: u, link: l, patience: u.cfg.ProbeTimeout, alive: time.Now()}
}

// run sends until the connection ends, or, after ctx ended, until there is nothing left
// to send or the time to drain is over.
func (s *session) run(ctx context.Context) error {
	status := time.NewTicker(s.u.cfg.StatusInterval)
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
		more, err := s.send()
		if err != nil {
			return err
		}
		if stopping == nil && len(s.out) == 0 {
			return s.sayGoodbye()
		}
		if len(s.out) >= s.window() {
			changed = nil // there is no room for news
		}
		wait := s.untilDue()
		if more {
			wait = 0
		}
		timer.Reset(wait)
		select {
		case <-changed:
		case <-timer.C:
		case p := <-s.link.acks:
			s.acknowledged(p)
		case err := <-s.link.lost:
			return fmt.Errorf("connection lost: %w", err)
		case <-status.C:
			if err := s.publishStatus(); err != nil {
				return err
			}
		case <-stopping:
			stopping, drained = nil, time.After(s.u.cfg.DrainTimeout)
		case <-drained:
			return s.sayGoodbye()
		}
	}
}

// probing is how many batches are out until the first acknowledgement. A broker drops
// what nobody has subscribed to yet, so that a whole window sent before the collector is
// there would have to wait for its timeout.
const probing = 2

// window is how many batches may be out now.
func (s *session) window() int {
	granted := s.u.State().Window
	if s.answered.IsZero() {
		return min(probing, granted)
	}
	return granted
}

// sendAtOnce bounds the batches sent before acknowledgements are looked at again.
const sendAtOnce = 16

// send puts out what the window and the clocks allow, and reports whether it should be
// called again at once.
func (s *session) send() (more bool, err error) {
	if err := s.again(time.Now()); err != nil {
		return false, err
	}
	room := s.window() - len(s.out)
	sent := 0
	for ; sent < min(room, sendAtOnce); sent++ {
		b, ok := s.u.buf.Next(s.place)
		if !ok {
			break
		}
		f := &flight{place: b.Cursor, epoch: b.Epoch, seq: b.Seq}
		if err := s.publish(f, b.Payload); err != nil {
			return false, err
		}
		s.place = b.Cursor
		s.out = append(s.out, f)
	}
	s.u.update(func(st *State) { st.Out = len(s.out) })
	return sent == sendAtOnce && room > sendAtOnce, nil
}

func (s *session) publish(f *flight, payload []byte) error {
	topic, _, _ := s.u.cfg.topics()
	t, err := s.link.publish(topic, false, payload)
	if err != nil {
		return fmt.Errorf("publish batch %d: %w", f.seq, err)
	}
	f.token, f.confirmed, f.sent = t, false, time.Now()
	f.due = f.sent.Add(jitter(2 * s.patience))
	f.tries++
	s.u.met.sent.Inc()
	s.u.met.sentBytes.Add(float64(len(payload)))
	return nil
}

// again sends batches whose acknowledgement is overdue.
func (s *session) again(now time.Time) error {
	s.noteConfirmed(now)
	for i, f := range s.out {
		if now.Before(f.due) || !s.mayRepeat(i) {
			continue
		}
		if !f.confirmed {
			if now.Sub(f.sent) > s.u.cfg.StallTimeout && now.Sub(s.alive) > s.u.cfg.StallTimeout {
				return errStalled
			}
			f.due = now.Add(s.patience) // still on its way to the broker
			continue
		}
		b, ok := s.u.buf.Get(f.place)
		if !ok {
			return fmt.Errorf("batch %d can no longer be read", f.seq)
		}
		if i == 0 {
			s.patience = min(2*s.patience, s.u.cfg.MaxAckTimeout)
		}
		if err := s.publish(f, b.Payload); err != nil {
			return err
		}
		s.u.met.resent.Inc()
	}
	return nil
}

// mayRepeat reports whether batch i of those out may be sent again when it is due. As long
// as nothing is acknowledged that is the oldest alone, ever more seldom: whoever
// should answer is not there. Another one is lost only if something was acknowledged
// after it was sent.
func (s *session) mayRepeat(i int) bool {
	return i == 0 || s.answered.After(s.out[i].sent)
}

// noteConfirmed looks which batches the broker has.
func (s *session) noteConfirmed(now time.Time) {
	for _, f := range s.out {
		if f.confirmed {
			continue
		}
		select {
		case <-f.token.Done():
			f.confirmed, s.alive = true, now
		default:
		}
	}
}

// untilDue is how long nothing needs to be sent again.
func (s *session) untilDue() time.Duration {
	wait := time.Hour
	for i, f := range s.out {
		if s.mayRepeat(i) {
			wait = min(wait, time.Until(f.due))
		}
	}
	return max(wait, time.Millisecond)
}

// acknowledged takes one acknowledgement in.
func (s *session) acknowledged(payload []byte) {
	a, err := wire.DecodeAck(payload)
	if err != nil {
		s.u.met.badAcks.Inc()
		s.u.log.Warn("cannot read an acknowledgement", "error", err)
		return
	}
	now := time.Now()
	news := s.u.buf.Forget(a.Epoch, a.Seqs)
	s.u.met.acked.Add(float64(news))
	if s.land(a, now) || news > 0 {
		s.alive, s.answered = now, now
		s.patience = min(max(s.u.cfg.AckTimeout, 4*s.latency), s.u.cfg.MaxAckTimeout)
	}
	s.u.update(func(st *State) {
		st.LastAck, st.ClockOffset, st.Out = now, a.ServerTime.Sub(now), len(s.out)
		if a.Window > 0 {
			st.Window = min(a.Window, s.u.cfg.MaxWindow)
		}
	})
}

// land takes the acknowledged batches out of those on their way, and reports whether
// there were any.
func (s *session) land(a *wire.Ack, now time.Time) bool {
	acked := make(map[uint64]struct{}, len(a.Seqs))
	for _, n := range a.Seqs {
		acked[n] = struct{}{}
	}
	rest := s.out[:0]
	for _, f := range s.out {
		if _, ok := acked[f.seq]; !ok || f.epoch != a.Epoch {
			rest = append(rest, f)
			continue
		}
		took := now.Sub(f.sent)
		s.u.met.latency.Observe(took.Seconds())
		if f.tries == 1 { // of a batch sent twice nobody knows which one was answered
			s.latency += (took - s.latency) / 8
		}
	}
	landed := len(rest) < len(s.out)
	clear(s.out[len(rest):])
	s.out = rest
	return landed
}

func (s *session) publishStatus() error {
	if s.u.cfg.Status == nil {
		return nil
	}
	_, _, topic := s.u.cfg.topics()
	if _, err := s.link.publish(topic, true, s.u.cfg.Status()); err != nil {
		return fmt.Errorf("publish status: %w", err)
	}
	return nil
}

// sayGoodbye publishes what the will would say: a clean end does not trigger it.
func (s *session) sayGoodbye() error {
	if len(s.u.cfg.Offline) == 0 {
		return nil
	}
	_, _, topic := s.u.cfg.topics()
	t, err := s.link.publish(topic, true, s.u.cfg.Offline)
	if err != nil {
		return fmt.Errorf("publish last status: %w", err)
	}
	t.WaitTimeout(farewell)
	return nil
}
