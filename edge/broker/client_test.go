package broker_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// patience bounds every wait for something that should happen.
const patience = 10 * time.Second

// quiet is how long a test listens to be sure that nothing happens.
const quiet = 150 * time.Millisecond

// A client speaks MQTT packet by packet, so that a test decides what is sent when
// and sees every answer.
type client struct {
	t       testing.TB
	conn    net.Conn
	in      *bufio.Reader
	version byte
}

type connectOptions struct {
	id             string
	version        byte
	keep           bool // the session outlives the connection
	user, password string
}

func dial(t testing.TB, addr string, o connectOptions) *client {
	t.Helper()
	c := dialRaw(t, addr, o.version)
	if ack := c.connect(o); ack.ReasonCode != 0 {
		t.Fatalf("connect: refused with code %#x", ack.ReasonCode)
	}
	return c
}

func dialRaw(t testing.TB, addr string, version byte) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, in: bufio.NewReader(conn), version: version}
}

func (c *client) connect(o connectOptions) packets.Packet {
	c.t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: o.version}
	pk.Connect.ProtocolName = []byte("MQTT")
	pk.Connect.ClientIdentifier = o.id
	pk.Connect.Clean = !o.keep
	pk.Connect.Keepalive = 60
	if o.keep && o.version == 5 {
		pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 300, true
	}
	if o.user != "" {
		pk.Connect.UsernameFlag, pk.Connect.Username = true, []byte(o.user)
		pk.Connect.PasswordFlag, pk.Connect.Password = true, []byte(o.password)
	}
	c.send(pk)
	return c.expect(packets.Connack)
}

func (c *client) send(pk packets.Packet) {
	c.t.Helper()
	if _, err := c.conn.Write(encode(c.t, pk, c.version)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func encode(t testing.TB, pk packets.Packet, version byte) []byte {
	t.Helper()
	pk.ProtocolVersion = version
	var buf bytes.Buffer
	encoders := map[byte]func(*bytes.Buffer) error{
		packets.Connect: pk.ConnectEncode, packets.Publish: pk.PublishEncode, packets.Puback: pk.PubackEncode,
		packets.Pubrel: pk.PubrelEncode, packets.Subscribe: pk.SubscribeEncode, packets.Pingreq: pk.PingreqEncode,
	}
	if err := encoders[pk.FixedHeader.Type](&buf); err != nil {
		t.Fatalf("encode: %v", err)
	}
	return buf.Bytes()
}

func (c *client) publish(topic string, qos byte, id uint16, payload string) {
	c.t.Helper()
	c.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos},
		TopicName:   topic, PacketID: id, Payload: []byte(payload),
	})
}

func (c *client) publishAgain(topic string, qos byte, id uint16, payload string) {
	c.t.Helper()
	c.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Dup: true},
		TopicName:   topic, PacketID: id, Payload: []byte(payload),
	})
}

func (c *client) subscribe(filter string, qos byte) {
	c.t.Helper()
	c.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 999,
		Filters: packets.Subscriptions{{Filter: filter, Qos: qos}},
	})
	c.expect(packets.Suback)
}

// read returns the next packet, or an error when the connection ends or nothing
// comes in time.
func (c *client) read(wait time.Duration) (packets.Packet, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(wait))
	pk := packets.Packet{ProtocolVersion: c.version}
	first, err := c.in.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	n, _, err := packets.DecodeLength(c.in)
	if err != nil {
		return pk, err
	}
	pk.FixedHeader.Remaining = n
	body := make([]byte, n)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return pk, err
	}
	decoders := map[byte]func([]byte) error{
		packets.Connack: pk.ConnackDecode, packets.Publish: pk.PublishDecode, packets.Puback: pk.PubackDecode,
		packets.Pubrec: pk.PubrecDecode, packets.Pubcomp: pk.PubcompDecode, packets.Suback: pk.SubackDecode,
		packets.Disconnect: pk.DisconnectDecode, packets.Pingresp: func([]byte) error { return nil },
	}
	return pk, decoders[pk.FixedHeader.Type](body)
}

func (c *client) expect(packetType byte) packets.Packet {
	c.t.Helper()
	pk, err := c.read(patience)
	if err != nil {
		c.t.Fatalf("want a %s: %v", packets.PacketNames[packetType], err)
	}
	if pk.FixedHeader.Type != packetType {
		c.t.Fatalf("want a %s, got a %s", packets.PacketNames[packetType], packets.PacketNames[pk.FixedHeader.Type])
	}
	return pk
}

func (c *client) expectAck(packetType byte, id uint16) {
	c.t.Helper()
	pk := c.expect(packetType)
	if pk.PacketID != id || pk.ReasonCode >= 0x80 {
		c.t.Fatalf("want a %s for %d, got one for %d with code %#x", packets.PacketNames[packetType], id, pk.PacketID, pk.ReasonCode)
	}
}

func (c *client) expectSilence() {
	c.t.Helper()
	if pk, err := c.read(quiet); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("want nothing, got packet %q, error %v", packets.PacketNames[pk.FixedHeader.Type], err)
	}
}

// expectEnd reads until the connection ends and returns the reason of a DISCONNECT, 0
// without one. Acknowledgements on the way are an error.
func (c *client) expectEnd() byte {
	c.t.Helper()
	var reason byte
	for {
		pk, err := c.read(patience)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.t.Fatal("the connection stays open")
		case err != nil:
			return reason
		case pk.FixedHeader.Type == packets.Disconnect:
			reason = pk.ReasonCode
		default:
			c.t.Fatalf("want the connection to end, got a %s", packets.PacketNames[pk.FixedHeader.Type])
		}
	}
}
