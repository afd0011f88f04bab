package broker

import (
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A session is one connection's traffic with the intake. Its client's reading goroutine
// takes messages in; whoever finishes a message queues its acknowledgement, and
// a goroutine that lives as long as there are some writes them, many at a time.
type session struct {
	b  *Broker
	cl *mqtt.Client

	mu sync.Mutex
	// room is signalled when outstanding shrinks.
	room sync.Cond
	// waiting holds the packet identifiers of messages not yet finished.
	waiting map[uint16]struct{}
	// outstanding counts messages that are not finished or whose
	// acknowledgement is not being written yet.
	outstanding int
	ready       []ack
	writing     bool
	failed      bool
}

// An ack is what a finished message is answered with.
type ack struct {
	packet byte // packets.Puback or packets.Pubrec
	id     uint16
}

func newSession(b *Broker, cl *mqtt.Client) *session {
	s := &session{b: b, cl: cl, waiting: make(map[uint16]struct{})}
	s.room.L = &s.mu
	return s
}

// A pending is an intake message between being read and being answered.
type pending struct {
	topic   string
	payload []byte
	id      uint16
	qos     byte
	dup     bool
}

// take hands one message to the intake. It blocks while the client, or all of them
// together, have too much waiting, and with it the reading from that client.
func (s *session) take(pk *packets.Packet) {
	m := pending{topic: pk.TopicName, payload: pk.Payload, id: pk.PacketID, qos: pk.FixedHeader.Qos, dup: pk.FixedHeader.Dup}
	if !s.b.door.enter() {
		s.disconnect(packets.ErrServerShuttingDown)
		return
	}
	size := int64(len(m.payload))
	if s.b.bytes.Acquire(s.b.life, size) != nil { // the broker is closing
		s.b.door.leave(1)
		return
	}
	if refusal := s.admit(m); refusal != packets.CodeSuccess {
		s.b.bytes.Release(size)
		s.b.door.leave(1)
		if refusal != packets.CodeSuccessIgnore {
			s.disconnect(refusal)
		}
		return
	}
	if m.qos == 2 {
		s.cl.State.Inflight.DecreaseReceiveQuota() // until mochi sees the PUBREL
	}
	s.b.met.taken.Inc()
	s.b.intake.Handle(m.topic, m.payload, func(err error) {
		s.b.bytes.Release(size)
		s.finish(m, err)
	})
}

// admit waits for room and registers the message's packet identifier. It returns
// CodeSuccessIgnore for a message that needs no handling: it is waiting already, or
// its connection is ending.
func (s *session) admit(m pending) packets.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := int(s.b.cfg.MaxWaiting)
	if s.cl.Properties.ProtocolVersion >= 5 && m.qos > 0 && s.outstanding >= limit {
		return packets.ErrReceiveMaximum
	}
	for s.outstanding >= limit && !s.failed && s.b.life.Err() == nil {
		s.room.Wait()
	}
	if s.failed || s.b.life.Err() != nil {
		return packets.CodeSuccessIgnore
	}
	if m.qos > 0 {
		if _, twice := s.waiting[m.id]; twice && m.dup {
			return packets.CodeSuccessIgnore
		} else if twice {
			// Taking it for a resend would lose it: the first one's
			// acknowledgement would count for both.
			return packets.ErrPacketIdentifierInUse
		}
		s.waiting[m.id] = struct{}{}
	}
	s.outstanding++
	return packets.CodeSuccess
}

// wake lets a blocked take notice that the broker is closing.
func (s *session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room.Broadcast()
}

// finish queues a message's acknowledgement, or ends the connection when it could
// not be kept.
func (s *session) finish(m pending, err error) {
	if err == nil {
		s.forward(m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, m.id)
	if err != nil {
		s.b.met.failed.Inc()
		s.failed = true
	}
	switch {
	case err != nil || m.qos == 0:
		s.settle(1)
		s.b.door.leave(1)
	case m.qos == 2:
		s.b.hook.expectRelease(s.cl, m.id)
		s.ready = append(s.ready, ack{packets.Pubrec, m.id})
	default:
		s.ready = append(s.ready, ack{packets.Puback, m.id})
	}
	if !s.writing && (s.failed || len(s.ready) > 0) {
		s.writing = true
		s.b.start(s.write)
	}
}

// settle makes room for n messages more. The caller holds mu.
func (s *session) settle(n int) {
	s.outstanding -= n
	s.room.Broadcast()
}

// forward shows a kept message to those who subscribed to it. It is never retained: a
// reading that is delivered again a day later would be taken for news.
func (s *session) forward(m pending) {
	subs := s.b.server.Topics.Subscribers(m.topic)
	if len(subs.Subscriptions)+len(subs.Shared) == 0 {
		return
	}
	if err := s.b.Publish(Message{Topic: m.topic, Payload: m.payload, QoS: m.qos}); err != nil {
		s.b.log.Debug("cannot forward a sensor message", "error", err)
	}
}

// write sends acknowledgements until none is left, and ends the connection of a
// session that failed.
func (s *session) write() {
	var batch []ack
	var buf []byte
	for {
		s.mu.Lock()
		batch, s.ready = s.ready, batch[:0]
		failed := s.failed
		if len(batch) == 0 && !failed {
			s.writing = false
			s.mu.Unlock()
			return
		}
		s.settle(len(batch))
		s.mu.Unlock()

		buf = appendAcks(buf[:0], batch)
		s.send(buf)
		s.b.door.leave(len(batch))
		if failed {
			break
		}
	}
	if !s.cl.Closed() {
		s.pause()
		s.disconnect(packets.ErrServerBusy)
	}
	s.abandon()
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
