package broker

import (
	"bytes"
	"errors"
	"sync/atomic"

	"github.com/mochi-mqtt/server/v2/packets"
)

// A pending is an intake message between being read and being answered.
type pending struct {
	topic string
	// rawTopic is the topic as it came.
	rawTopic []byte
	payload  []byte
	id       uint16
	qos      byte
	dup      bool
	// heard says that the topic has subscribers.
	heard bool
}

// An ack is what a finished message is answered with.
type ack struct {
	packet byte // packets.Puback or packets.Pubrec
	id     uint16
}

// A group is the messages that the intake was given at once.
type group struct {
	s     *session
	count int
	bytes int64
	// messages are what the intake sees, until it returns.
	messages []Message
	acks     []ack
	// heard are copies of those that have subscribers.
	heard    []Message
	answered atomic.Bool
}

// errPanicked answers a group whose intake panicked.
var errPanicked = errors.New("the intake panicked")

func (g *group) add(m *pending) {
	g.count++
	g.bytes += int64(len(m.payload))
	g.messages = append(g.messages, Message{Topic: m.topic, Payload: m.payload, QoS: m.qos})
	switch m.qos {
	case 1:
		g.acks = append(g.acks, ack{packets.Puback, m.id})
	case 2:
		g.acks = append(g.acks, ack{packets.Pubrec, m.id})
	}
	if m.heard {
		g.heard = append(g.heard, Message{Topic: m.topic, Payload: bytes.Clone(m.payload), QoS: m.qos})
	}
}

// handOver gives the group to the intake. A panic goes on to the connection, after the
// group has given back what it held.
func (g *group) handOver() {
	defer func() {
		if r := recover(); r != nil {
			g.finish(errPanicked)
			panic(r)
		}
	}()
	intake := g.s.b.intake
	if intake.HandleAll != nil {
		intake.HandleAll(g.messages, g.finish)
		return
	}
	m := &g.messages[0] // admit makes groups of one
	intake.Handle(m.Topic, m.Payload, g.finish)
}

// finish answers the group; only the first call counts.
func (g *group) finish(err error) {
	if g.answered.Swap(true) {
		return
	}
	g.s.b.bytes.Release(g.bytes)
	g.s.finish(g, err)
}
