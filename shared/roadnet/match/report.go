package match

import (
	"fmt"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Outcome is what became of a sensor.
type Outcome string

// The outcomes.
const (
	Matched Outcome = "matched"
	// Ambiguous has a best road, and another that is as good within the margin.
	Ambiguous Outcome = "ambiguous"
	// TooFar has no road near it that runs its way.
	TooFar Outcome = "too_far"
)

// A Result is what was found for one sensor.
type Result struct {
	Sensor  string  `json:"sensor"`
	Outcome Outcome `json:"outcome"`
	// Road is the one that most of the sensor lies on, Roads are all, along it.
	Road  traffic.RoadID   `json:"road,omitempty"`
	Roads []traffic.RoadID `json:"roads,omitempty"`
	// DistanceM is the mean distance from its roads in metres, FurthestM the largest;
	// for a sensor that is too far, the distance from the nearest road, 0 for none.
	DistanceM float64 `json:"distance_m"`
	FurthestM float64 `json:"furthest_m"`
	// TurnDeg is the mean difference in direction.
	TurnDeg float64 `json:"turn_deg"`
	// Share is how much of the sensor's line has a road, 0 to 1.
	Share float64 `json:"share"`
	// Rival is the other road of an ambiguous sensor, RivalGapM how much worse it is.
	Rival     traffic.RoadID `json:"rival,omitempty"`
	RivalGapM float64        `json:"rival_gap_m,omitempty"`
	Detail    string         `json:"detail,omitempty"`
}

// String is the result on one line.
func (r *Result) String() string {
	switch r.Outcome {
	case Ambiguous:
		return fmt.Sprintf("%s: %s, %.1f m away, or %s, which is worse by %.1f m", r.Sensor, r.Road, r.DistanceM, r.Rival, r.RivalGapM)
	case TooFar:
		return fmt.Sprintf("%s: too far, %.0f m: %s", r.Sensor, r.DistanceM, r.Detail)
	default:
		return fmt.Sprintf("%s: %s, %.1f m away", r.Sensor, r.Road, r.DistanceM)
	}
}

// A Report says what became of all sensors.
type Report struct {
	Matched   int `json:"matched"`
	Ambiguous int `json:"ambiguous"`
	TooFar    int `json:"too_far"`
	// Roads is the number of different roads that matched sensors lie on.
	Roads int `json:"roads"`
	// MedianM and P90M sum up the mean distances of those that are not too far.
	MedianM float64  `json:"median_m"`
	P90M    float64  `json:"p90_m"`
	Results []Result `json:"results"`
}

func (r *Report) sum() {
	var dist []float64
	roads := make(map[traffic.RoadID]bool)
	for i := range r.Results {
		res := &r.Results[i]
		switch res.Outcome {
		case Matched:
			r.Matched++
		case Ambiguous:
			r.Ambiguous++
		default:
			r.TooFar++
			continue
		}
		dist = append(dist, res.DistanceM)
		for _, id := range res.Roads {
			roads[id] = true
		}
	}
	r.Roads = len(roads)
	if len(dist) > 0 {
		slices.Sort(dist)
		r.MedianM, r.P90M = dist[len(dist)/2], dist[len(dist)*9/10]
	}
}

// String is a summary on a few lines.
func (r *Report) String() string {
	return fmt.Sprintf("%d sensors: %d matched, %d ambiguous, %d too far; on %d roads, %.1f m (median) and %.1f m (90 %%) from them\n",
		len(r.Results), r.Matched, r.Ambiguous, r.TooFar, r.Roads, r.MedianM, r.P90M)
}
