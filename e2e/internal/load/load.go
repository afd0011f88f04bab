package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// A Plan says what is published.
type Plan struct {
	// Addr is the broker's host:port.
	Addr string
	// Connections are opened, and each has at most InFlight messages that are not
	// acknowledged (1 to 1000).
	Connections, InFlight int
	// Messages is how many are published, on all connections together.
	Messages int
	// Rate is how many are published in a second, on all connections together; 0
	// is as many as are acknowledged. At a rate, a message's latency counts from
	// when it was due, so that a broker that stalls is not spared.
	Rate float64
	// Message makes the n-th message of a connection. It is called from all
	// connections' goroutines.
	Message func(connection, n int) (topic string, payload []byte)
	// Prepared is how many messages of each connection are made before the clock
	// starts and then repeated; 0 makes each when it is due.
	Prepared int
}

// A Result is what Run measured.
type Result struct {
	Messages int
	// Took is from the first message to the last acknowledgement.
	Took time.Duration
	// latencies are sorted, from sending a message to its acknowledgement.
	latencies []time.Duration
}

// PerSecond is the rate at which messages were acknowledged.
func (r Result) PerSecond() float64 { return float64(r.Messages) / r.Took.Seconds() }

// Latency is the time in which a share p, from 0 to 1, of the messages was
// acknowledged.
func (r Result) Latency(p float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(p*float64(len(r.latencies))), len(r.latencies)-1)]
}

// Run connects, publishes and returns when everything is acknowledged. The error is the
// first of any connection.
func Run(p Plan) (Result, error) {
	publishers := make([]*publisher, p.Connections)
	var errs []error
	for i := range publishers {
		pub, err := newPublisher(&p, i)
		errs = append(errs, err)
		publishers[i] = pub
		if err != nil {
			break
		}
		defer pub.conn.Close()
	}
	if err := errors.Join(errs...); err != nil {
		return Result{}, err
	}
	results := make([]error, len(publishers))
	var all sync.WaitGroup
	start := time.Now()
	for i, pub := range publishers {
		all.Go(func() {
			if results[i] = pub.run(start); results[i] != nil {
				results[i] = fmt.Errorf("connection %d, %d of %d messages acknowledged: %w", i, pub.acked, pub.total, results[i])
			}
		})
	}
	all.Wait()
	r := Result{Messages: p.Messages, Took: time.Since(start)}
	for _, pub := range publishers {
		r.latencies = append(r.latencies, pub.latencies...)
	}
	slices.Sort(r.latencies)
	return r, errors.Join(results...)
}

// A publisher is one connection.
type publisher struct {
	plan   *Plan
	number int
	conn   net.Conn
	total  int

	prepared []publish
	made     []byte // of a message that was not prepared
	out      []byte
	sent     int
	acked    int
	// due is when the message with an identifier was due, the zero time for an
	// identifier that is free.
	due       []time.Time
	free      []uint16
	latencies []time.Duration
	in        [4 << 10]byte
	have      int // bytes in in
}

// A publish is an encoded message whose identifier is still to be written.
type publish struct {
	packet []byte
	id     int
}

func newPublisher(p *Plan, number int) (*publisher, error) {
	pub := &publisher{plan: p, number: number, total: p.Messages / p.Connections, due: make([]time.Time, p.InFlight+1)}
	if number < p.Messages%p.Connections {
		pub.total++
	}
	pub.latencies = make([]time.Duration, 0, pub.total)
	for id := p.InFlight; id > 0; id-- {
		pub.free = append(pub.free, uint16(id))
	}
	for n := range min(p.Prepared, pub.total) {
		topic, payload := p.Message(number, n)
		packet, id := appendPublish(nil, topic, payload)
		pub.prepared = append(pub.prepared, publish{packet, id})
	}
	var err error
	pub.conn, err = dial(p.Addr, fmt.Sprint("load-", number))
	return pub, err
}

// run publishes the connection's share.
func (p *publisher) run(start time.Time) error {
	for p.acked < p.total {
		if err := p.send(start); err != nil {
			return err
		}
		wait := time.Now().Add(patience)
		if p.plan.Rate > 0 && p.sent < p.total && len(p.free) > 0 {
			wait = p.dueAt(start, p.sent)
			if len(p.free) == p.plan.InFlight { // nothing to hear
				time.Sleep(time.Until(wait))
				continue
			}
		}
		if err := p.receive(wait); err != nil {
			return err
		}
	}
	return nil
}

// dueAt is when the n-th message of this connection is due at the plan's rate; the
// connections take turns.
func (p *publisher) dueAt(start time.Time, n int) time.Time {
	turn := float64(n*p.plan.Connections + p.number)
	return start.Add(time.Duration(turn / p.plan.Rate * float64(time.Second)))
}

// send writes the messages that are due and have room, with one system call.
func (p *publisher) send(start time.Time) error {
	now := time.Now()
	p.out = p.out[:0]
	for p.sent < p.total && len(p.free) > 0 {
		due := now
		if p.plan.Rate > 0 {
			if due = p.dueAt(start, p.sent); due.After(now) {
				break
			}
		}
		id := p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
		p.due[id] = due
		p.append(id)
		p.sent++
	}
	if len(p.out) == 0 {
		return nil
	}
	_ = p.conn.SetWriteDeadline(now.Add(patience))
	if _, err := p.conn.Write(p.out); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// append encodes the next message under an identifier.
func (p *publisher) append(id uint16) {
	var m publish
	if len(p.prepared) > 0 {
		m = p.prepared[p.sent%len(p.prepared)]
	} else {
		topic, payload := p.plan.Message(p.number, p.sent)
		p.made, m.id = appendPublish(p.made[:0], topic, payload)
		m.packet = p.made
	}
	at := len(p.out) + m.id
	p.out = append(p.out, m.packet...)
	binary.BigEndian.PutUint16(p.out[at:], id)
}

// receive takes the acknowledgements that have come; it waits for some until a time.
func (p *publisher) receive(until time.Time) error {
	_ = p.conn.SetReadDeadline(until)
	n, err := p.conn.Read(p.in[p.have:])
	p.have += n
	now := time.Now()
	at := 0
	for ; p.have-at >= ackBytes; at += ackBytes {
		ack := p.in[at : at+ackBytes]
		id := int(binary.BigEndian.Uint16(ack[2:]))
		if ack[0] != typePuback || ack[1] != 2 || id >= len(p.due) || p.due[id].IsZero() {
			return fmt.Errorf("broker answers % x: want the PUBACK of a message in flight", ack)
		}
		p.latencies = append(p.latencies, now.Sub(p.due[id]))
		p.due[id] = time.Time{}
		p.free = append(p.free, uint16(id))
		p.acked++
	}
	p.have = copy(p.in[:], p.in[at:p.have])
	if errors.Is(err, os.ErrDeadlineExceeded) && p.plan.Rate > 0 && p.sent < p.total && len(p.free) > 0 {
		return nil // the next message is due
	}
	if err != nil {
		return fmt.Errorf("wait for acknowledgements: %w", err)
	}
	return nil
}
