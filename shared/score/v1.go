package score

import "github.com/2zrhun/city-flow/shared/traffic"

// The constants of the seed's formula.
const (
	v1MaxSpeedKMH = 90.0
	v1MaxFlow     = 120.0

	v1SpeedWeight     = 0.4
	v1OccupancyWeight = 0.4
	v1FlowWeight      = 0.2
)

// V1 is the seed's congestion score of one reading or average,
//
//	clamp01(0.4·(1 − speed/90) + 0.4·occupancy + 0.2·flow/120)
//
// with speed in km/h, occupancy as a fraction and flow in vehicles per hour. The
// weight of an absent input is spread over the others in proportion to theirs. The
// answer is false when all three are absent.
//
// It is crude: an urban road that flows freely at 50 km/h scores 0.18, and the flow
// term saturates at 120 vehicles per hour.
func V1(speedKMH, occupancy, flowVPH traffic.Value) (float64, bool) {
	var sum, weight float64
	if v, ok := speedKMH.Get(); ok {
		sum += float64(v1SpeedWeight * (1.0 - v/v1MaxSpeedKMH))
		weight += v1SpeedWeight
	}
	if v, ok := occupancy.Get(); ok {
		sum += float64(v1OccupancyWeight * v)
		weight += v1OccupancyWeight
	}
	if v, ok := flowVPH.Get(); ok {
		sum += float64(v1FlowWeight * (v / v1MaxFlow))
		weight += v1FlowWeight
	}
	if weight == 0 {
		return 0, false
	}
	// With all three inputs the weights add up to exactly 1, so that dividing
	// changes no bit of the seed's value.
	return clamp01(sum / weight), true
}

func clamp01(v float64) float64 { return min(1, max(0, v)) }
