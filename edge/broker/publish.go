package broker

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

const publishType = packets.Publish

// packetSize reads the length of the packet that begins in p, its header included. It is 0
// while that cannot be said yet, and negative when it will never be. whole says that all of
// the packet is in p.
func packetSize(p []byte) (size int, whole bool) {
	const mostLengthBytes = 4
	for i := 1; i < len(p) && i <= mostLengthBytes; i++ {
		size |= int(p[i]&0x7f) << (7 * (i - 1))
		if p[i] < 0x80 {
			size += 1 + i
			return size, size <= len(p)
		}
	}
	if len(p) > mostLengthBytes {
		return -1, false
	}
	return 0, false
}

// parsePublish takes a whole PUBLISH apart without copying. It reports false for a packet
// that is wrong, and for one that is out of the ordinary: at QoS 2, with MQTT 5
// properties, with a topic alias instead of a topic.
func parsePublish(packet []byte, version byte) (m pending, ok bool) {
	flags := packet[0]
	m.qos, m.dup = flags>>1&3, flags&8 != 0
	if m.qos > 1 || m.dup && m.qos == 0 {
		return m, false
	}
	at := 1
	for packet[at] >= 0x80 {
		at++
	}
	rest := packet[at+1:]
	if len(rest) < 2 {
		return m, false
	}
	n := int(binary.BigEndian.Uint16(rest))
	if rest = rest[2:]; n == 0 || len(rest) < n {
		return m, false
	}
	m.rawTopic, rest = rest[:n], rest[n:]
	if m.qos > 0 {
		if len(rest) < 2 {
			return m, false
		}
		if m.id, rest = binary.BigEndian.Uint16(rest), rest[2:]; m.id == 0 {
			return m, false
		}
	}
	if version >= 5 {
		if len(rest) == 0 || rest[0] != 0 {
			return m, false
		}
		rest = rest[1:]
	}
	m.payload = rest
	return m, true
}

// plainTopic reports whether mochi would take a message on the topic.
func plainTopic(topic string) bool {
	return utf8.ValidString(topic) && bytes.IndexByte([]byte(topic), 0) < 0 && mqtt.IsValidFilter(topic, true)
}
