package uplink

import (
	"time"

	"github.com/2zrhun/city-flow/shared/wire"
)

// acknowledged takes one acknowledgement in: of batches, or the answer to a hello.
func (s *session) acknowledged(payload []byte) {
	a, err := wire.DecodeAck(payload)
	if err != nil {
		s.u.met.badAcks.Inc()
		s.u.log.Warn("cannot read an acknowledgement", "error", err)
		return
	}
	now := time.Now()
	s.heard = now
	news := s.u.buf.Forget(a.Epoch, a.Seqs)
	s.u.met.acked.Add(float64(news))
	if landed := s.out.land(a); len(landed) > 0 || news > 0 {
		s.alive, s.answered = now, now
		s.landed(a, landed, now)
		s.patience = min(max(s.cfg.AckTimeout, 4*s.latency), s.cfg.MaxAckTimeout)
		s.out.hasten(now.Add(2 * s.patience)) // who was silent is back
	}
	window := min(a.Window, s.cfg.MaxWindow)
	if took, known := s.probe.answered(now, window > 0); known {
		s.cfg.learn(a.ServerTime, took)
	}
	if window == 0 {
		s.probe.ask(now, jitter(2*s.cfg.ProbeTimeout))
	}
	s.u.update(func(st *State) {
		st.LastAck, st.Out, st.Window = now, len(s.out.list), window
	})
}

// landed measures with batches that have arrived. Of a batch sent twice nobody knows which
// one was answered.
func (s *session) landed(a *wire.Ack, landed []*flight, now time.Time) {
	var newest time.Time
	for _, f := range landed {
		took := now.Sub(f.sent)
		s.u.met.latency.Observe(took.Seconds())
		if f.lane == liveLane {
			clock, _ := s.cfg.now()
			s.u.met.live.Observe(max(0, clock.Sub(f.written).Seconds()))
		}
		if f.tries > 1 {
			continue
		}
		s.latency += (took - s.latency) / 8
		if f.sent.After(newest) {
			newest = f.sent
		}
	}
	if newest.IsZero() {
		return
	}
	s.cfg.learn(a.ServerTime, now.Sub(newest))
	s.u.met.overtaken.Add(float64(s.out.overtaken(newest, s.latency, now)))
}
