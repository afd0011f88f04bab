package broker

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/prometheus/client_golang/prometheus"
)

// A chopped connection delivers a stream in pieces of random length.
type chopped struct {
	net.Conn // for the methods that are not called
	rest     []byte
	random   *rand.Rand
	whole    bool
}

func (c *chopped) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := min(len(p), len(c.rest))
	if !c.whole {
		n = 1 + c.random.IntN(min(n, 1+c.random.IntN(2000)))
	}
	n = copy(p, c.rest[:n])
	c.rest = c.rest[n:]
	return n, nil
}

func (c *chopped) SetReadDeadline(time.Time) error  { return nil }
func (c *chopped) SetWriteDeadline(time.Time) error { return nil }
func (c *chopped) Write(p []byte) (int, error)      { return len(p), nil }
func (c *chopped) Close() error                     { return nil }
func (c *chopped) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *chopped) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// What the intake gets and what mochi gets are together the stream, each packet whole, at
// one of the two and in its order, however the stream was cut.
func TestEveryPacketGoesToOneOfTwo(t *testing.T) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 1))
		version := byte(4 + seed%2)
		var stream, mochi []byte
		var intake, got []string
		for range 80 {
			packet, payload := somePacket(t, random, version)
			stream = append(stream, packet...)
			if payload != "" {
				intake = append(intake, payload)
			} else {
				mochi = append(mochi, packet...)
			}
		}
		c := testConn(t, &chopped{rest: stream, random: random, whole: seed < 2}, version, func(ms []Message, done func(error)) {
			for _, m := range ms {
				got = append(got, m.Topic+" "+string(m.Payload))
			}
			done(nil)
		})
		var passed []byte
		p := make([]byte, 1+random.IntN(5000))
		for {
			n, err := c.Read(p[:1+random.IntN(len(p))])
			passed = append(passed, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(passed, mochi) {
			t.Errorf("seed %d: mochi reads %d bytes, want %d", seed, len(passed), len(mochi))
		}
		if strings.Join(got, "\n") != strings.Join(intake, "\n") {
			t.Errorf("seed %d: the intake has %d messages, want %d", seed, len(got), len(intake))
		}
	}
}

// testConn is a connection on which a session has been established.
func testConn(t *testing.T, raw net.Conn, version byte, handle func([]Message, func(error))) *conn {
	t.Helper()
	cfg := Default()
	cfg.Addr = "127.0.0.1:0"
	b, err := New(cfg, Intake{
		Match:     func(topic string) bool { return strings.HasPrefix(topic, "in/") },
		HandleAll: handle,
	}, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.port.ln.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &conn{Conn: raw, b: b, writeTimeout: time.Second, local: true}
	c.who.Store(&identity{rights: &rights{all: true}})
	cl := b.server.NewClient(c, "tcp", "test", false)
	cl.Properties.ProtocolVersion = version
	c.attach(cl)
	return c
}

// somePacket makes a packet of any kind that a client may send. payload is its topic and
// payload when it is one of those that the intake gets without mochi.
func somePacket(t *testing.T, random *rand.Rand, version byte) (packet []byte, payload string) {
	t.Helper()
	pk := packets.Packet{ProtocolVersion: version, FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "in/sensor"}
	pk.Payload = []byte(strings.Repeat("x", random.IntN(400)))
	pk.PacketID = uint16(1 + random.IntN(1<<16-1))
	fast := true
	switch random.IntN(12) {
	case 0:
		return encoded(t, pk.PingreqEncode, &pk, packets.Pingreq), ""
	case 1:
		pk.Filters = packets.Subscriptions{{Filter: "in/#"}}
		pk.FixedHeader.Qos = 1
		return encoded(t, pk.SubscribeEncode, &pk, packets.Subscribe), ""
	case 2:
		pk.FixedHeader.Qos = 1
		return encoded(t, pk.PubrelEncode, &pk, packets.Pubrel), ""
	case 3:
		pk.TopicName, fast = "out/"+strings.Repeat("y", random.IntN(300)), false
	case 4:
		pk.FixedHeader.Qos, fast = 2, false
	case 5:
		pk.Payload, fast = make([]byte, maxInbox+random.IntN(100_000)), false
	case 6:
		pk.Payload = make([]byte, random.IntN(maxInbox-100))
	case 7:
		if version >= 5 {
			pk.Properties.User, fast = []packets.UserProperty{{Key: "k", Val: "v"}}, false
		}
	case 8:
		pk.FixedHeader.Retain = true
	case 9:
		pk.FixedHeader.Dup, pk.FixedHeader.Qos = true, 1
	case 10:
		pk.TopicName = "in/" + string(rune('a'+random.IntN(26))) + strings.Repeat("z", random.IntN(4))
	}
	if pk.FixedHeader.Qos == 0 {
		pk.FixedHeader.Qos = byte(random.IntN(2))
	}
	if fast {
		payload = pk.TopicName + " " + string(pk.Payload)
	}
	return encoded(t, pk.PublishEncode, &pk, packets.Publish), payload
}

func encoded(t *testing.T, encode func(*bytes.Buffer) error, pk *packets.Packet, kind byte) []byte {
	t.Helper()
	pk.FixedHeader.Type = kind
	var buf bytes.Buffer
	if err := encode(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// Whatever is taken out of the stream, mochi would have read in the same way.
func FuzzParsePublish(f *testing.F) {
	for _, version := range []byte{4, 5} {
		random := rand.New(rand.NewPCG(1, 2))
		for range 30 {
			pk := packets.Packet{ProtocolVersion: version, TopicName: "in/s", PacketID: 7, Payload: []byte("{}")}
			pk.FixedHeader.Qos, pk.FixedHeader.Retain = byte(random.IntN(3)), random.IntN(2) == 0
			if random.IntN(2) == 0 {
				pk.Properties.User = []packets.UserProperty{{Key: "k", Val: "v"}}
			}
			var buf bytes.Buffer
			pk.FixedHeader.Type = packets.Publish
			if err := pk.PublishEncode(&buf); err != nil {
				f.Fatal(err)
			}
			f.Add(buf.Bytes()[:buf.Len()-random.IntN(3)], version)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte, version byte) {
		size, whole := packetSize(p)
		if !whole || p[0]>>4 != packets.Publish {
			return
		}
		if size < 2 || size > len(p) {
			t.Fatalf("a whole packet of %d bytes in %d", size, len(p))
		}
		m, ok := parsePublish(p[:size], version)
		if !ok || !plainTopic(string(m.rawTopic)) {
			return
		}
		pk := packets.Packet{ProtocolVersion: min(version, 5)}
		if err := pk.FixedHeader.Decode(p[0]); err != nil {
			t.Fatalf("mochi refuses the header: %v", err)
		}
		in := bytes.NewReader(p[1:])
		n, _, err := packets.DecodeLength(in)
		if err != nil {
			t.Fatalf("mochi refuses the length: %v", err)
		}
		body := p[size-n : size]
		if err := pk.PublishDecode(body); err != nil {
			t.Fatalf("mochi refuses the packet: %v", err)
		}
		if code := pk.PublishValidate(256); code != packets.CodeSuccess {
			t.Fatalf("mochi judges %v", code)
		}
		if pk.TopicName != string(m.rawTopic) || !bytes.Equal(pk.Payload, m.payload) || pk.PacketID != m.id ||
			pk.FixedHeader.Qos != m.qos || pk.FixedHeader.Dup != m.dup {
			t.Fatalf("mochi reads %+v, we %+v", pk, m)
		}
	})
}
