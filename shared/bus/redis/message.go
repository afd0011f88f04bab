package redis

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A message is one part of an event as it travels on a channel.
type message struct {
	Publisher   string       `json:"publisher"`
	Seq         uint64       `json:"seq"`
	Part        int          `json:"part"`
	Parts       int          `json:"parts"`
	Roads       []roadState  `json:"roads"`
	Predictions []prediction `json:"predictions"`
	Reroutes    []reroute    `json:"reroutes"`
	Alerts      []alert      `json:"alerts"`
}

// A stamp is a time whose text has a fixed width, so that the script which guards
// the latest states can compare texts.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000000Z"

func (s stamp) MarshalJSON() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, `"`+stampLayout+`"`), nil
}

func (s *stamp) UnmarshalJSON(b []byte) error {
	t, err := time.Parse(`"`+time.RFC3339+`"`, string(b))
	*s = stamp(t.UTC())
	return err
}

// roadState must begin with ts: latest.lua looks for it there.
type roadState struct {
	At             stamp            `json:"ts"`
	Road           traffic.RoadID   `json:"road_id"`
	Sensor         traffic.SensorID `json:"sensor_id"`
	Speed          traffic.Value    `json:"speed_kmh,omitzero"`
	SpeedEstimated bool             `json:"speed_estimated,omitzero"`
	Flow           traffic.Value    `json:"flow_rate,omitzero"`
	Occupancy      traffic.Value    `json:"occupancy,omitzero"`
	Score          traffic.Value    `json:"congestion_score,omitzero"`
	Quality        traffic.Quality  `json:"quality,omitzero"`
	Edge           traffic.EdgeID   `json:"edge_id,omitzero"`
	Label          string           `json:"label,omitzero"`
	Lat            traffic.Value    `json:"lat,omitzero"`
	Lng            traffic.Value    `json:"lng,omitzero"`
}

type prediction struct {
	At         stamp          `json:"ts"`
	Road       traffic.RoadID `json:"road_id"`
	HorizonMin int            `json:"horizon_min"`
	Score      float64        `json:"congestion_score"`
	Confidence float64        `json:"confidence"`
	Model      string         `json:"model_version"`
	Speed      traffic.Value  `json:"speed_kmh,omitzero"`
	Lower      traffic.Value  `json:"lower,omitzero"`
	Upper      traffic.Value  `json:"upper,omitzero"`
}

type reroute struct {
	At         stamp                 `json:"ts"`
	Route      traffic.RoadID        `json:"route_id"`
	Alt        traffic.RoadID        `json:"alt_route_id"`
	Reason     string                `json:"reason"`
	CO2GainKg  float64               `json:"estimated_co2_gain"`
	ETAGainMin float64               `json:"eta_gain_min"`
	Path       []traffic.RoadID      `json:"path,omitzero"`
	Share      float64               `json:"share,omitzero"`
	Status     traffic.RerouteStatus `json:"status"`
}

func fromRoadState(s *traffic.RoadState) roadState {
	m := roadState{
		At: stamp(s.At), Road: s.Road, Sensor: s.Sensor,
		Speed: s.Speed, SpeedEstimated: s.SpeedEstimated, Flow: s.Flow, Occupancy: s.Occupancy,
		Score: s.Score, Quality: s.Quality, Edge: s.Edge,
	}
	if p := s.Place; p != nil {
		m.Label, m.Lat, m.Lng = p.Label, p.Lat, p.Lng
	}
	return m
}

func (m *roadState) state() traffic.RoadState {
	s := traffic.RoadState{SpeedEstimated: m.SpeedEstimated, Reading: traffic.Reading{
		At: time.Time(m.At), Road: m.Road, Sensor: m.Sensor,
		Speed: m.Speed, Flow: m.Flow, Occupancy: m.Occupancy,
		Score: m.Score, Quality: m.Quality, Edge: m.Edge,
	}}
	if m.Label != "" || m.Lat.Known() || m.Lng.Known() {
		s.Place = &traffic.Place{Label: m.Label, Lat: m.Lat, Lng: m.Lng}
	}
	return s
}

func fromPrediction(p *traffic.Prediction) prediction {
	return prediction{
		At: stamp(p.At), Road: p.Road, HorizonMin: p.HorizonMin,
		Score: p.Score, Confidence: p.Confidence, Model: p.Model,
		Speed: p.Speed, Lower: p.Lower, Upper: p.Upper,
	}
}

func (m *prediction) prediction() traffic.Prediction {
	return traffic.Prediction{
		At: time.Time(m.At), Road: m.Road, HorizonMin: m.HorizonMin,
		Score: m.Score, Confidence: m.Confidence, Model: m.Model,
		Speed: m.Speed, Lower: m.Lower, Upper: m.Upper,
	}
}

func fromReroute(r *traffic.Reroute) reroute {
	return reroute{
		At: stamp(r.At), Route: r.Route, Alt: r.Alt, Reason: r.Reason,
		CO2GainKg: r.CO2GainKg, ETAGainMin: r.ETAGainMin, Path: r.Path, Share: r.Share, Status: r.Status,
	}
}

func (m *reroute) reroute() traffic.Reroute {
	return traffic.Reroute{
		At: time.Time(m.At), Route: m.Route, Alt: m.Alt, Reason: m.Reason,
		CO2GainKg: m.CO2GainKg, ETAGainMin: m.ETAGainMin, Path: m.Path, Share: m.Share, Status: m.Status,
	}
}

// encodeItems returns the JSON of each item of e and the name of the list.
func encodeItems(e *bus.Event) (name string, items [][]byte, err error) {
	switch e.Topic {
	case bus.TopicLive:
		items, err = encodeEach(e.Roads, fromRoadState)
		return "roads", items, err
	case bus.TopicPredictions:
		items, err = encodeEach(e.Predictions, fromPrediction)
		return "predictions", items, err
	case bus.TopicAlerts:
		items, err = encodeEach(e.Alerts, fromAlert)
		return "alerts", items, err
	default:
		items, err = encodeEach(e.Reroutes, fromReroute)
		return "reroutes", items, err
	}
}

func encodeEach[T, M any](list []T, from func(*T) M) ([][]byte, error) {
	items := make([][]byte, len(list))
	for i := range list {
		b, err := json.Marshal(from(&list[i]))
		if err != nil {
			return nil, fmt.Errorf("encode item %d: %w", i, err)
		}
		items[i] = b
	}
	return items, nil
}

// appendTo adds what m carries to the event that is being put together.
func (m *message) appendTo(e *bus.Event) {
	for i := range m.Roads {
		e.Roads = append(e.Roads, m.Roads[i].state())
	}
	for i := range m.Predictions {
		e.Predictions = append(e.Predictions, m.Predictions[i].prediction())
	}
	for i := range m.Reroutes {
		e.Reroutes = append(e.Reroutes, m.Reroutes[i].reroute())
	}
	for i := range m.Alerts {
		e.Alerts = append(e.Alerts, m.Alerts[i].alert())
	}
}
