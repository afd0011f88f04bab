package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/edge/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "cityflow/traffic/S1"

// A hand is an intake that keeps messages waiting until the test answers them.
type hand struct {
	mu   sync.Mutex
	got  []string
	done []func(error)
	more chan struct{}
}

func newHand() *hand { return &hand{more: make(chan struct{}, 1_000_000)} }

func (h *hand) intake() broker.Intake {
	return broker.Intake{
		Match: func(topic string) bool { return strings.HasPrefix(topic, "cityflow/traffic/") },
		Handle: func(_ string, payload []byte, done func(error)) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.got = append(h.got, string(payload))
			h.done = append(h.done, done)
			h.more <- struct{}{}
		},
	}
}

// wait returns when n more messages have come in.
func (h *hand) wait(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-h.more:
		case <-time.After(patience):
			t.Fatal("the message does not come in")
		}
	}
}

// answer finishes the oldest n messages.
func (h *hand) answer(n int, err error) {
	h.mu.Lock()
	done := h.done[:n]
	h.done = h.done[n:]
	h.mu.Unlock()
	for _, d := range done {
		d(err)
	}
}

func (h *hand) payloads() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.got...)
}

func testConfig() broker.Config {
	cfg := broker.Default()
	cfg.Addr = "127.0.0.1:0"
	cfg.FailurePause = 10 * time.Millisecond
	return cfg
}

func start(t testing.TB, cfg broker.Config, intake broker.Intake) *broker.Broker {
	t.Helper()
	b, err := broker.New(cfg, intake, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	run(t, b)
	return b
}

// run runs a broker until the test ends.
func run(t testing.TB, b *broker.Broker) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run broker: %v", err)
		}
	})
}

// versions runs a test with an MQTT 3.1.1 and an MQTT 5 client.
func versions(t *testing.T, test func(t *testing.T, version byte)) {
	for _, v := range []byte{4, 5} {
		t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) { test(t, v) })
	}
}

func TestAcknowledgesOnlyWhatIsKept(t *testing.T) {
	versions(t, func(t *testing.T, version byte) {
		h := newHand()
		b := start(t, testConfig(), h.intake())
		c := dial(t, b.Addr(), connectOptions{id: "sensor", version: version})

		c.publish(topic, 0, 0, "zero")
		c.publish(topic, 1, 7, "one")
		c.publish(topic, 2, 8, "two")
		h.wait(t, 3)
		c.expectSilence()
		h.answer(3, nil)
		c.expectAck(packets.Puback, 7)
		c.expectAck(packets.Pubrec, 8)
		c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel, Qos: 1}, PacketID: 8})
		c.expectAck(packets.Pubcomp, 8)
		if got := strings.Join(h.payloads(), " "); got != "zero one two" {
			t.Errorf("the intake got %q", got)
		}
	})
}

func TestPipelines(t *testing.T) {
	versions(t, func(t *testing.T, version byte) {
		h := newHand()
		b := start(t, testConfig(), h.intake())
		c := dial(t, b.Addr(), connectOptions{id: "sensor", version: version})
		const n = 500
		for i := range n {
			c.publish(topic, 1, uint16(i+1), "x")
		}
		h.wait(t, n) // all of them are in while none is acknowledged
		c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
		c.expect(packets.Pingresp) // and the client is still listened to
		c.expectSilence()
		h.answer(n, nil)
		for i := range n {
			c.expectAck(packets.Puback, uint16(i+1))
		}
	})
}

func TestFailureWithholdsTheAckAndEndsTheConnection(t *testing.T) {
	versions(t, func(t *testing.T, version byte) {
		h := newHand()
		b := start(t, testConfig(), h.intake())
		c := dial(t, b.Addr(), connectOptions{id: "sensor", version: version})
		c.publish(topic, 1, 1, "kept")
		c.publish(topic, 1, 2, "lost")
		c.publish(topic, 2, 3, "lost too")
		h.wait(t, 3)
		h.answer(1, nil)
		c.expectAck(packets.Puback, 1)
		h.answer(2, errors.New("disk full"))
		if reason := c.expectEnd(); version == 5 && reason != packets.ErrServerBusy.Code {
			t.Errorf("the client was told %#x, want %#x", reason, packets.ErrServerBusy.Code)
		}

		again := dial(t, b.Addr(), connectOptions{id: "sensor", version: version})
		again.publishAgain(topic, 1, 2, "lost")
		h.wait(t, 1)
		h.answer(1, nil)
		again.expectAck(packets.Puback, 2)
	})
}

func TestSentAgainWhileWaiting(t *testing.T) {
	versions(t, func(t *testing.T, version byte) {
		h := newHand()
		b := start(t, testConfig(), h.intake())
		c := dial(t, b.Addr(), connectOptions{id: "sensor", version: version})
		for _, qos := range []byte{1, 2} {
			c.publish(topic, qos, 5, "once")
			h.wait(t, 1)
			c.publishAgain(topic, qos, 5, "once")
			c.expectSilence()
			h.answer(1, nil)
			ack := map[byte]byte{1: packets.Puback, 2: packets.Pubrec}[qos]
			c.expectAck(ack, 5)
			c.expectSilence() // a second PUBACK could be taken for the next message's
		}
		if got := len(h.payloads()); got != 2 {
			t.Errorf("the intake got %d messages, want 2", got)
		}
	})
}

func TestIdentifierOfAnotherMessage(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.intake())
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 5})
	c.publish(topic, 1, 5, "first")
	h.wait(t, 1)
	c.publish(topic, 1, 5, "second")
	if reason := c.expectEnd(); reason != packets.ErrPacketIdentifierInUse.Code {
		t.Errorf("the client was told %#x", reason)
	}
	h.answer(1, nil)
	if got := h.payloads(); len(got) != 1 {
		t.Errorf("the intake got %q", got)
	}
}

func TestExactlyOnceOverReconnect(t *testing.T) {
	versions(t, func(t *testing.T, version byte) {
		h := newHand()
		b := start(t, testConfig(), h.intake())
		c := dial(t, b.Addr(), connectOptions{id: "sensor", version: version, keep: true})
		c.publish(topic, 2, 9, "once")
		h.wait(t, 1)
		h.answer(1, nil)
		c.expectAck(packets.Pubrec, 9)
		c.conn.Close()

		again := dial(t, b.Addr(), connectOptions{id: "sensor", version: version, keep: true})
		again.expectAck(packets.Pubrec, 9) // mochi repeats what it had sent
		again.publishAgain(topic, 2, 9, "once")
		again.expectAck(packets.Pubrec, 9)
		again.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel, Qos: 1}, PacketID: 9})
		again.expectAck(packets.Pubcomp, 9)
		if got := h.payloads(); len(got) != 1 {
			t.Errorf("the intake got %q", got)
		}
	})
}

func TestReceiveMaximum(t *testing.T) {
	cfg := testConfig()
	cfg.MaxWaiting = 10
	t.Run("v5 is told and cut off beyond", func(t *testing.T) {
		h := newHand()
		b := start(t, cfg, h.intake())
		c := dialRaw(t, b.Addr(), 5)
		ack := c.connect(connectOptions{id: "sensor", version: 5})
		if ack.Properties.ReceiveMaximum != 10 || ack.Properties.MaximumPacketSize != cfg.MaxPacketBytes {
			t.Errorf("CONNACK says receive maximum %d, packet size %d", ack.Properties.ReceiveMaximum, ack.Properties.MaximumPacketSize)
		}
		for round := range 3 { // the quota comes back with every acknowledgement
			for i := range uint16(10) {
				c.publish(topic, 1+byte(round)%2, i+1, "x")
			}
			h.wait(t, 10)
			h.answer(10, nil)
			for i := range uint16(10) {
				if round == 1 {
					c.expectAck(packets.Pubrec, i+1)
					continue
				}
				c.expectAck(packets.Puback, i+1)
			}
			for i := range uint16(10) {
				if round == 1 {
					c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel, Qos: 1}, PacketID: i + 1})
					c.expectAck(packets.Pubcomp, i+1)
				}
			}
		}
		for i := range uint16(11) {
			c.publish(topic, 1, i+1, "x")
		}
		if reason := c.expectEnd(); reason != packets.ErrReceiveMaximum.Code {
			t.Errorf("the client was told %#x", reason)
		}
		h.wait(t, 10)
		h.answer(10, nil)
	})
	t.Run("v4 is not read from", func(t *testing.T) {
		h := newHand()
		b := start(t, cfg, h.intake())
		c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 4})
		for i := range uint16(25) {
			c.publish(topic, 1, i+1, "x")
		}
		h.wait(t, 10)
		c.expectSilence()
		if got := len(h.payloads()); got != 10 {
			t.Fatalf("%d messages are in, want 10", got)
		}
		h.answer(10, nil)
		h.wait(t, 10)
		h.answer(10, nil)
		h.wait(t, 5)
		h.answer(5, nil)
		for i := range uint16(25) {
			c.expectAck(packets.Puback, i+1)
		}
	})
}

func TestWaitingBytesAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxPacketBytes, cfg.MaxWaitingBytes = 2000, 3000
	h := newHand()
	b := start(t, cfg, h.intake())
	var clients []*client
	for i := range 3 {
		c := dial(t, b.Addr(), connectOptions{id: fmt.Sprint(i), version: 4})
		c.publish(topic, 1, 1, strings.Repeat("x", 1000))
		c.publish(topic, 1, 2, strings.Repeat("x", 1000))
		clients = append(clients, c)
	}
	h.wait(t, 3)
	clients[0].expectSilence()
	if got := len(h.payloads()); got != 3 {
		t.Fatalf("%d messages are in, want 3", got)
	}
	h.answer(3, nil)
	h.wait(t, 3)
	h.answer(3, nil)
	for _, c := range clients {
		c.expectAck(packets.Puback, 1)
		c.expectAck(packets.Puback, 2)
	}
}

func TestSubscribersSeeWhatIsKept(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.intake())
	sub := dial(t, b.Addr(), connectOptions{id: "sub", version: 4})
	sub.subscribe("cityflow/traffic/#", 0)
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 4})
	c.publish(topic, 1, 1, "reading")
	h.wait(t, 1)
	sub.expectSilence()
	h.answer(1, nil)
	if pk := sub.expect(packets.Publish); string(pk.Payload) != "reading" || pk.TopicName != topic {
		t.Errorf("the subscriber got %q on %s", pk.Payload, pk.TopicName)
	}
	c.expectAck(packets.Puback, 1)
}

func TestCloseDoor(t *testing.T) {
	h := newHand()
	b := start(t, testConfig(), h.intake())
	sub := dial(t, b.Addr(), connectOptions{id: "sub", version: 4})
	sub.subscribe("other", 0)
	waiting := dial(t, b.Addr(), connectOptions{id: "waiting", version: 4})
	waiting.publish(topic, 1, 1, "inside")
	h.wait(t, 1)

	ctx, cancel := context.WithTimeout(context.Background(), quiet)
	defer cancel()
	if err := b.CloseDoor(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("closed the door on a waiting message: %v", err)
	}
	late := dial(t, b.Addr(), connectOptions{id: "late", version: 5})
	late.publish(topic, 1, 1, "outside")
	if reason := late.expectEnd(); reason != packets.ErrServerShuttingDown.Code {
		t.Errorf("the client was told %#x", reason)
	}
	h.answer(1, nil)
	if err := b.CloseDoor(context.Background()); err != nil {
		t.Fatal(err)
	}
	waiting.expectAck(packets.Puback, 1)
	waiting.publish("other", 0, 0, "still served")
	sub.expect(packets.Publish)
	if got := h.payloads(); len(got) != 1 {
		t.Errorf("the intake got %q", got)
	}
}

// A broker that closes while messages wait, and while a client is held back, leaves
// nothing behind: goleak looks.
func TestCloseWhileWaiting(t *testing.T) {
	cfg := testConfig()
	cfg.MaxWaiting = 2
	h := newHand()
	b, err := broker.New(cfg, h.intake(), nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	c := dial(t, b.Addr(), connectOptions{id: "sensor", version: 4})
	for i := range uint16(5) {
		c.publish(topic, 1, i+1, "x")
	}
	idle := dialRaw(t, b.Addr(), 4) // never says CONNECT
	h.wait(t, 2)
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("the broker does not close")
	}
	h.answer(2, nil) // too late for an acknowledgement, and harmless
	c.expectEnd()
	idle.expectEnd()
}
