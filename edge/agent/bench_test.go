package agent

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
)

// BenchmarkIntake measures readings per second from the socket to the synced disk: MQTT
// 3.1.1, QoS 1, 64 messages in flight on each connection. The sensors share the cores.
func BenchmarkIntake(b *testing.B) {
	for _, c := range []struct{ sensors, readings int }{{50, 1}, {1, 1}, {4, 200}, {1, 200}} {
		b.Run(fmt.Sprintf("sensors=%d/readings=%d", c.sensors, c.readings), func(b *testing.B) {
			cfg := testConfig(b.TempDir())
			cfg.Buffer.CommitInterval = 0
			cfg.Buffer.MaxBytes = 8 << 30
			a := start(b, cfg)
			messages := benchMessages(b, c.readings)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			var wg sync.WaitGroup
			for s := range c.sensors {
				n := b.N / c.sensors
				if s < b.N%c.sensors {
					n++
				}
				wg.Go(func() { benchSensor(b, a.Addr(), fmt.Sprint("bench", s), messages, n) })
			}
			wg.Wait()
			readings := float64(b.N * c.readings)
			b.ReportMetric(readings/b.Elapsed().Seconds(), "readings/s")
			// On a busy machine this tells more: sensors and agent together.
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/readings, "cpu-µs/reading")
		})
	}
}

// cpuTime is what this process used of all cores so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchMessages encodes PUBLISH packets whose identifier is still to be filled in.
func benchMessages(b *testing.B, readings int) [][]byte {
	var out [][]byte
	for i := range 64 {
		rs := traffictest.Readings(fmt.Sprint("sensor", i), readings)
		pk := packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, ProtocolVersion: 4,
			TopicName: "traffic/data", PacketID: 1, Payload: encodeSensor(b, rs...),
		}
		var buf bytes.Buffer
		if err := pk.PublishEncode(&buf); err != nil {
			b.Fatal(err)
		}
		out = append(out, buf.Bytes())
	}
	return out
}

const benchInFlight = 64

func benchSensor(b *testing.B, addr, id string, messages [][]byte, n int) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	var hello bytes.Buffer
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4}
	pk.Connect = packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: true, Keepalive: 60}
	if err := pk.ConnectEncode(&hello); err != nil {
		b.Error(err)
		return
	}
	slots := make(chan struct{}, benchInFlight)
	answers := make(chan error, 1)
	go func() { answers <- benchAnswers(conn, n, slots) }()
	out := bufio.NewWriterSize(conn, 64<<10)
	_, _ = out.Write(hello.Bytes())
	for i := range n {
		select {
		case slots <- struct{}{}:
		default:
			if err := out.Flush(); err != nil {
				b.Error(err)
				return
			}
			slots <- struct{}{}
		}
		m := messages[i%len(messages)]
		at := bytes.Index(m[:32], []byte("traffic/data")) + len("traffic/data")
		id := uint16(i%60000 + 1)
		_, _ = out.Write(m[:at])
		_, _ = out.Write([]byte{byte(id >> 8), byte(id)})
		_, _ = out.Write(m[at+2:])
	}
	if err := out.Flush(); err != nil {
		b.Error(err)
	}
	select {
	case err := <-answers:
		if err != nil {
			b.Error(err)
		}
	case <-time.After(time.Minute):
		b.Error("no answers")
	}
}

// benchAnswers reads the CONNACK and n PUBACKs, all of 4 bytes.
func benchAnswers(conn net.Conn, n int, slots <-chan struct{}) error {
	in := bufio.NewReaderSize(conn, 16<<10)
	var ack [4]byte
	for i := range n + 1 {
		if _, err := io.ReadFull(in, ack[:]); err != nil {
			return fmt.Errorf("answer %d of %d: %w", i, n, err)
		}
		if i > 0 {
			<-slots
		}
	}
	return nil
}
