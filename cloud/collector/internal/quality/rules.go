package quality

import (
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A sensor is stuck when it repeats the same values, not all of them zero, at least
// stuckReadings times over at least stuckTime. FHWA 2007 asks for eight identical
// records of five minutes with volume, occupancy and speed; one quantity alone, often
// rounded, repeats more easily and must do so for longer.
const (
	stuckReadings    = 8
	stuckTime        = 35 * time.Minute
	stuckReadingsOne = 24
	stuckTimeOne     = 2 * time.Hour
)

// Where flow, occupancy and speed contradict each other.
const (
	// occupancyless is the flow in vehicles per hour above which even an occupancy that
	// was rounded to whole percents is not 0.
	occupancyless = 200
	// countless is the flow in vehicles per hour from which the effective vehicle
	// length says something.
	countless = 100
	// The effective vehicle length, vehicle plus detector, in metres: Jacobson 1990
	// takes 2.7 to 18 for five minutes; intervals with few vehicles spread wider.
	shortest = 1.0
	longest  = 40.0
	// movingKMH is a speed at which nobody stands on the detector, and standing an
	// occupancy that only standing vehicles give when none passes.
	movingKMH = 10.0
	standing  = 0.2
)

// effectiveLength is the length in metres that makes flow, occupancy and speed agree:
// occupancy is the share of time that vehicles of this length cover a point (Athol
// 1965). The flow must be positive.
func effectiveLength(flowVPH, occupancy, speedKMH float64) float64 {
	return 1000 * speedKMH * occupancy / flowVPH
}

// inconsistent reports whether a reading contradicts itself.
func inconsistent(r *traffic.Reading) bool {
	flow, hasFlow := r.Flow.Get()
	occupancy, hasOccupancy := r.Occupancy.Get()
	speed, hasSpeed := r.Speed.Get()
	switch {
	case !hasFlow:
		return false
	case hasSpeed && speed == 0 && flow > 0:
		return true // vehicles passed and did not move
	case hasOccupancy && occupancy == 0 && flow >= occupancyless:
		return true // vehicles passed and covered nothing
	case hasOccupancy && hasSpeed && flow == 0 && occupancy > standing && speed > movingKMH:
		return true // nobody passed, at speed
	case hasOccupancy && hasSpeed && flow >= countless && occupancy > 0:
		l := effectiveLength(flow, occupancy, speed)
		return l < shortest || l > longest
	default:
		return false
	}
}

// values is what is compared to find a sensor that is stuck.
type values struct{ speed, flow, occupancy traffic.Value }

func valuesOf(r *traffic.Reading) values { return values{r.Speed, r.Flow, r.Occupancy} }

// quiet says that the sensor saw nothing, which it may for a whole night.
func (v values) quiet() bool {
	return v.flow.Or(0) == 0 && v.occupancy.Or(0) == 0 && v.speed.Or(0) == 0 ||
		v.flow.Known() && v.flow.Or(0) == 0 && v.occupancy.Or(0) == 0
}

func (v values) quantities() int {
	n := 0
	for _, q := range []traffic.Value{v.speed, v.flow, v.occupancy} {
		if q.Known() {
			n++
		}
	}
	return n
}

// stuck reports whether values that came so often over such a time are too many.
func (v values) stuck(times int, over time.Duration) bool {
	if v.quiet() {
		return false
	}
	if v.quantities() > 1 {
		return times >= stuckReadings && over >= stuckTime
	}
	return times >= stuckReadingsOne && over >= stuckTimeOne
}
