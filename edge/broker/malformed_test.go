package broker_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/2zrhun/city-flow/edge/broker"
)

// catalogue is valid packets of every type, in several forms, from mochi's own table of
// conformance cases; by name.
func catalogue(t testing.TB, version byte) map[string][]byte {
	t.Helper()
	out, types := map[string][]byte{}, map[byte]bool{}
	for packetType, cases := range packets.TPacketData {
		for _, c := range cases {
			if c.Packet == nil || c.FailFirst != nil || c.Expect != nil || (version == 5) != (c.Packet.ProtocolVersion == 5) {
				continue
			}
			if whole, _ := bodyOf(c.RawBytes); whole {
				out[packets.PacketNames[packetType]+": "+c.Desc] = c.RawBytes
				types[packetType] = true
			}
		}
	}
	// MQTT 5 has AUTH beside the 14 of before; the two pings, alike in both, are in the
	// table once.
	if want := map[byte]int{4: 14, 5: 13}[version]; len(types) != want {
		t.Fatalf("the catalogue for version %d has %d types of packets, want %d", version, len(types), want)
	}
	return out
}

// bodyOf reports whether raw is one whole packet, and returns what follows its length.
func bodyOf(raw []byte) (whole bool, body []byte) {
	if len(raw) < 2 {
		return false, nil
	}
	n, used, err := packets.DecodeLength(bytes.NewReader(raw[1:]))
	return err == nil && len(raw) == 1+used+n, raw[min(len(raw), 1+used):]
}

// withBody is a packet with another body and the right length: a decoder that trusts
// anything but the length reads past its end.
func withBody(first byte, body []byte) []byte {
	out := []byte{first}
	for n := len(body); ; {
		b := byte(n & 0x7f)
		if n >>= 7; n == 0 {
			return append(append(out, b), body...)
		}
		out = append(out, b|0x80)
	}
}

// A siege is a broker, somebody who sends it nonsense, and two clients that must not
// notice.
type siege struct {
	t        testing.TB
	b        *broker.Broker
	sub, pub *client
	n        uint16
	// greeting is a CONNECT by version.
	greeting map[byte][]byte
}

func besiege(t testing.TB) *siege {
	t.Helper()
	b := start(t, testConfig(), broker.Intake{
		Match:  func(topic string) bool { return strings.HasPrefix(topic, "a/") },
		Handle: func(_ string, _ []byte, done func(error)) { done(nil) },
	})
	s := &siege{t: t, b: b, greeting: map[byte][]byte{4: encode(t, connectPacket("attacker"), 4), 5: encode(t, connectPacket("attacker"), 5)}}
	s.sub = dial(t, b.Addr(), connectOptions{id: "sub", version: 5})
	s.pub = dial(t, b.Addr(), connectOptions{id: "pub", version: 4})
	s.sub.subscribe("witness/only", 1)
	return s
}

// check uses the connections that were there before the siege.
func (s *siege) check() {
	s.t.Helper()
	s.n = s.n%60_000 + 1
	want := strconv.Itoa(int(s.n))
	s.pub.publish("witness/only", 1, s.n, want)
	s.pub.expectAck(packets.Puback, s.n)
	got := s.sub.expect(packets.Publish)
	if string(got.Payload) != want {
		s.t.Fatalf("the subscriber sees %q, want %q", got.Payload, want)
	}
	s.sub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: got.PacketID})
}

// send sends bytes on a connection of their own, which is over when it returns. Source
// spreads the connections over addresses, because each keeps its port for a minute.
func (s *siege) send(source uint32, parts ...[]byte) {
	ip := binary.BigEndian.AppendUint32(nil, 127<<24|source%(1<<16)+2)
	from := &net.TCPAddr{IP: ip}
	conn, err := (&net.Dialer{Timeout: patience, LocalAddr: from}).Dial("tcp", s.b.Addr())
	if err != nil {
		s.t.Errorf("the broker does not answer: %v", err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(bytes.Join(parts, nil)); err != nil {
		return // it was cut off before
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	if _, err := io.Copy(io.Discard, conn); os.IsTimeout(err) {
		s.t.Errorf("the broker keeps a connection that has ended: sent % x", bytes.Join(parts, nil))
	}
}

// Every truncation of every packet, as a packet of its own and as the end of the
// connection, costs that connection at most.
func TestTruncatedPackets(t *testing.T) {
	s := besiege(t)
	sent := uint32(0)
	for _, version := range []byte{4, 5} {
		packs := catalogue(t, version)
		for _, name := range slices.Sorted(maps.Keys(packs)) {
			raw := packs[name]
			_, body := bodyOf(raw)
			for n := range len(body) {
				short := withBody(raw[0], body[:n])
				if raw[0]>>4 == packets.Connect {
					s.send(sent, short)
				} else {
					s.send(sent, s.greeting[version], short)
				}
				sent++
			}
			s.send(sent, s.greeting[version], raw[:len(raw)-1])
			sent++
			s.check()
		}
	}
	t.Logf("%d truncated packets", sent)
}

// mutate damages a packet: bytes changed, cut, doubled or put in, the length mostly right.
func mutate(rnd *rand.Rand, raw []byte) []byte {
	first := raw[0]
	_, body := bodyOf(raw)
	body = slices.Clone(body)
	if rnd.IntN(8) == 0 {
		first = byte(rnd.Uint32())
	}
	for range 1 + rnd.IntN(4) {
		at := 0
		if len(body) > 0 {
			at = rnd.IntN(len(body))
		}
		switch rnd.IntN(5) {
		case 0:
			body = body[:at]
		case 1:
			body = slices.Insert(body, at, byte(rnd.Uint32()))
		case 2:
			body = append(body, body[at:]...)
		default:
			if len(body) > 0 {
				body[at] ^= 1 << rnd.IntN(8)
			}
		}
	}
	out := withBody(first, body)
	if rnd.IntN(8) == 0 {
		out[1+rnd.IntN(len(out)-1)] = byte(rnd.Uint32())
	}
	return out
}

// Random damage leaves the broker and the others alone: 2,000 packets, or a million with
// CITYFLOW_E2E=long.
func TestDamagedPackets(t *testing.T) {
	const workers = 8
	count := 2_000
	if os.Getenv("CITYFLOW_E2E") == "long" {
		count = 1_000_000
	}
	s := besiege(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d packets from seed %d", count, seed)
	versions := []byte{4, 5}
	packs := map[byte][][]byte{}
	for _, v := range versions {
		all := catalogue(t, v)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			packs[v] = append(packs[v], all[name])
		}
	}
	const round = 2_000
	for done := 0; done < count && !t.Failed(); done += round {
		var wg sync.WaitGroup
		for w := range workers {
			rnd := rand.New(rand.NewPCG(seed, uint64(done+w)))
			wg.Go(func() {
				for i := range round / workers {
					v := versions[rnd.IntN(2)]
					bad := mutate(rnd, packs[v][rnd.IntN(len(packs[v]))])
					parts := [][]byte{bad}
					if bad[0]>>4 != packets.Connect {
						parts = [][]byte{s.greeting[v], bad}
					}
					s.send(uint32(done+w*round+i), parts...)
				}
			})
		}
		wg.Wait()
		s.check()
	}
}

// Whatever a client sends, before or after it has logged in.
func FuzzPackets(f *testing.F) {
	for _, v := range []byte{4, 5} {
		for _, raw := range catalogue(f, v) {
			f.Add(v == 5, raw)
		}
	}
	s := besiege(f)
	sent := uint32(0)
	f.Fuzz(func(_ *testing.T, five bool, data []byte) {
		version := byte(4)
		if five {
			version = 5
		}
		sent++
		s.send(sent, data)
		s.send(sent, s.greeting[version], data)
	})
}
