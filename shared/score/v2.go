package score

import "github.com/2zrhun/city-flow/shared/traffic"

// A Reference is the undisturbed state of a road, which V2 measures against.
type Reference struct {
	// FreeFlowKMH is the speed without hindrance in km/h: the 85th percentile of
	// the road's speeds.
	FreeFlowKMH float64
	// CapacityVPH is the flow in vehicles per hour over all lanes that the road
	// carries at its best: the 97th percentile of its flows.
	CapacityVPH float64
}

// Prior is the reference of a road of which nothing is known but its class, for the
// time until enough readings were seen. The speeds are usual limits, the capacities
// a usual number of lanes times what signals leave of a lane.
func Prior(c traffic.Class) Reference {
	switch c {
	case traffic.ClassMotorway:
		return Reference{FreeFlowKMH: 110, CapacityVPH: 5400}
	case traffic.ClassTrunk:
		return Reference{FreeFlowKMH: 80, CapacityVPH: 3600}
	case traffic.ClassPrimary:
		return Reference{FreeFlowKMH: 50, CapacityVPH: 1800}
	case traffic.ClassTertiary:
		return Reference{FreeFlowKMH: 45, CapacityVPH: 800}
	case traffic.ClassResidential:
		return Reference{FreeFlowKMH: 30, CapacityVPH: 500}
	case traffic.ClassSecondary:
		return Reference{FreeFlowKMH: 50, CapacityVPH: 1200}
	default:
		return Prior(traffic.ClassSecondary)
	}
}

// FlowOnlyMax is the highest score that a flow without speed and occupancy can give.
// It is the border between pre-saturated and saturated: a road at capacity is about
// to break down, but no flow can tell that it has.
const FlowOnlyMax = 0.5

// V2 scores one reading against the reference of its road.
//
// A speed v scores 1 − v/free flow. An occupancy scores by the operator's bands,
// linearly within each: fluid below 15 % is 0 to 0.25, pre-saturated below 30 % is
// 0.25 to 0.5, saturated below 50 % is 0.5 to 0.75, blocked is 0.75 to 1. With both,
// the worse one counts: either alone is enough evidence of a jam, and so a blocked
// loop stays in its band whatever the speed says. The flow is then not used, except
// that neither flow nor occupancy means that nobody passed and the speed, whatever
// it is, was not measured on a vehicle: that is 0. A flow alone scores its share
// of the capacity, times FlowOnlyMax.
//
// V2 never falls when the speed falls or the occupancy rises. The answer is false
// when speed, occupancy and flow are all absent. A reference that is not positive is
// replaced by the prior of an unknown road.
func V2(r *traffic.Reading, ref Reference) (float64, bool) {
	ref = ref.orPrior(Prior(""))
	speed, hasSpeed := r.Speed.Get()
	occ, hasOcc := r.Occupancy.Get()
	flow, hasFlow := r.Flow.Get()
	if hasOcc && occ <= 0 && hasFlow && flow <= 0 {
		return 0, true
	}
	var s float64
	if hasSpeed {
		s = clamp01(1 - speed/ref.FreeFlowKMH)
	}
	if hasOcc {
		s = max(s, occupancyScore(occ))
	}
	if !hasSpeed && !hasOcc {
		s = FlowOnlyMax * clamp01(flow/ref.CapacityVPH)
	}
	return s, hasSpeed || hasOcc || hasFlow
}

// occupancyScore maps the operator's occupancy bands to score bands of equal width.
func occupancyScore(occ float64) float64 {
	switch {
	case occ < 0.15:
		return within(occ, 0, 0.15, 0)
	case occ < 0.30:
		return within(occ, 0.15, 0.30, 0.25)
	case occ < 0.50:
		return within(occ, 0.30, 0.50, 0.50)
	default:
		return within(occ, 0.50, 1, 0.75)
	}
}

// within maps [lo, hi] to a band of width 0.25 that begins at base.
func within(v, lo, hi, base float64) float64 {
	return base + 0.25*clamp01((v-lo)/(hi-lo))
}

// VehicleLengthM is the effective length L of a vehicle over a loop in metres: the
// vehicle and the loop together.
const VehicleLengthM = 6.0

// EstimateSpeed derives a speed in km/h from flow and occupancy, for loops that do
// not measure it: v = flow·L/(1000·occupancy), never above the road's free flow.
// The answer is false when one of them is absent or nobody was over the loop. Who
// shows it marks it as estimated.
func EstimateSpeed(flow, occ traffic.Value, ref Reference) (float64, bool) {
	q, hasFlow := flow.Get()
	k, hasOcc := occ.Get()
	if !hasFlow || !hasOcc || k <= 0 {
		return 0, false
	}
	free := ref.orPrior(Prior("")).FreeFlowKMH
	return min(free, max(0, q*VehicleLengthM/(1000*k))), true
}

// orPrior replaces what is not positive.
func (r Reference) orPrior(prior Reference) Reference {
	if !(r.FreeFlowKMH > 0) {
		r.FreeFlowKMH = prior.FreeFlowKMH
	}
	if !(r.CapacityVPH > 0) {
		r.CapacityVPH = prior.CapacityVPH
	}
	return r
}
