package predictor

import (
	"context"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
)

// rounds decides when to look at the store. Hints are gathered for a moment, because a
// busy collector gives many; without hints the store is looked at every Config.Poll.
// Once news have come and then none for Config.Quiet, the open boundary runs.
type rounds struct {
	p     *Predictor
	hints <-chan bus.Event
	// look says when to look, quiet when the open boundary is due.
	look, quiet *time.Timer
	// hinted says that look was set by a hint.
	hinted bool
	// watermark is the one of the last look.
	watermark time.Time
	announced time.Time
}

func newRounds(p *Predictor) *rounds {
	r := &rounds{p: p, look: time.NewTimer(0), quiet: time.NewTimer(p.cfg.Quiet)}
	r.quiet.Stop()
	return r
}

func (r *rounds) stop() {
	r.look.Stop()
	r.quiet.Stop()
}

// step waits for one thing to happen and deals with it.
func (r *rounds) step(ctx context.Context) {
	select {
	case <-ctx.Done():
	case _, ok := <-r.hints:
		if !ok {
			r.hints = nil // subscribed again at the next look
			return
		}
		r.quiet.Reset(r.p.cfg.Quiet)
		if !r.hinted {
			r.hinted = true
			r.look.Reset(gather)
		}
	case <-r.look.C:
		r.hinted = false
		r.subscribe(ctx)
		r.attempt(ctx, r.look, r.p.cfg.Poll, r.catchUp)
	case <-r.quiet.C:
		r.attempt(ctx, r.quiet, 0, r.early)
	}
}

// attempt does one thing with the store; t is when it is due again: after again when
// that is not 0, soon after a failure.
func (r *rounds) attempt(ctx context.Context, t *time.Timer, again time.Duration, do func(context.Context) error) {
	err := do(ctx)
	r.p.note(ctx, err)
	if err != nil {
		again = retry
	}
	if again > 0 {
		t.Reset(again)
	}
}

// subscribe asks for hints when there are none to be had. Without the bus the predictor
// works by polling.
func (r *rounds) subscribe(ctx context.Context) {
	if r.hints != nil {
		return
	}
	hints, err := r.p.news.Subscribe(ctx, bus.TopicLive)
	if err != nil {
		r.p.log.Debug("no hints from the bus", "err", err)
		return
	}
	r.hints = hints
}

// catchUp runs every boundary that the watermark has reached.
func (r *rounds) catchUp(ctx context.Context) error {
	return r.bounded(ctx, func(ctx context.Context) (bool, error) {
		if err := r.p.cycles.resume(ctx); err != nil {
			return false, err
		}
		if err := r.readWatermark(ctx); err != nil || r.watermark.IsZero() {
			return false, err
		}
		more, err := r.p.cycles.due(ctx, r.watermark)
		return more, err
	})
}

// early runs the boundaries that are due, and then the open one.
func (r *rounds) early(ctx context.Context) error {
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	return r.bounded(ctx, func(ctx context.Context) (bool, error) {
		return false, r.p.cycles.open(ctx, r.watermark)
	})
}

// bounded repeats do, each time with a deadline, while there is more, and announces
// the newest cycle at the end and now and then before.
func (r *rounds) bounded(ctx context.Context, do func(context.Context) (more bool, err error)) error {
	for more := true; more; {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		var err error
		more, err = do(call)
		cancel()
		if err != nil {
			return err
		}
		if !more || time.Since(r.announced) >= announceEvery {
			r.p.announce(ctx, r.p.cycles.takeNewest(), r.p.cycles.alarms.takeUntold())
			r.announced = time.Now()
		}
	}
	return nil
}

// readWatermark also notices news that no hint told of.
func (r *rounds) readWatermark(ctx context.Context) error {
	w, err := r.p.history.Watermark(ctx, r.p.now().Add(r.p.cfg.Tolerance))
	if err != nil {
		return fmt.Errorf("read watermark: %w", err)
	}
	if !w.Equal(r.watermark) {
		r.watermark = w
		r.quiet.Reset(r.p.cfg.Quiet)
	}
	return nil
}
