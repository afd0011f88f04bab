// Package outlook says how fast a road will be at a forecast's target time, from what
// is known of it: the forecast, the newest reading, and its free flow, in this order.
//
// A forecast is a congestion score, and scores are not speeds. This is the mapping:
//
//  1. The score's two ends for this road are computed: free, what the score would be
//     with the road at free flow, and jam, what it would be at standstill. For
//     ewma-lr-v2 they are scores v1 of the quantities that the road's detector
//     gives, with the present flow in both; an urban road at 50 km/h has free = 0.44
//     when only its speed is known. For models on score v2 they are 0 and 1.
//  2. x = (score − free)/(jam − free), clamped to 0..0.95, is the share of the way from
//     free flow to standstill.
//  3. speed = live speed · (1 − x of the forecast)/(1 − x of the live reading): the
//     forecast tells by how much the road changes from what was measured. Without a
//     live speed, speed = free flow · (1 − x).
//
// With speed alone this is exact for score v1: a forecast of 0.8 means 18 km/h. Score
// v1 saturates with flow (flow/120, in vehicles per hour): where free is hardly below
// jam, the forecast says nothing of the speed and the live speed stands.
//
// The package does no I/O and keeps no state; the rerouter's cycle calls it for every
// road.
package outlook

import (
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Source says what a speed was derived from.
type Source int

// The sources, best first.
const (
	// Forecast is the prediction, where possible anchored at the live speed.
	Forecast Source = iota
	// Live is the newest reading as it is.
	Live
	// FreeFlow is the undisturbed road, because nothing newer is known.
	FreeFlow
)

// A Road is what is known of one road.
type Road struct {
	// Reference is its undisturbed state; both fields are positive.
	Reference score.Reference
	// Live is its newest reading, nil when there is none or it is too old.
	Live *traffic.Reading
	// Prediction is the forecast to use, nil when there is none.
	Prediction *traffic.Prediction
}

// MinSpeedKMH is the slowest speed that is answered: in a standstill, vehicles still
// move up, and a way must have a finite time.
const MinSpeedKMH = 5.0

// modelV1 is the model whose predictions are on the scale of score v1.
const modelV1 = "ewma-lr-v2"

// Constants of the mapping.
const (
	// jamOccupancy is how much of the time a standing queue covers a loop.
	jamOccupancy = 0.6
	// minSpan is the least distance between free and jam with which a score can
	// tell speeds apart.
	minSpan = 0.15
	// maxShare keeps the ratio of two shares finite.
	maxShare = 0.95
)

// Speed is the expected speed in km/h, at least MinSpeedKMH and at most the road's
// free flow or its live speed, whichever is higher.
func Speed(r Road) (float64, Source) {
	speed, source := r.expected()
	limit := r.Reference.FreeFlowKMH
	if live, ok := r.liveSpeed(); ok {
		limit = max(limit, live)
	}
	return max(MinSpeedKMH, min(limit, speed)), source
}

func (r *Road) expected() (float64, Source) {
	free := r.Reference.FreeFlowKMH
	live, hasLive := r.liveSpeed()
	if r.Prediction != nil {
		if v, ok := r.Prediction.Speed.Get(); ok {
			return v, Forecast
		}
		if later, ok := r.share(r.Prediction.Score); ok {
			if !hasLive {
				return free * (1 - later), Forecast
			}
			if now, ok := r.liveShare(); ok {
				// A road that stands still must be able to recover.
				anchor := max(live, free*(1-maxShare))
				return anchor * (1 - later) / (1 - now), Forecast
			}
		}
	}
	if hasLive {
		return live, Live
	}
	return free, FreeFlow
}

// liveSpeed is the measured speed, or what flow and occupancy say of it.
func (r *Road) liveSpeed() (float64, bool) {
	if r.Live == nil {
		return 0, false
	}
	if v, ok := r.Live.Speed.Get(); ok {
		return v, true
	}
	return score.EstimateSpeed(r.Live.Flow, r.Live.Occupancy, r.Reference)
}

// liveShare is where the live reading lies between free flow and standstill, on the
// scale of the prediction.
func (r *Road) liveShare() (float64, bool) {
	var now float64
	var ok bool
	if r.onV1() {
		now, ok = score.V1(r.Live.Speed, r.Live.Occupancy, r.Live.Flow)
	} else {
		now, ok = score.V2(r.Live, r.Reference)
	}
	if !ok {
		return 0, false
	}
	return r.share(now)
}

// share maps a score to 0 (free flow) .. maxShare. It is false where scores of this
// road cannot tell speeds apart.
func (r *Road) share(s float64) (float64, bool) {
	free, jam := 0.0, 1.0
	if r.onV1() {
		free, jam = r.endsV1()
	}
	if jam-free < minSpan {
		return 0, false
	}
	return min(maxShare, max(0, (s-free)/(jam-free))), true
}

func (r *Road) onV1() bool { return r.Prediction.Model == modelV1 }

// endsV1 are the scores v1 at free flow and at standstill, from the quantities that
// the road's detector gives. Without a reading, speed is taken to be what it gives.
func (r *Road) endsV1() (free, jam float64) {
	fast, still := traffic.Some(r.Reference.FreeFlowKMH), traffic.Some(0)
	if r.Live == nil {
		free, _ = score.V1(fast, traffic.Value{}, traffic.Value{})
		jam, _ = score.V1(still, traffic.Value{}, traffic.Value{})
		return free, jam
	}
	if !r.Live.Speed.Known() {
		fast, still = traffic.Value{}, traffic.Value{}
	}
	var thin, dense traffic.Value
	if r.Live.Occupancy.Known() {
		// The present flow, at free flow, covers the loop this much.
		q := r.Live.Flow.Or(0)
		thin = traffic.Some(min(jamOccupancy, q*score.VehicleLengthM/(1000*r.Reference.FreeFlowKMH)))
		dense = traffic.Some(jamOccupancy)
	}
	free, _ = score.V1(fast, thin, r.Live.Flow)
	jam, _ = score.V1(still, dense, r.Live.Flow)
	return free, jam
}
