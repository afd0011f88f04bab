package ingest

import (
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A microBatch is what goes into one transaction.
type microBatch struct {
	delivery store.Delivery
	pieces   []piece
	first    time.Time
}

func (b *microBatch) add(p piece) {
	if len(b.pieces) == 0 {
		b.first = time.Now()
	}
	b.delivery.Readings = append(b.delivery.Readings, p.readings...)
	b.delivery.Rejected = append(b.delivery.Rejected, p.rejected...)
	b.delivery.Gaps = append(b.delivery.Gaps, p.gaps...)
	if p.batch.Edge != "" && !p.poison {
		b.delivery.Batches = append(b.delivery.Batches, p.batch)
	}
	p.readings, p.rejected, p.gaps = nil, nil, nil
	b.pieces = append(b.pieces, p)
}

func (b *microBatch) rows() int {
	return len(b.delivery.Readings) + len(b.delivery.Rejected) + len(b.delivery.Gaps)
}

// gather puts pieces together until there are maxReadings, the first has waited for
// maxDelay, or none came for a tenth of that: a broker that waits for our answers
// sends nothing, and waiting for it would be waiting for ourselves. A batch that is
// due grows on while the transaction before it runs, until it is full. gather
// returns when in is closed and the rest is handed on. It judges readings on the way:
// here they are in one order.
func gather(maxReadings int, maxDelay time.Duration, judge func([]traffic.Reading), in <-chan piece, out chan<- *microBatch) {
	b := new(microBatch)
	timer := time.NewTimer(maxDelay)
	timer.Stop()
	due := false
	for in != nil || len(b.pieces) > 0 {
		full := b.rows() >= maxReadings
		from, to := in, out
		if full {
			from = nil
		}
		if !due && !full && in != nil || len(b.pieces) == 0 {
			to = nil
		}
		select {
		case p, ok := <-from:
			if !ok {
				in = nil
				continue
			}
			judge(p.readings)
			b.add(p)
			timer.Reset(min(maxDelay/10, maxDelay-time.Since(b.first)))
		case to <- b:
			b, due = new(microBatch), false
			timer.Stop()
		case <-timer.C:
			due = true
		}
	}
}
