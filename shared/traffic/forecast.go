package traffic

import "time"

// A Prediction is one model's forecast for one road.
// (At, Road, HorizonMin, Model) names it: writing it again replaces it.
type Prediction struct {
	// At is the event time at which the forecast was made; it speaks about
	// At + HorizonMin.
	At         time.Time
	Road       RoadID
	HorizonMin int
	// Score is the predicted congestion, 0 to 1.
	Score float64
	// Confidence is 0 to 1.
	Confidence float64
	// Model names the model and its version, such as "ewma-lr-v2".
	Model string
	// Speed is the predicted speed in km/h, where the model gives one.
	Speed Value
	// Lower and Upper bound Score with 80 % probability, where the model
	// gives an interval.
	Lower, Upper Value
}

// Target is the moment that the prediction speaks about.
func (p *Prediction) Target() time.Time {
	return p.At.Add(time.Duration(p.HorizonMin) * time.Minute)
}

// RerouteStatus is where a piece of advice stands in the operator's workflow.
type RerouteStatus string

// The life of a piece of advice.
const (
	RerouteProposed RerouteStatus = "proposed"
	RerouteApproved RerouteStatus = "approved"
	RerouteActive   RerouteStatus = "active"
	RerouteExpired  RerouteStatus = "expired"
	RerouteRejected RerouteStatus = "rejected"
)

// A Reroute advises to leave a road that is, or is about to be, congested.
// (At, Route, Alt) names it.
type Reroute struct {
	// At is the event time at which the advice was computed.
	At time.Time
	// Route is the road to avoid.
	Route RoadID
	// Alt is the first road of the detour that the avoided way does not use.
	Alt RoadID
	// Reason is one sentence for the operator.
	Reason string
	// CO2GainKg is the saving in kg of CO2 per 100 vehicles that follow; it may
	// be negative.
	CO2GainKg float64
	// ETAGainMin is the saving in minutes per vehicle.
	ETAGainMin float64
	// Path is the whole detour in driving order.
	Path []RoadID
	// Share is the advised share of the traffic, 0 to 1; 0 where it was not computed.
	Share  float64
	Status RerouteStatus
}
