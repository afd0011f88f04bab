package payload

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Reading is what one sensor measured on a road over one interval.
type Reading struct {
	At             time.Time     `json:"ts"`
	Sensor         string        `json:"sensor_id"`
	Road           string        `json:"road_id"`
	Speed          traffic.Value `json:"speed_kmh"`
	SpeedEstimated bool          `json:"speed_estimated"`
	Flow           traffic.Value `json:"flow_rate"`
	Occupancy      traffic.Value `json:"occupancy"`
	Score          traffic.Value `json:"congestion_score"`
	ScoreV1        traffic.Value `json:"congestion_score_v1"`
	Quality        []string      `json:"quality"`
	Edge           *string       `json:"edge_id"`
}

// OfState shows the newest state of a road.
func OfState(s *traffic.RoadState) Reading {
	r := OfReading(&s.Reading)
	r.SpeedEstimated = s.SpeedEstimated
	if s.SpeedEstimated {
		// v1 is defined on what was measured, as the forecasts use it.
		r.ScoreV1 = scoreV1(traffic.Value{}, s.Occupancy, s.Flow)
	}
	return r
}

// OfReading shows a stored reading.
func OfReading(r *traffic.Reading) Reading {
	return Reading{
		At: r.At.UTC(), Sensor: string(r.Sensor), Road: string(r.Road),
		Speed: r.Speed, Flow: r.Flow, Occupancy: r.Occupancy,
		Score: thousandths(r.Score), ScoreV1: scoreV1(r.Speed, r.Occupancy, r.Flow),
		Quality: quality(r.Quality), Edge: orNull(string(r.Edge)),
	}
}

// thousandths rounds a score. Collectors keep it in steps of 1/1024; a score of three
// decimals comes back as it was.
func thousandths(v traffic.Value) traffic.Value {
	if x, ok := v.Get(); ok {
		return traffic.Some(math.Round(x*1000) / 1000)
	}
	return v
}

func scoreV1(speed, occupancy, flow traffic.Value) traffic.Value {
	if v, ok := score.V1(speed, occupancy, flow); ok {
		return traffic.Some(v)
	}
	return traffic.Value{}
}

func quality(q traffic.Quality) []string {
	remarks := []string{}
	for _, r := range []struct {
		bit  traffic.Quality
		name string
	}{
		{traffic.QualityReceiveTime, "receive_time"},
		{traffic.QualityClock, "clock"},
		{traffic.QualityLate, "late"},
		{traffic.QualityThinned, "thinned"},
		{traffic.QualityStuck, "stuck"},
		{traffic.QualityInconsistent, "inconsistent"},
	} {
		if q&r.bit != 0 {
			remarks = append(remarks, r.name)
		}
	}
	return remarks
}

// A Bucket is the averages of a road over an interval.
type Bucket struct {
	Road      string        `json:"road_id"`
	Start     time.Time     `json:"ts"`
	WidthS    int64         `json:"width_s"`
	Speed     traffic.Value `json:"speed_kmh"`
	Flow      traffic.Value `json:"flow_rate"`
	Occupancy traffic.Value `json:"occupancy"`
	Score     traffic.Value `json:"congestion_score"`
	ScoreV1   traffic.Value `json:"congestion_score_v1"`
	Samples   int64         `json:"samples"`
}

// OfBucket shows averages; score v1 is that of the averages, which is what the
// ewma-lr-v2 forecast extrapolates.
func OfBucket(b *traffic.Bucket) Bucket {
	return Bucket{
		Road: string(b.Road), Start: b.Start.UTC(), WidthS: int64(b.Width / time.Second),
		Speed: b.Speed, Flow: b.Flow, Occupancy: b.Occupancy,
		Score: b.Score, ScoreV1: scoreV1(b.Speed, b.Occupancy, b.Flow), Samples: b.Samples,
	}
}

// A Prediction is one model's forecast for one road.
type Prediction struct {
	At           time.Time     `json:"ts"`
	Target       time.Time     `json:"target_ts"`
	Road         string        `json:"road_id"`
	HorizonMin   int           `json:"horizon_min"`
	Score        float64       `json:"congestion_score"`
	ScoreVersion string        `json:"score_version"`
	Confidence   float64       `json:"confidence"`
	Model        string        `json:"model_version"`
	Speed        traffic.Value `json:"speed_kmh"`
	Lower        traffic.Value `json:"lower"`
	Upper        traffic.Value `json:"upper"`
}

// scoreVersion is the score that the present models forecast. A model on score v2
// needs a way to say so.
const scoreVersion = "v1"

// OfPrediction shows a forecast.
func OfPrediction(p *traffic.Prediction) Prediction {
	return Prediction{
		At: p.At.UTC(), Target: p.Target().UTC(), Road: string(p.Road), HorizonMin: p.HorizonMin,
		Score: p.Score, ScoreVersion: scoreVersion, Confidence: p.Confidence, Model: p.Model,
		Speed: p.Speed, Lower: p.Lower, Upper: p.Upper,
	}
}

// A RoadRef names a road to people and to the map.
type RoadRef struct {
	Road  string `json:"road_id"`
	Label string `json:"label"`
}

// A Reroute advises to leave a road.
type Reroute struct {
	ID         string        `json:"id"`
	At         time.Time     `json:"ts"`
	Route      string        `json:"route_id"`
	RouteLabel string        `json:"route_label"`
	Alt        string        `json:"alt_route_id"`
	AltLabel   string        `json:"alt_route_label"`
	Reason     string        `json:"reason"`
	CO2GainKg  float64       `json:"estimated_co2_gain"`
	ETAGainMin float64       `json:"eta_gain_min"`
	Share      traffic.Value `json:"share"`
	Status     string        `json:"status"`
	Path       []RoadRef     `json:"path"`
}

// OfReroute shows advice; label gives the names of its roads.
func OfReroute(r *traffic.Reroute, label func(traffic.RoadID) string) (Reroute, error) {
	id, err := store.MakeCursor(r.At.UTC(), r.Route, r.Alt)
	if err != nil {
		return Reroute{}, fmt.Errorf("name advice: %w", err)
	}
	out := Reroute{
		ID: string(id), At: r.At.UTC(),
		Route: string(r.Route), RouteLabel: label(r.Route),
		Alt: string(r.Alt), AltLabel: label(r.Alt),
		Reason: r.Reason, CO2GainKg: r.CO2GainKg, ETAGainMin: r.ETAGainMin,
		Status: string(r.Status), Path: make([]RoadRef, 0, len(r.Path)),
	}
	if r.Share > 0 {
		out.Share = traffic.Some(r.Share)
	}
	for _, id := range r.Path {
		out.Path = append(out.Path, RoadRef{Road: string(id), Label: label(id)})
	}
	return out, nil
}

// A Road is a road's metadata.
type Road struct {
	ID        string        `json:"road_id"`
	Label     string        `json:"label"`
	Lat       traffic.Value `json:"lat"`
	Lng       traffic.Value `json:"lng"`
	Class     string        `json:"class"`
	LengthM   traffic.Value `json:"length_m"`
	FreeFlow  traffic.Value `json:"free_flow_kmh"`
	Capacity  traffic.Value `json:"capacity_vph"`
	FromNode  *string       `json:"from_node"`
	ToNode    *string       `json:"to_node"`
	UpdatedAt time.Time     `json:"updated_at"`
}

// OfRoad shows a road.
func OfRoad(r *traffic.Road) Road {
	return Road{
		ID: string(r.ID), Label: r.Label, Lat: r.Lat, Lng: r.Lng, Class: Class(r.Class),
		LengthM: r.LengthM, FreeFlow: r.FreeFlowKMH, Capacity: r.CapacityVPH,
		FromNode: orNull(string(r.FromNode)), ToNode: orNull(string(r.ToNode)),
		UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// Class is the name of a road class; "unknown" where there is none.
func Class(c traffic.Class) string {
	if c == "" {
		return "unknown"
	}
	return string(c)
}

// A Rejected is the record of something that was not taken.
type Rejected struct {
	ID      string    `json:"id"`
	At      time.Time `json:"ts"`
	Edge    *string   `json:"edge_id"`
	Origin  string    `json:"origin"`
	Payload string    `json:"payload"`
	Reason  string    `json:"reason"`
	Detail  string    `json:"detail"`
}

// OfRejected shows a refusal.
func OfRejected(r *traffic.Rejected) Rejected {
	return Rejected{
		ID: r.ID, At: r.At.UTC(), Edge: orNull(string(r.Edge)), Origin: r.Origin,
		Payload: readable(r.Payload), Reason: string(r.Reason), Detail: r.Detail,
	}
}

// readable keeps text and shows bytes that are not UTF-8 as \xNN.
func readable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&out, `\x%02x`, b[0])
		} else {
			out.WriteRune(r)
		}
		b = b[size:]
	}
	return out.String()
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
