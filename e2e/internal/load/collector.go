package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A Collector accepts every batch of one edge at once and keeps it as it came, so that
// it costs the machine as little as can be; Batches decodes them later.
type Collector struct {
	conn  net.Conn
	edge  traffic.EdgeID
	ended chan struct{}
	err   error // set before ended is closed

	mu       sync.Mutex
	arrivals []Arrival // guarded by mu
	bytes    int64     // guarded by mu
}

// An Arrival is one batch as it came. Hellos are not among them.
type Arrival struct {
	At      time.Time
	Payload []byte
}

// window is how many batches the edge may have out.
const window = 64

// Collect subscribes to an edge's batches on the broker at addr, until Close.
func Collect(addr string, edge traffic.EdgeID) (*Collector, error) {
	conn, err := dial(addr, "load-collector-"+string(edge))
	if err != nil {
		return nil, err
	}
	body := append(appendText([]byte{0, 1}, wire.BatchTopic(edge)), 1 /* QoS */)
	if _, err := conn.Write(appendPacket(nil, typeSubscribe, body)); err != nil {
		conn.Close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	c := &Collector{conn: conn, edge: edge, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.err = c.run()
	}()
	return c, nil
}

// Close disconnects and returns why the collector had ended before, if it had.
func (c *Collector) Close() error {
	c.conn.Close()
	<-c.ended
	if errors.Is(c.err, net.ErrClosed) {
		return nil
	}
	return c.err
}

// Batches are those that have come, in their order, and the bytes of their payloads.
func (c *Collector) Batches() (arrivals []Arrival, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.arrivals[:len(c.arrivals):len(c.arrivals)], c.bytes
}

// run reads until the connection ends. Answers go out when nothing more has come.
func (c *Collector) run() error {
	in := bufio.NewReaderSize(c.conn, 64<<10)
	out := bufio.NewWriterSize(c.conn, 64<<10)
	ack := wire.Ack{Window: window}
	for {
		p, err := readPacket(in)
		if err != nil {
			return fmt.Errorf("read batch: %w", err)
		}
		if err := c.take(p, out, &ack); err != nil {
			return err
		}
		if in.Buffered() > 0 && len(ack.Seqs) < wire.MaxAckSeqs {
			continue
		}
		if err := c.answer(out, &ack); err != nil {
			return err
		}
	}
}

// take keeps one batch and notes what is to be answered.
func (c *Collector) take(p packet, out *bufio.Writer, ack *wire.Ack) error {
	if p.first == typeSuback {
		return nil
	}
	if p.first&0xf0 != typePublish {
		return fmt.Errorf("broker sends a packet %#x: want a batch", p.first)
	}
	_, id, payload, err := p.publication()
	if err != nil {
		return err
	}
	h, err := wire.PeekHeader(payload)
	if err != nil {
		return fmt.Errorf("read batch: %w", err)
	}
	if id > 0 {
		_, _ = out.Write(binary.BigEndian.AppendUint16([]byte{typePuback, 2}, id)) // Flush tells
	}
	if h.Seq == 0 {
		return c.publish(out, &wire.Ack{Epoch: h.Epoch, Window: window, ServerTime: time.Now()})
	}
	if h.Epoch != ack.Epoch {
		if err := c.answer(out, ack); err != nil {
			return err
		}
	}
	ack.Epoch, ack.Seqs = h.Epoch, append(ack.Seqs, h.Seq)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrivals = append(c.arrivals, Arrival{time.Now(), payload})
	c.bytes += int64(len(payload))
	return nil
}

// answer sends what is noted.
func (c *Collector) answer(out *bufio.Writer, ack *wire.Ack) error {
	if len(ack.Seqs) > 0 {
		ack.ServerTime = time.Now()
		if err := c.publish(out, ack); err != nil {
			return err
		}
		ack.Seqs = ack.Seqs[:0]
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	if err := out.Flush(); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// publish writes an acknowledgement at QoS 0: what is lost is acknowledged again.
func (c *Collector) publish(out io.Writer, ack *wire.Ack) error {
	payload, err := wire.EncodeAck(ack)
	if err != nil {
		return err
	}
	body := append(appendText(nil, wire.AckTopic(c.edge)), payload...)
	_, err = out.Write(appendPacket(nil, typePublish, body))
	return err
}
