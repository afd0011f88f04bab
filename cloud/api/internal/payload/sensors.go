package payload

import (
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Sensor is what is known of a sensor's health.
type Sensor struct {
	ID     traffic.SensorID     `json:"sensor_id"`
	Road   traffic.RoadID       `json:"road_id"`
	Edge   *string              `json:"edge_id"`
	Status traffic.SensorStatus `json:"status"`
	Last   time.Time            `json:"last_ts"`
	// IntervalS is in seconds, null while there was only one reading.
	IntervalS    *float64      `json:"interval_s"`
	StuckSince   *time.Time    `json:"stuck_since"`
	Inconsistent float64       `json:"inconsistent_share"`
	Length       traffic.Value `json:"effective_length_m"`
	UsualLength  traffic.Value `json:"usual_length_m"`
}

// OfSensor shows a sensor as it is judged at an event time.
func OfSensor(h *traffic.SensorHealth, at time.Time) Sensor {
	s := Sensor{
		ID: h.Sensor, Road: h.Road, Edge: orNull(string(h.Edge)), Status: h.Status(at), Last: h.Last.UTC(),
		StuckSince: timeOrNull(h.StuckSince), Inconsistent: h.Inconsistent, Length: h.Length, UsualLength: h.UsualLength,
	}
	if h.Interval > 0 {
		seconds := h.Interval.Seconds()
		s.IntervalS = &seconds
	}
	return s
}

// A Gap is what an edge lost.
type Gap struct {
	Edge     traffic.EdgeID   `json:"edge_id"`
	Cause    traffic.GapCause `json:"cause"`
	From     *time.Time       `json:"from"`
	To       *time.Time       `json:"to"`
	Readings *int             `json:"readings"`
	Noticed  time.Time        `json:"noticed_at"`
}

// OfGap shows a gap; what a damaged disk did not tell is null.
func OfGap(g *traffic.Gap) Gap {
	out := Gap{Edge: g.Edge, Cause: g.Cause, From: timeOrNull(g.From), To: timeOrNull(g.To), Noticed: g.Noticed.UTC()}
	if g.Readings > 0 {
		out.Readings = &g.Readings
	}
	return out
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
