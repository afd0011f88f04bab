package broker

import (
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A session is one connection's traffic with the intake. Its client's reading goroutine
// takes messages in. Whoever finishes messages also writes their acknowledgements, many at a
// time, if the connection takes them without waiting; if not, a goroutine does it that
// lives as long as there are some.
type session struct {
	b  *Broker
	cl *mqtt.Client
	// messages is the memory of a group's, used again by the goroutine that reads.
	messages []Message

	mu sync.Mutex
	// room is signalled when outstanding shrinks.
	room sync.Cond
	// waiting holds the packet identifiers of messages not yet finished.
	waiting map[uint16]struct{}
	// outstanding counts messages that are not finished or whose
	// acknowledgement is not being written yet.
	outstanding int
	ready       []ack
	failed      bool
	// writing says that somebody is writing, to whom the next two belong.
	writing bool
	batch   []ack
	out     []byte
}

func newSession(b *Broker, cl *mqtt.Client) *session {
	s := &session{b: b, cl: cl}
	s.room.L = &s.mu
	return s
}

// take hands messages to the intake, in their order and together as far as there is
// room. It blocks while the client, or all of them together, have too much waiting,
// and with it the reading from that client. It reports false when it has ended the
// connection.
func (s *session) take(ms []pending) bool {
	if !s.b.door.enter(len(ms)) {
		s.disconnect(packets.ErrServerShuttingDown)
		return false
	}
	for len(ms) > 0 {
		n, size := s.reserve(ms)
		g, seen, refusal := s.admit(ms[:n])
		s.b.bytes.Release(size - g.bytes)
		s.b.door.leave(seen - g.count)
		ms = ms[seen:]
		if g.count > 0 {
			s.b.met.taken.Add(float64(g.count))
			g.handOver()
		}
		if refusal != packets.CodeSuccess {
			s.b.door.leave(len(ms))
			if refusal != packets.CodeSuccessIgnore {
				s.disconnect(refusal)
			}
			return false
		}
	}
	return true
}

// reserve makes room for the payloads of as many messages as fit now, and waits only for
// the first. Without any the broker is closing.
func (s *session) reserve(ms []pending) (n int, size int64) {
	for i := range ms {
		size += int64(len(ms[i].payload))
	}
	if s.b.bytes.TryAcquire(size) {
		return len(ms), size
	}
	size = int64(len(ms[0].payload))
	if s.b.bytes.Acquire(s.b.life, size) != nil {
		return 0, 0
	}
	for n = 1; n < len(ms) && s.b.bytes.TryAcquire(int64(len(ms[n].payload))); n++ {
		size += int64(len(ms[n].payload))
	}
	return n, size
}

// admit waits for room for the first message and makes a group of as many as there is
// room for then. seen counts them and those that need no handling because they are
// waiting already. A refusal concerns the message after those seen; it is
// CodeSuccessIgnore when the connection is ending.
func (s *session) admit(ms []pending) (g *group, seen int, refusal packets.Code) {
	g = &group{s: s, messages: s.messages[:0]}
	defer func() { s.messages = g.messages }()
	if len(ms) == 0 {
		return g, 0, packets.CodeSuccessIgnore
	}
	if s.b.intake.HandleAll == nil {
		ms = ms[:1]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; seen < len(ms); seen++ {
		if seen > 0 && s.outstanding >= int(s.b.cfg.MaxWaiting) {
			break
		}
		waiting, refusal := s.register(&ms[seen])
		if refusal != packets.CodeSuccess {
			return g, seen, refusal
		}
		if !waiting {
			g.add(&ms[seen])
		}
	}
	return g, seen, packets.CodeSuccess
}

// register waits for room for one message and notes its identifier; it reports whether
// the message is waiting already. The caller holds mu.
func (s *session) register(m *pending) (waiting bool, refusal packets.Code) {
	limit := int(s.b.cfg.MaxWaiting)
	if s.cl.Properties.ProtocolVersion >= 5 && m.qos > 0 && s.outstanding >= limit {
		return false, packets.ErrReceiveMaximum
	}
	for s.outstanding >= limit && !s.failed && s.b.life.Err() == nil {
		s.room.Wait()
	}
	if s.failed || s.b.life.Err() != nil {
		return false, packets.CodeSuccessIgnore
	}
	if m.qos > 0 {
		if _, twice := s.waiting[m.id]; twice && m.dup {
			return true, packets.CodeSuccess
		} else if twice {
			// Taking it for a resend would lose it: the first one's
			// acknowledgement would count for both.
			return false, packets.ErrPacketIdentifierInUse
		}
		if s.waiting == nil {
			s.waiting = make(map[uint16]struct{})
		}
		s.waiting[m.id] = struct{}{}
	}
	if m.qos == 2 {
		s.cl.State.Inflight.DecreaseReceiveQuota() // until mochi sees the PUBREL
	}
	s.outstanding++
	return false, packets.CodeSuccess
}

// wake lets a blocked take notice that the broker is closing.
func (s *session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room.Broadcast()
}

// finish acknowledges a group, or ends the connection when it could not be kept.
func (s *session) finish(g *group, err error) {
	if err == nil {
		s.forward(g.heard)
	}
	if !s.conclude(g, err) {
		return
	}
	if !s.writeNow() {
		s.b.start(s.write)
	}
}

// conclude queues the acknowledgements of a group. It reports whether the caller has to see
// to their being written.
func (s *session) conclude(g *group, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range g.acks {
		delete(s.waiting, a.id)
	}
	silent := g.count - len(g.acks)
	if err != nil {
		s.b.met.failed.Add(float64(g.count))
		s.failed = true
		silent = g.count
	} else {
		for _, a := range g.acks {
			if a.packet == packets.Pubrec {
				s.b.hook.expectRelease(s.cl, a.id)
			}
		}
		s.ready = append(s.ready, g.acks...)
	}
	s.settle(silent)
	s.b.door.leave(silent)
	if s.writing || !s.failed && len(s.ready) == 0 {
		return false
	}
	s.writing = true
	return true
}

// settle makes room for n messages more. The caller holds mu.
func (s *session) settle(n int) {
	if n > 0 {
		s.outstanding -= n
		s.room.Broadcast()
	}
}

// forward shows kept messages to those who subscribed to them. They are never retained: a
// reading that is delivered again a day later would be taken for news.
func (s *session) forward(ms []Message) {
	for _, m := range ms {
		if err := s.b.Publish(m); err != nil {
			s.b.log.Debug("cannot forward a sensor message", "error", err)
		}
	}
}

// writeNow sends what is ready if that needs no waiting, for another writer or for the
// client. It reports false when write has to go on; only one of them runs at a time.
func (s *session) writeNow() bool {
	c, ok := s.cl.Net.Conn.(*conn)
	if !ok || !s.cl.TryLock() {
		return false
	}
	n, failed := s.gather()
	written, err := c.writeNow(s.out)
	if err == nil && written < len(s.out) {
		// What follows has to wait for the rest, so the client stays locked.
		if !s.b.start(func() { s.writeRest(c, written, n) }) {
			s.cl.Unlock()
			s.b.door.leave(n)
		}
		return true
	}
	s.cl.Unlock()
	s.b.door.leave(n)
	return !failed && s.rest()
}

// writeRest goes on where writeNow stopped.
func (s *session) writeRest(c *conn, written, n int) {
	_, err := c.Write(s.out[written:])
	s.cl.Unlock()
	if err != nil {
		s.b.log.Debug("cannot acknowledge", "client", s.cl.ID, "error", err)
	}
	s.b.door.leave(n)
	s.write()
}

// gather encodes what is ready, n acknowledgements, and makes room for as many messages.
func (s *session) gather() (n int, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch, s.ready = s.ready, s.batch[:0]
	s.settle(len(s.batch))
	s.out = appendAcks(s.out[:0], s.batch)
	return len(s.batch), s.failed
}

// rest ends the writing unless there is more to write.
func (s *session) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) > 0 || s.failed {
		return false
	}
	s.writing = false
	return true
}

// write sends acknowledgements until none is left, and ends the connection of a
// session that failed.
func (s *session) write() {
	for !s.rest() {
		n, failed := s.gather()
		s.send(s.out)
		s.b.door.leave(n)
		if failed {
			break
		}
	}
	if !s.broken() {
		return
	}
	if !s.cl.Closed() {
		s.pause()
		s.disconnect(packets.ErrServerBusy)
	}
	s.abandon()
}

// broken reports whether the session has failed.
func (s *session) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *session) pause() {
	t := time.NewTimer(s.b.cfg.FailurePause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.b.life.Done():
	}
}

// abandon drops the acknowledgements that became ready while the session was ending,
// and lets later ones be dropped by a new writer: their messages will come again.
func (s *session) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.door.leave(len(s.ready))
	s.settle(len(s.ready))
	s.ready = nil
	s.writing = false
}

// appendAcks encodes successful acknowledgements; MQTT 3.1.1 and 5 write them alike.
func appendAcks(buf []byte, acks []ack) []byte {
	for _, a := range acks {
		buf = append(buf, a.packet<<4, 2, byte(a.id>>8), byte(a.id))
	}
	return buf
}

// send writes whole packets to the client, between those that mochi writes.
func (s *session) send(buf []byte) {
	if len(buf) == 0 || s.cl.Closed() {
		return
	}
	s.cl.Lock()
	defer s.cl.Unlock()
	if _, err := s.cl.Net.Conn.Write(buf); err != nil {
		s.b.log.Debug("cannot acknowledge", "client", s.cl.ID, "error", err)
	}
}

// disconnect ends the connection, with the reason where the client's MQTT has one.
func (s *session) disconnect(reason packets.Code) {
	if s.cl.Properties.ProtocolVersion >= 5 {
		_ = s.b.server.DisconnectClient(s.cl, reason) // returns the reason itself
		return
	}
	s.cl.Stop(reason)
}
