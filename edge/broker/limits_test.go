package broker_test

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/edge/broker"
)

func TestPacketSizeIsBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxPacketBytes = 1000
	b := start(t, cfg, broker.Intake{})
	for _, version := range []byte{4, 5} {
		c := dial(t, b.Addr(), connectOptions{id: fmt.Sprint("c", version), version: version})
		c.publish("t", 1, 1, strings.Repeat("x", 900))
		c.expectAck(packets.Puback, 1)
		c.publish("t", 1, 2, strings.Repeat("x", 1001))
		c.expectEnd()
	}
}

// A size that is only announced takes no memory and no time.
func TestAnnouncedSizeIsBounded(t *testing.T) {
	b := start(t, testConfig(), broker.Intake{})
	c := dial(t, b.Addr(), connectOptions{id: "c", version: 4})
	if _, err := c.conn.Write([]byte{packets.Publish << 4, 0xff, 0xff, 0xff, 0x7f, 0, 1, 'a'}); err != nil {
		t.Fatal(err)
	}
	c.expectEnd()
}

func TestClientsAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxClients = 3
	b := start(t, cfg, broker.Intake{})
	first := dial(t, b.Addr(), connectOptions{id: "0", version: 5, keep: true})
	dial(t, b.Addr(), connectOptions{id: "1", version: 5})
	first.conn.Close() // its session is kept, and counts
	waitFor(t, "the first to be gone", func() bool { return b.Clients() == 1 })
	dial(t, b.Addr(), connectOptions{id: "2", version: 5})
	late := dialRaw(t, b.Addr(), 5)
	late.send(connectPacket("3"))
	if pk, err := late.read(patience); err == nil && pk.ReasonCode == 0 {
		t.Error("a client beyond the bound gets in")
	}
	late.conn.Close()
	waitFor(t, "the late one to be gone", func() bool { return b.Clients() == 2 })
	dial(t, b.Addr(), connectOptions{id: "0", version: 5, keep: true}) // a known one comes back
}

func connectPacket(id string) packets.Packet {
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}}
	pk.Connect = packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, ClientIdentifier: id, Keepalive: 60}
	return pk
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A session ends when the broker's bound says so, whatever the client asked for.
func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.SessionExpiry = time.Second
	b := start(t, cfg, broker.Intake{})
	o := connectOptions{id: "c", version: 5, keep: true} // asks for 300 s
	c := dial(t, b.Addr(), o)
	c.subscribe("news", 1)
	c.conn.Close()
	waitFor(t, "it to be gone", func() bool { return b.Clients() == 0 })
	again := dialRaw(t, b.Addr(), 5)
	if !again.connect(o).SessionPresent {
		t.Error("the session ended at once")
	}
	again.conn.Close()
	// Whoever asks for the session makes a new one, so a test cannot ask twice: it waits
	// for longer than the bound, the broker's round of a second, and its whole seconds.
	time.Sleep(3500 * time.Millisecond)
	if dialRaw(t, b.Addr(), 5).connect(o).SessionPresent {
		t.Error("the session is kept for longer than the bound")
	}
}

// A subscriber that does not read keeps a bounded number of messages waiting; the
// others are dropped and counted, and its publisher is not held up.
func TestOutboundIsBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxOutbound, cfg.WriteTimeout = 8, 20*time.Second
	reg := prometheus.NewRegistry()
	b, err := broker.New(cfg, broker.Intake{}, nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, b)
	slow := dial(t, b.Addr(), connectOptions{id: "slow", version: 4})
	slow.subscribe("news", 0)
	big := make([]byte, 200_000)
	for range 100 {
		if err := b.Publish(broker.Message{Topic: "news", Payload: big}); err != nil {
			t.Fatal(err)
		}
	}
	if got := metric(t, reg, "cityflow_edge_broker_dropped_messages_total"); got < 50 {
		t.Errorf("%v of 100 messages were dropped", got)
	}
}

// metric is the value of a counter or gauge.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// What is on its way to one subscriber, or kept for it while it is away, is bounded.
func TestUnackedIsBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxUnacked = 5
	b := start(t, cfg, broker.Intake{})
	o := connectOptions{id: "c", version: 4, keep: true}
	c := dial(t, b.Addr(), o)
	c.subscribe("news", 1)
	c.conn.Close()
	waitFor(t, "it to be gone", func() bool { return b.Clients() == 0 })
	for i := range 20 {
		if err := b.Publish(broker.Message{Topic: "news", Payload: fmt.Append(nil, i), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	back := dial(t, b.Addr(), o)
	for range 5 {
		back.expect(packets.Publish)
	}
	back.expectSilence()
}

// maxIdleBytes is what one client that does nothing may cost; the queue for what goes out
// to it is allocated up front.
const maxIdleBytes = 56 << 10

func TestIdleClientsAreSmall(t *testing.T) {
	const clients = 500
	cfg := testConfig()
	cfg.MaxOutbound = 1024 // as cmd/edge has it
	b := start(t, cfg, broker.Intake{Match: func(string) bool { return true }, Handle: func(_ string, _ []byte, done func(error)) { done(nil) }})
	before := memory()
	for i := range clients {
		conn, err := net.DialTimeout("tcp", b.Addr(), patience)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(encode(t, connectPacket(fmt.Sprint(i)), 4)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := conn.Read(make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
	each := (memory() - before) / clients
	t.Logf("%d bytes for each idle client", each)
	if each > maxIdleBytes {
		t.Errorf("an idle client takes %d bytes, want at most %d", each, maxIdleBytes)
	}
}

// memory is what heap and stacks take, in bytes.
func memory() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
