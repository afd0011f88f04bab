package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// patience bounds every wait for an answer.
const patience = 30 * time.Second

// The first bytes of the packets that are written and read here.
const (
	typeConnect   = 0x10
	typeConnack   = 0x20
	typePublish   = 0x30
	typePuback    = 0x40
	typeSubscribe = 0x82
	typeSuback    = 0x90
	qos1          = 0x02
)

// ackBytes is the length of a PUBACK and of a CONNACK in MQTT 3.1.1.
const ackBytes = 4

// dial connects a client without a name, with a clean session and without keep-alive.
func dial(addr, id string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, fmt.Errorf("connect to broker: %w", err)
	}
	body := append(appendText(nil, "MQTT"), 4 /* level: 3.1.1 */, 2 /* clean session */, 0, 0)
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = conn.Write(appendPacket(nil, typeConnect, appendText(body, id)))
	var answer [ackBytes]byte
	if err == nil {
		_, err = io.ReadFull(conn, answer[:])
	}
	if err == nil && (answer[0] != typeConnack || answer[3] != 0) {
		err = fmt.Errorf("broker answers % x: want it to accept the connection", answer)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect %s: %w", id, err)
	}
	return conn, conn.SetDeadline(time.Time{})
}

func appendPacket(p []byte, first byte, body []byte) []byte {
	p = append(p, first)
	p = binary.AppendUvarint(p, uint64(len(body))) // MQTT writes lengths as protobuf does
	return append(p, body...)
}

func appendText(p []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(p, uint16(len(s))), s...)
}

// appendPublish writes a PUBLISH at QoS 1 and returns where in p its identifier stands.
func appendPublish(p []byte, topic string, payload []byte) (out []byte, id int) {
	p = append(p, typePublish|qos1)
	p = binary.AppendUvarint(p, uint64(2+len(topic)+2+len(payload)))
	p = appendText(p, topic)
	id = len(p)
	return append(append(p, 0, 0), payload...), id
}

// A packet is one that came in.
type packet struct {
	first byte
	body  []byte
}

// maxPacket is more than any broker here lets through.
const maxPacket = 4 << 20

func readPacket(in *bufio.Reader) (packet, error) {
	first, err := in.ReadByte()
	if err != nil {
		return packet{}, err
	}
	n, err := binary.ReadUvarint(in)
	if err != nil || n > maxPacket {
		return packet{}, errors.Join(fmt.Errorf("a packet of %d bytes", n), err)
	}
	p := packet{first, make([]byte, n)}
	_, err = io.ReadFull(in, p.body)
	return p, err
}

// publication takes a PUBLISH apart; id is 0 at QoS 0.
func (p packet) publication() (topic string, id uint16, payload []byte, err error) {
	rest := p.body
	cut := func(n int) []byte {
		if len(rest) < n {
			err = fmt.Errorf("a PUBLISH of %d bytes ends early", len(p.body))
			return make([]byte, n)
		}
		head := rest[:n]
		rest = rest[n:]
		return head
	}
	topic = string(cut(int(binary.BigEndian.Uint16(cut(2)))))
	if p.first&(qos1|qos1<<1) != 0 {
		id = binary.BigEndian.Uint16(cut(2))
	}
	return topic, id, rest, err
}
