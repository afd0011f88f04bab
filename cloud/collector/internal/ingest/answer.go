package ingest

import (
	"math"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// answer tells edges, the broker and the bus what is committed. What does not get
// through is made up for by the sender: it repeats, and the repetition is answered.
func (p *Pipeline) answer(c commit, out Publisher) {
	p.live.offer(c.appended.Latest)
	for _, g := range acks(c.batch.pieces) {
		p.acknowledge(g, out)
	}
	for _, piece := range c.batch.pieces {
		piece.ack()
		p.release(piece.size)
	}
}

// An ackGroup is what one edge is told at once.
type ackGroup struct {
	edge  traffic.EdgeID
	epoch uint64
	seqs  []uint64
}

// acks groups the batches among the pieces by edge and epoch, in order of arrival.
func acks(pieces []piece) []*ackGroup {
	var groups []*ackGroup
	open := make(map[store.BatchID]*ackGroup)
	for _, p := range pieces {
		if p.batch.Edge == "" {
			continue
		}
		key := store.BatchID{Edge: p.batch.Edge, Epoch: p.batch.Epoch}
		g := open[key]
		if g == nil || len(g.seqs) >= wire.MaxAckSeqs {
			g = &ackGroup{edge: p.batch.Edge, epoch: p.batch.Epoch}
			open[key] = g
			groups = append(groups, g)
		}
		g.seqs = append(g.seqs, p.batch.Seq)
	}
	return groups
}

func (p *Pipeline) acknowledge(g *ackGroup, out Publisher) {
	payload, err := wire.EncodeAck(&wire.Ack{
		Epoch: g.epoch, Seqs: g.seqs, ServerTime: p.deps.Now().UTC(), Window: p.window(),
	})
	if err == nil {
		err = out.Publish(wire.AckTopic(g.edge), payload)
	}
	if err != nil {
		p.deps.Log.Debug("could not acknowledge batches; the edge sends them again", "edge", g.edge, "batches", len(g.seqs), "err", err)
	}
}

// window is how many batches an edge may have out: fewer the fuller we are. At 0 the
// edge sends hellos until it is granted some.
func (p *Pipeline) window() int {
	if p.StoreErr() != nil {
		return 0
	}
	return int(math.Round(float64(p.cfg.Window) * (1 - p.fill())))
}

// greet answers a hello, past the store: it says that we are here, what time it is, and
// how much we take.
func (p *Pipeline) greet(c piece, out Publisher) {
	p.acknowledge(&ackGroup{edge: c.hello}, out)
	c.ack()
	p.release(c.size)
}
