package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
	"github.com/2zrhun/city-flow/simulator/internal/mqttconn"
)

// firstWindow is how many batches are out before the first acknowledgement says how
// many may be.
const firstWindow = 4

// An edge is one simulated agent.
type edge struct {
	fleet *Fleet
	id    traffic.EdgeID
	epoch uint64
	gen   *generator
	left  int64 // batches still to make, -1 without end
	seq   uint64
	rows  []traffic.Reading
	news  chan struct{} // "an acknowledgement came"

	mu sync.Mutex // guards everything below
	// out are the batches without acknowledgement, in order.
	out    []*parcel
	window int
}

// A parcel is an encoded batch.
type parcel struct {
	seq      uint64
	payload  []byte
	readings int
	sent     time.Time
}

func newEdge(f *Fleet, id traffic.EdgeID, number int, epoch uint64) *edge {
	return &edge{
		fleet: f, id: id, epoch: epoch, gen: newGenerator(&f.cfg, id, number), left: f.share(number),
		rows: make([]traffic.Reading, f.cfg.Batch), news: make(chan struct{}, 1), window: firstWindow,
	}
}

// run connects, one time after the other, until all is acknowledged or ctx ends.
func (e *edge) run(ctx context.Context) error {
	var closing sync.WaitGroup // connections that are lost, but not gone
	defer closing.Wait()
	for !e.done() {
		conn, err := e.fleet.dial(ctx, e.id)
		if err != nil {
			return err
		}
		e.fleet.counts.connected.Add(1)
		err = e.session(ctx, conn)
		e.fleet.counts.connected.Add(-1)
		closing.Go(conn.Close)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			e.fleet.log.Debug("connection lost", "edge", e.id, "error", err)
		}
	}
	return nil
}

func (e *edge) done() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.left == 0 && len(e.out) == 0
}

// session works on one connection until it is lost or all is done.
func (e *edge) session(ctx context.Context, conn *mqttconn.Conn) error {
	if err := conn.Subscribe(ctx, wire.AckTopic(e.id), e.acknowledge); err != nil {
		return err
	}
	if err := e.resend(conn, 0); err != nil {
		return err
	}
	again := time.NewTicker(e.fleet.cfg.AckTimeout / 4)
	defer again.Stop()
	for !e.done() {
		idle := !e.mayMake()
		if !idle {
			if err := e.make(ctx, conn); err != nil {
				return err
			}
		}
		if err := e.attend(ctx, conn, again.C, idle); err != nil {
			return err
		}
	}
	return nil
}

// attend sees to what happens beside sending; an idle edge waits for it.
func (e *edge) attend(ctx context.Context, conn *mqttconn.Conn, again <-chan time.Time, idle bool) error {
	busy := make(chan struct{})
	if !idle {
		close(busy)
	}
	select {
	case <-conn.Lost():
		return conn.Err()
	case <-again:
		return e.resend(conn, e.fleet.cfg.AckTimeout)
	case <-e.news:
	case <-busy:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (e *edge) mayMake() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.left != 0 && len(e.out) < e.window
}

// make sends a new batch when its time has come.
func (e *edge) make(ctx context.Context, conn *mqttconn.Conn) error {
	if err := e.fleet.limiter.WaitN(ctx, len(e.rows)); err != nil {
		return err
	}
	e.gen.fill(e.rows)
	if err := until(ctx, e.rows[len(e.rows)-1].At); err != nil {
		return err
	}
	e.seq++
	payload, err := wire.EncodeBatch(&wire.Batch{Edge: e.id, Epoch: e.epoch, Seq: e.seq, Readings: e.rows})
	if err != nil {
		return fmt.Errorf("encode batch: %w", err)
	}
	p := &parcel{seq: e.seq, payload: payload, readings: len(e.rows), sent: time.Now()}
	e.mu.Lock()
	e.out = append(e.out, p)
	if e.left > 0 {
		e.left--
	}
	e.mu.Unlock()
	e.fleet.counts.sent.Add(int64(p.readings))
	_, err = conn.Publish(wire.BatchTopic(e.id), p.payload)
	return err
}

// until waits for a time.
func until(ctx context.Context, at time.Time) error {
	wait := time.Until(at)
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resend sends every batch again that is out for longer than the given time.
func (e *edge) resend(conn *mqttconn.Conn, older time.Duration) error {
	e.mu.Lock()
	var late []*parcel
	for _, p := range e.out {
		if time.Since(p.sent) >= older {
			p.sent = time.Now()
			late = append(late, p)
		}
	}
	e.mu.Unlock()
	for _, p := range late {
		e.fleet.counts.resent.Add(int64(p.readings))
		if _, err := conn.Publish(wire.BatchTopic(e.id), p.payload); err != nil {
			return err
		}
	}
	return nil
}

// acknowledge takes the collector's answer. It is called by the connection.
func (e *edge) acknowledge(payload []byte) {
	ack, err := wire.DecodeAck(payload)
	if err != nil {
		e.fleet.counts.badAcks.Add(1)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if ack.Epoch != e.epoch {
		return // for an earlier run
	}
	e.window = max(1, ack.Window)
	for _, seq := range ack.Seqs {
		for i, p := range e.out {
			if p.seq == seq {
				e.fleet.counts.acked.Add(int64(p.readings))
				e.out = append(e.out[:i], e.out[i+1:]...)
				break
			}
		}
	}
	select {
	case e.news <- struct{}{}:
	default:
	}
}
