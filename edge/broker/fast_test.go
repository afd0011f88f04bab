package broker_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/2zrhun/city-flow/edge/broker"
)

// together makes a hand an intake that takes groups over; got has a line for each.
func (h *hand) together() broker.Intake {
	in := h.intake()
	in.Handle = nil
	in.HandleAll = func(ms []broker.Message, done func(error)) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, m := range ms {
			h.got = append(h.got, string(m.Payload))
			h.more <- struct{}{}
		}
		h.done = append(h.done, done)
	}
	return in
}

// answerAll finishes what has come in.
func (h *hand) answerAll(err error) {
	h.mu.Lock()
	n := len(h.done)
	h.mu.Unlock()
	h.answer(n, err)
}

func publish(topic string, qos byte, id uint16, payload string) packets.Packet {
	return packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, TopicName: topic, PacketID: id, Payload: []byte(payload),
	}
}

// sendAll sends packets in one write, or in one for each byte.
func (c *client) sendAll(byteByByte bool, pks ...packets.Packet) {
	c.t.Helper()
	var all []byte
	for _, pk := range pks {
		all = append(all, encode(c.t, pk, c.version)...)
	}
	step := len(all)
	if byteByByte {
		step = 1
	}
	for part := range slices.Chunk(all, step) {
		if _, err := c.conn.Write(part); err != nil {
			c.t.Fatal(err)
		}
	}
}

// An ordinary client's packets mean the same wherever the stream is cut, and the intake's
// messages keep their place among the others.
func TestMixedStream(t *testing.T) {
	for _, byteByByte := range []bool{false, true} {
		versions(t, func(t *testing.T, version byte) {
			h := newHand()
			b := start(t, testConfig(), h.together())
			sub := dial(t, b.Addr(), connectOptions{id: "sub", version: version})
			sub.subscribe("other", 0)
			c := dial(t, b.Addr(), connectOptions{id: "sensor", version: version})
			c.sendAll(byteByByte,
				publish(topic, 0, 0, "a"), publish(topic, 1, 1, "b"), publish("other", 1, 2, "for sub"), publish(topic, 1, 3, "c"),
				publish(topic, 2, 4, "d"), publish(topic, 1, 5, "e"),
				packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}, publish(topic, 1, 6, "f"))
			c.expectAck(packets.Puback, 2) // nothing waits for it
			c.expect(packets.Pingresp)
			h.wait(t, 6)
			if got := strings.Join(h.payloads(), ""); got != "abcdef" {
				t.Errorf("the intake got %q", got)
			}
			if pk := sub.expect(packets.Publish); string(pk.Payload) != "for sub" {
				t.Errorf("the subscriber got %q", pk.Payload)
			}
			c.expectSilence()
			h.answerAll(nil)
			for _, want := range []struct {
				kind byte
				id   uint16
			}{{packets.Puback, 1}, {packets.Puback, 3}, {packets.Pubrec, 4}, {packets.Puback, 5}, {packets.Puback, 6}} {
				c.expectAck(want.kind, want.id)
			}
		})
	}
}

// A client need not wait for the answer to its CONNECT.
func TestPublishWithConnect(t *testing.T) {
	versions(t, func(t *testing.T, version byte) {
		h := newHand()
		b := start(t, testConfig(), h.together())
		c := dialRaw(t, b.Addr(), version)
		connect := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}}
		connect.Connect = packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: "hasty", Clean: true, Keepalive: 60}
		c.sendAll(false, connect, publish(topic, 1, 1, "a"), publish(topic, 1, 2, "b"))
		c.expect(packets.Connack)
		h.wait(t, 2)
		h.answerAll(nil)
		c.expectAck(packets.Puback, 1)
		c.expectAck(packets.Puback, 2)
	})
}

func TestGroupFailsTogether(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.together())
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 5})
	c.sendAll(false, publish(topic, 1, 1, "a"), publish(topic, 0, 0, "b"), publish(topic, 1, 2, "c"))
	h.wait(t, 3)
	h.answerAll(errors.New("disk full"))
	if reason := c.expectEnd(); reason != packets.ErrServerBusy.Code {
		t.Errorf("the client was told %#x", reason)
	}
}

// A group never holds more than the client may have waiting.
func TestGroupsAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxWaiting = 10
	h := newHand()
	b := start(t, cfg, h.together())
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 4})
	var pks []packets.Packet
	for i := range uint16(25) {
		pks = append(pks, publish(topic, 1, i+1, "x"))
	}
	c.sendAll(false, pks...)
	for _, n := range []int{10, 10, 5} {
		h.wait(t, n)
		c.expectSilence()
		h.answerAll(nil)
		for range n {
			c.expect(packets.Puback)
		}
	}
}

func TestTopicAliasAndProperties(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.together())
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 5})
	named, alias := publish(topic, 1, 1, "named"), publish("", 1, 2, "alias")
	for _, pk := range []*packets.Packet{&named, &alias} {
		pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = 3, true
	}
	dressed := publish(topic, 1, 3, "dressed")
	dressed.Properties.User = []packets.UserProperty{{Key: "k", Val: "v"}}
	dressed.Properties.MessageExpiryInterval = 60
	c.sendAll(false, named, alias, dressed, publish(topic, 1, 4, "plain"))
	h.wait(t, 4)
	if got := strings.Join(h.payloads(), " "); got != "named alias dressed plain" {
		t.Errorf("the intake got %q", got)
	}
	h.answerAll(nil)
	for id := range uint16(4) {
		c.expectAck(packets.Puback, id+1)
	}
}

// Subscribers are noticed when they come after the first message, and with a session
// that was kept. What the intake takes is never retained.
func TestSubscriberComesLater(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.together())
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 4})
	say := func(payload string) {
		t.Helper()
		pk := publish(topic, 1, 1, payload)
		pk.FixedHeader.Retain = true
		c.send(pk)
		h.wait(t, 1)
		h.answerAll(nil)
		c.expectAck(packets.Puback, 1)
	}
	say("unheard")
	sub := dial(t, b.Addr(), connectOptions{id: "sub", version: 4, keep: true})
	sub.subscribe("cityflow/traffic/#", 1)
	sub.expectSilence()
	say("first")
	if pk := sub.expect(packets.Publish); string(pk.Payload) != "first" || pk.FixedHeader.Retain {
		t.Errorf("the subscriber got %q, retained %v", pk.Payload, pk.FixedHeader.Retain)
	} else {
		sub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: pk.PacketID})
	}
	sub.conn.Close()
	again := dial(t, b.Addr(), connectOptions{id: "sub", version: 4, keep: true})
	say("second")
	if pk := again.expect(packets.Publish); string(pk.Payload) != "second" {
		t.Errorf("the kept session got %q", pk.Payload)
	}
}

func TestWillAfterMessages(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.together())
	sub := dial(t, b.Addr(), connectOptions{id: "sub", version: 4})
	sub.subscribe("gone", 0)
	for _, orderly := range []bool{true, false} {
		c := dialRaw(t, b.Addr(), 4)
		connect := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}}
		connect.Connect = packets.ConnectParams{
			ProtocolName: []byte("MQTT"), ClientIdentifier: "mortal", Clean: true, Keepalive: 60,
			WillFlag: true, WillTopic: "gone", WillPayload: []byte("will"),
		}
		c.sendAll(false, connect, publish(topic, 0, 0, "alive"))
		c.expect(packets.Connack)
		h.wait(t, 1)
		h.answerAll(nil)
		if orderly {
			if _, err := c.conn.Write([]byte{packets.Disconnect << 4, 0}); err != nil {
				t.Fatal(err)
			}
			c.expectEnd()
			sub.expectSilence()
			continue
		}
		c.conn.Close()
		sub.expect(packets.Publish)
	}
}

// Rights hold for messages that mochi does not see.
func TestRightsOfMessages(t *testing.T) {
	versions(t, func(t *testing.T, version byte) {
		cfg := testConfig()
		cfg.Users, cfg.UserRole = map[string]string{"S1": "secret"}, broker.RoleSensor
		h := newHand()
		b := start(t, cfg, h.together())
		c := dial(t, b.Addr(), connectOptions{id: "S1", version: version, user: "S1", password: "secret"})
		c.sendAll(false, publish(topic, 1, 1, "mine"), publish("cityflow/traffic/S2", 0, 0, "not mine"),
			publish(topic, 1, 2, "mine too"), publish("cityflow/traffic/S2", 1, 3, "not mine either"))
		h.wait(t, 2)
		if version == 5 {
			if pk := c.expect(packets.Puback); pk.PacketID != 3 || pk.ReasonCode != packets.ErrNotAuthorized.Code {
				t.Errorf("the answer is %#x for %d", pk.ReasonCode, pk.PacketID)
			}
		} else {
			c.expectEnd()
		}
		h.answerAll(nil)
		if got := strings.Join(h.payloads(), ", "); got != "mine, mine too" {
			t.Errorf("the intake got %q", got)
		}
	})
}

func TestLargeMessages(t *testing.T) {
	cfg := testConfig()
	cfg.MaxPacketBytes = 300_000
	h := newHand()
	b := start(t, cfg, h.together())
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 4})
	want := 0
	for i, n := range []int{0, 500, 20_000, 65_000, 66_000, 200_000, 10} {
		c.publish(topic, 1, uint16(i+1), strings.Repeat("x", n))
		want += n
	}
	h.wait(t, 7)
	h.answerAll(nil)
	for i := range uint16(7) {
		c.expectAck(packets.Puback, i+1)
	}
	if got := len(strings.Join(h.payloads(), "")); got != want {
		t.Errorf("the intake got %d bytes, want %d", got, want)
	}
	go func() {
		_, _ = c.conn.Write(encode(t, publish(topic, 1, 9, strings.Repeat("x", 300_001)), 4)) // cut off on the way
	}()
	c.expectEnd()
}

// What is no packet at all ends the connection and nothing else.
func TestNonsenseAfterMessages(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.together())
	for name, nonsense := range map[string][]byte{
		"length that does not end": {0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"QoS 3":                    {0x36, 5, 0, 1, 'a', 0, 1},
		"no topic":                 {0x30, 0},
		"topic beyond the packet":  {0x32, 4, 0, 9, 'a', 'b'},
		"identifier 0":             append([]byte{0x32, 4 + byte(len(topic)), 0, byte(len(topic))}, append([]byte(topic), 0, 0)...),
		"wildcard":                 append([]byte{0x32, 21, 0, 17}, []byte("cityflow/traffic/\x00\x01#")...),
	} {
		for _, version := range []byte{4, 5} {
			c := dial(t, b.Addr(), connectOptions{id: "odd", version: version})
			one := encode(t, publish(topic, 1, 1, name), version)
			if _, err := c.conn.Write(append(one, nonsense...)); err != nil {
				t.Fatal(err)
			}
			h.wait(t, 1)
			c.expectSomeEnd()
			h.answerAll(nil)
		}
	}
	good := dial(t, b.Addr(), connectOptions{id: "good", version: 4})
	good.publish(topic, 1, 1, "x")
	h.wait(t, 1)
	h.answerAll(nil)
	good.expectAck(packets.Puback, 1)
}

// expectSomeEnd reads until the connection ends.
func (c *client) expectSomeEnd() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	var timeout net.Error
	if _, err := io.Copy(io.Discard, c.conn); errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Error("the connection stays open")
	}
}

// An intake that panics costs its connection, and nothing of the room for the others.
func TestPanicGivesRoomBack(t *testing.T) {
	cfg := testConfig()
	cfg.MaxPacketBytes, cfg.MaxWaitingBytes = 2000, 2000
	b := start(t, cfg, broker.Intake{
		Match: func(topic string) bool { return strings.HasPrefix(topic, "cityflow/traffic/") },
		HandleAll: func(ms []broker.Message, done func(error)) {
			if bytes.HasPrefix(ms[0].Payload, []byte("poison")) {
				panic("cannot stand it")
			}
			done(nil)
		},
	})
	for i := range 4 {
		c := dial(t, b.Addr(), connectOptions{id: fmt.Sprint("bad", i), version: 4})
		c.publish(topic, 1, 1, "poison"+strings.Repeat("x", 1000))
		c.expectEnd()
	}
	good := dial(t, b.Addr(), connectOptions{id: "good", version: 4})
	good.publish(topic, 1, 1, strings.Repeat("x", 1500))
	good.expectAck(packets.Puback, 1)
	if err := b.CloseDoor(t.Context()); err != nil {
		t.Error(err)
	}
}

// Messages count as signs of life, and silence after them ends the connection.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	b := start(t, testConfig(), broker.Intake{
		Match:     func(topic string) bool { return strings.HasPrefix(topic, "cityflow/traffic/") },
		HandleAll: func(_ []broker.Message, done func(error)) { done(nil) },
	})
	c := dialRaw(t, b.Addr(), 4)
	connect := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}}
	connect.Connect = packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: "s", Clean: true, Keepalive: 1}
	c.send(connect)
	c.expect(packets.Connack)
	for i := range uint16(5) { // longer than silence is allowed
		time.Sleep(400 * time.Millisecond)
		c.publish(topic, 1, i+1, "x")
		c.expectAck(packets.Puback, i+1)
	}
	c.expectEnd()
}
