// Package herding says how many drivers may be advised to take a detour, so that it is
// still worth taking once they did.
//
// Times follow the volume-delay curve of the Bureau of Public Roads, anchored at what is
// expected without advice: with flow q instead of q0, a road takes
//
//	t(q) = t(q0) · (1 + 0.15 (q/c)⁴) / (1 + 0.15 (q0/c)⁴)
//
// where c is its capacity in vehicles an hour. Of the vehicles on the congested road, a
// share moves: the way's flow falls by as many, the detour's rises.
//
// It promises the largest share, in whole percent, with which the detour still saves what
// it must and no road of it is loaded beyond the limit; none where there is no such
// share. It knows nothing of roads, forecasts or the other advice of a cycle: the
// rerouter tells it flows that include what it advised before.
package herding

import "math"

// A Road is one road of a way.
type Road struct {
	// Seconds is the driving time expected without advice.
	Seconds float64
	// FlowVPH is the flow that goes with it, CapacityVPH the capacity, both in
	// vehicles an hour and positive.
	FlowVPH, CapacityVPH float64
}

// Limits are what a share must keep.
type Limits struct {
	// MinGainSeconds is what the detour must still save each vehicle.
	MinGainSeconds float64
	// MaxLoad is the most flow on a road of the detour, as a share of its capacity.
	MaxLoad float64
	// MaxShare is the most of the traffic that is advised, 0 to 1.
	MaxShare float64
}

// An Effect is what comes of a share.
type Effect struct {
	// Share is of the vehicles on the congested road, 0 to 1; 0 means that there is
	// no share that keeps the limits.
	Share float64
	// WaySeconds and PathSeconds are the driving times once it moved.
	WaySeconds, PathSeconds float64
}

// Share finds the largest share of movable vehicles an hour that may leave way for path.
func Share(way, path []Road, movable float64, l Limits) Effect {
	best := Effect{}
	low, high := 1, int(math.Floor(100*l.MaxShare+1e-9))
	for low <= high { // the gain falls and the load rises with the share
		percent := (low + high) / 2
		e, ok := try(way, path, movable, float64(percent)/100, l)
		if ok {
			best, low = e, percent+1
		} else {
			high = percent - 1
		}
	}
	return best
}

func try(way, path []Road, movable, share float64, l Limits) (Effect, bool) {
	moved := movable * share
	e := Effect{Share: share}
	for _, r := range way {
		e.WaySeconds += r.at(r.FlowVPH - moved)
	}
	for _, r := range path {
		if r.FlowVPH+moved > l.MaxLoad*r.CapacityVPH {
			return e, false
		}
		e.PathSeconds += r.at(r.FlowVPH + moved)
	}
	return e, e.WaySeconds-e.PathSeconds >= l.MinGainSeconds
}

// at is the driving time with another flow.
func (r Road) at(flow float64) float64 {
	return r.Seconds * delay(max(0, flow)/r.CapacityVPH) / delay(r.FlowVPH/r.CapacityVPH)
}

func delay(load float64) float64 { return 1 + alpha*math.Pow(load, beta) }

// The curve's usual parameters.
const alpha, beta = 0.15, 4

// LoadOf is the load, flow over capacity, at which the curve makes a road this many
// times slower than free flow: for roads where nobody counted, and for queues, whose
// counted flow is what gets out of them and not what wants in.
func LoadOf(timesSlower float64) float64 {
	return math.Pow(max(0, timesSlower-1)/alpha, 1.0/beta)
}
