package payload

import (
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Skill is how well a model does at one horizon for one group of roads.
type Skill struct {
	Model       string        `json:"model_version"`
	HorizonMin  int           `json:"horizon_min"`
	Group       string        `json:"road_group"`
	Served      bool          `json:"served"`
	Demoted     bool          `json:"demoted"`
	Forecasts   float64       `json:"forecasts"`
	MAE         traffic.Value `json:"mae"`
	Bias        traffic.Value `json:"bias"`
	Coverage    traffic.Value `json:"coverage"`
	Persistence traffic.Value `json:"skill_persistence"`
	Profile     traffic.Value `json:"skill_profile"`
	Through     time.Time     `json:"through_ts"`
}

// OfSkill shows the sums as means.
func OfSkill(s *traffic.Skill) Skill {
	return Skill{
		Model: s.Model, HorizonMin: s.HorizonMin, Group: s.Group, Served: s.Served, Demoted: s.Demoted,
		Forecasts: s.Weight, MAE: s.MAE(), Bias: s.Bias(), Coverage: s.Coverage(),
		Persistence: s.Persistence.Skill(), Profile: s.Profile.Skill(), Through: s.Through.UTC(),
	}
}

// An Alert says that something is wrong somewhere.
type Alert struct {
	ID        string        `json:"id"`
	Kind      string        `json:"kind"`
	State     string        `json:"state"`
	Severity  string        `json:"severity"`
	Road      string        `json:"road_id"`
	RoadLabel string        `json:"road_label"`
	Roads     []RoadRef     `json:"roads"`
	Start     time.Time     `json:"start_ts"`
	End       *time.Time    `json:"end_ts"`
	Updated   time.Time     `json:"updated_ts"`
	Observed  float64       `json:"observed"`
	Expected  float64       `json:"expected"`
	Lat       traffic.Value `json:"lat"`
	Lng       traffic.Value `json:"lng"`
	Detail    string        `json:"detail"`
}

// OfAlert shows an alert; label gives the names of its roads.
func OfAlert(a *traffic.Alert, label func(traffic.RoadID) string) (Alert, error) {
	id, err := store.MakeCursor(a.Start.UTC(), a.Road, a.Kind)
	if err != nil {
		return Alert{}, fmt.Errorf("name alert: %w", err)
	}
	out := Alert{
		ID: string(id), Kind: string(a.Kind), State: string(store.AlertActive), Severity: string(a.Severity),
		Road: string(a.Road), RoadLabel: label(a.Road), Roads: []RoadRef{},
		Start: a.Start.UTC(), End: timeOrNull(a.End), Updated: a.Updated.UTC(),
		Observed: a.Observed, Expected: a.Expected, Lat: a.Lat, Lng: a.Lng, Detail: a.Detail,
	}
	if !a.Active() {
		out.State = string(store.AlertEnded)
	}
	for _, id := range a.Roads {
		out.Roads = append(out.Roads, RoadRef{Road: string(id), Label: label(id)})
	}
	return out, nil
}
