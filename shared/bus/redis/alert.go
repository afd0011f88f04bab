package redis

import (
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

type alert struct {
	Start    stamp             `json:"ts"`
	End      stamp             `json:"end_ts,omitzero"`
	Updated  stamp             `json:"updated_ts"`
	Kind     traffic.AlertKind `json:"kind"`
	Road     traffic.RoadID    `json:"road_id"`
	Severity traffic.Severity  `json:"severity"`
	Roads    []traffic.RoadID  `json:"roads,omitzero"`
	Observed float64           `json:"observed"`
	Expected float64           `json:"expected"`
	Lat      traffic.Value     `json:"lat,omitzero"`
	Lng      traffic.Value     `json:"lng,omitzero"`
	Detail   string            `json:"detail"`
}

// IsZero makes omitzero leave out the end of an alert that goes on.
func (s stamp) IsZero() bool { return time.Time(s).IsZero() }

func fromAlert(a *traffic.Alert) alert {
	return alert{
		Start: stamp(a.Start), End: stamp(a.End), Updated: stamp(a.Updated), Kind: a.Kind, Road: a.Road, Severity: a.Severity,
		Roads: a.Roads, Observed: a.Observed, Expected: a.Expected, Lat: a.Lat, Lng: a.Lng, Detail: a.Detail,
	}
}

func (m *alert) alert() traffic.Alert {
	return traffic.Alert{
		Start: time.Time(m.Start), End: time.Time(m.End), Updated: time.Time(m.Updated), Kind: m.Kind, Road: m.Road, Severity: m.Severity,
		Roads: m.Roads, Observed: m.Observed, Expected: m.Expected, Lat: m.Lat, Lng: m.Lng, Detail: m.Detail,
	}
}
