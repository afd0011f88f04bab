package source

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Speed is how many seconds of event time pass in one second of wall time.
// Zero is SpeedMax.
type Speed float64

// The named speeds.
const (
	// SpeedMax plays as fast as the receiver takes it.
	SpeedMax Speed = 0
	// SpeedReal plays at the speed at which the readings were measured.
	SpeedReal Speed = 1
)

// fastest is the highest speed that still paces; anything above is meant as max.
const fastest = 1e6

// ParseSpeed reads "max" or a number above 0, with or without a trailing "x".
func ParseSpeed(s string) (Speed, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "max" {
		return SpeedMax, nil
	}
	f, err := strconv.ParseFloat(strings.TrimSuffix(t, "x"), 64)
	if err != nil || math.IsNaN(f) || f <= 0 || f > fastest {
		return 0, fmt.Errorf("speed %q: want max, or a number above 0 and at most %g", s, float64(fastest))
	}
	return Speed(f), nil
}

// String writes the speed as ParseSpeed reads it.
func (s Speed) String() string {
	if s == SpeedMax {
		return "max"
	}
	return strconv.FormatFloat(float64(s), 'f', -1, 64)
}

// A Pacer holds events back until their turn: the first is due at once, and every
// other as long after it as the event times say, divided by the speed. An event
// that is already late is due at once, so a receiver that was slow for a while is
// caught up with and the pace does not drift.
type Pacer struct {
	speed Speed
	begun bool
	event time.Time
	wall  time.Time
}

// NewPacer returns a Pacer whose clock starts with the first Wait.
func NewPacer(speed Speed) *Pacer { return &Pacer{speed: speed} }

// Wait returns nil when the event at the given event time is due, or the error of
// ctx when that ends first.
func (p *Pacer) Wait(ctx context.Context, at time.Time) error {
	if err := ctx.Err(); err != nil || p.speed == SpeedMax {
		return err
	}
	if !p.begun {
		p.begun, p.event, p.wall = true, at, time.Now()
	}
	wait := time.Until(p.due(at))
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// due is the wall time of an event. The gap is scaled in floating point: at the
// speeds that pace, the error stays below a microsecond over a century.
func (p *Pacer) due(at time.Time) time.Time {
	gap := float64(at.Sub(p.event)) / float64(p.speed)
	if gap > math.MaxInt64/2 {
		gap = math.MaxInt64 / 2
	}
	return p.wall.Add(time.Duration(gap))
}
