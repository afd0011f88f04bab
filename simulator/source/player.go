package source

import (
	"context"
	"fmt"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Player turns single readings into what a Source owes its receiver: it gathers
// the readings of one instant, waits until they are due, and hands them over in
// chunks of at most MaxChunk. It is used by one goroutine.
type Player struct {
	pacer *Pacer
	out   Out
	chunk []traffic.Reading
}

// NewPlayer returns a Player that plays to out at the given speed.
func NewPlayer(speed Speed, out Out) *Player {
	return &Player{pacer: NewPacer(speed), out: out, chunk: make([]traffic.Reading, 0, MaxChunk)}
}

// Add takes the next reading, which may not be older than the one before. It
// returns the error of out, or of ctx when that ends while waiting.
func (p *Player) Add(ctx context.Context, r *traffic.Reading) error {
	if n := len(p.chunk); n > 0 {
		last := p.chunk[n-1].At
		if r.At.Before(last) {
			return fmt.Errorf("reading of %s at %s comes after one at %s: a source emits in event-time order",
				r.Sensor, r.At, last)
		}
		if n == MaxChunk || !r.At.Equal(last) {
			if err := p.Flush(ctx); err != nil {
				return err
			}
		}
	}
	p.chunk = append(p.chunk, *r)
	return nil
}

// Flush hands over what Add has gathered. A source calls it at its end, and before
// it waits for something else than time.
func (p *Player) Flush(ctx context.Context) error {
	if len(p.chunk) == 0 {
		return nil
	}
	if err := p.pacer.Wait(ctx, p.chunk[0].At); err != nil {
		return err
	}
	err := p.out(ctx, p.chunk)
	p.chunk = p.chunk[:0]
	return err
}
