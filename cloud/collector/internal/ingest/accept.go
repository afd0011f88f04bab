package ingest

import (
	"context"
	"errors"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// ErrStopped is returned by Accept when Run ended before the readings were stored.
var ErrStopped = errors.New("collector is stopped")

// Accept stores readings that come another way than through the broker; see
// traffic.Sink. It returns when their transaction is committed. While the store is
// away, and before Run, it waits until ctx ends.
func (p *Pipeline) Accept(ctx context.Context, batch []traffic.Reading) error {
	if len(batch) == 0 {
		return nil
	}
	stored := make(chan struct{})
	own, refused := p.decoder.offered(batch)
	own.ack = func() { close(stored) }
	p.pending.Add(1)
	select {
	case p.offers <- own:
	case <-ctx.Done():
		p.release(0)
		return ctx.Err()
	case <-p.ended:
		p.release(0)
		return ErrStopped
	}
	select {
	case <-stored:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return ErrStopped
	}
	if len(refused.Items) > 0 {
		return refused
	}
	return nil
}

// offered judges readings and copies those that may be stored.
func (d *decoder) offered(batch []traffic.Reading) (piece, *traffic.Refused) {
	var p piece
	var refused traffic.Refused
	now := d.now()
	p.readings = make([]traffic.Reading, 0, len(batch))
	for i := range batch {
		r := batch[i]
		tidy(&r, r.Edge)
		if err := r.Validate(now); err != nil {
			refused.Items = append(refused.Items, traffic.Refusal{Index: i, Err: err})
			d.fail(traffic.ReasonOf(err), 1)
			payload, _ := wire.EncodeSensor([]traffic.Reading{r}) // what JSON cannot hold is in the detail
			p.rejected = append(p.rejected, d.rejected("", "offered", payload, traffic.ReasonOf(err), err))
			continue
		}
		p.readings = append(p.readings, r)
	}
	d.metrics.received.Add(float64(len(p.readings)))
	d.score(p.readings)
	return p, &refused
}
