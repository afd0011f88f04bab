package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

type alarm struct {
	ID       string     `json:"id"`
	State    string     `json:"state"`
	Road     string     `json:"road_id"`
	Severity string     `json:"severity"`
	End      *time.Time `json:"end_ts"`
	Roads    []struct {
		Road string `json:"road_id"`
	}
}

func incident(road string, minute int) traffic.Alert {
	at := noon.Add(time.Duration(minute) * time.Minute)
	return traffic.Alert{
		Kind: traffic.AlertIncident, Road: traffic.RoadID(road), Start: at, Updated: at.Add(5 * time.Minute), Severity: traffic.SeverityMajor,
		Roads: []traffic.RoadID{traffic.RoadID(road), "z"}, Observed: 0.75, Expected: 0.25, Lat: traffic.Some(48.5), Lng: traffic.Some(2.5), Detail: "a jam",
	}
}

func TestAlerts(t *testing.T) {
	c, token := begun(t)
	if got := all[alarm](c, "/api/alerts", token); len(got) != 0 {
		t.Errorf("alerts of a quiet city: %+v", got)
	}
	old, new := incident("a", 0), incident("b", 30)
	old.End = noon.Add(20 * time.Minute)
	if err := c.store.PutAlerts(t.Context(), []traffic.Alert{old, new}); err != nil {
		t.Fatal(err)
	}
	got := all[alarm](c, "/api/alerts?limit=1", token)
	if len(got) != 2 || got[0].Road != "b" || got[0].State != "active" || got[0].End != nil || len(got[0].Roads) != 2 ||
		got[1].State != "ended" || !got[1].End.Equal(old.End) || got[0].ID == got[1].ID {
		t.Errorf("alerts: %+v", got)
	}
	for path, want := range map[string]string{
		"/api/alerts?state=active": "b", "/api/alerts?state=ended": "a", "/api/alerts?before=2026-08-24T12:30:00Z": "a",
	} {
		if got := all[alarm](c, path, token); len(got) != 1 || got[0].Road != want {
			t.Errorf("%s: %+v, want %s", path, got, want)
		}
	}
	c.get("/api/alerts?state=over", token).problem(400, "bad-parameter")
	c.get("/api/alerts?cursor=x", token).problem(400, "bad-parameter")
}

// Alerts are in the snapshot, and told when they begin and end.
func TestAlertsLive(t *testing.T) {
	c, token := begun(t)
	s := c.connect("/ws/live?channels=alert", token)
	var first struct{ Alerts []alarm }
	s.next("snapshot", &first)
	if len(first.Alerts) != 0 {
		t.Errorf("snapshot %+v", first)
	}
	a := incident("a", 0)
	c.publish(bus.Event{Topic: bus.TopicAlerts, Alerts: []traffic.Alert{a, incident("b", 5)}})
	var now []alarm
	s.next("alert", &now)
	if len(now) != 2 || now[0].Road != "b" || now[1].Severity != "major" {
		t.Errorf("told %+v", now)
	}
	a.End, a.Updated = a.Updated, a.Updated.Add(time.Minute)
	c.publish(bus.Event{Topic: bus.TopicAlerts, Alerts: []traffic.Alert{a}})
	s.next("alert", &now)
	if len(now) != 1 || now[0].Road != "b" {
		t.Errorf("after one ended %+v", now)
	}
}

func TestSkill(t *testing.T) {
	c, token := begun(t)
	type figures struct {
		Model     string   `json:"model_version"`
		Group     string   `json:"road_group"`
		Horizon   int      `json:"horizon_min"`
		Served    bool     `json:"served"`
		Forecasts float64  `json:"forecasts"`
		MAE       *float64 `json:"mae"`
		Coverage  *float64 `json:"coverage"`
		Skill     *float64 `json:"skill_persistence"`
	}
	if got := all[figures](c, "/api/predictions/skill", token); len(got) != 0 {
		t.Errorf("without any: %+v", got)
	}
	skill := func(model, group string, weight, err float64) traffic.Skill {
		return traffic.Skill{
			Model: model, HorizonMin: 30, Group: group, Through: noon, Served: model == "net", Weight: weight, AbsErr: weight * err,
			Persistence: traffic.Duel{Weight: weight, Own: weight * err, Other: weight * 0.25},
		}
	}
	for shard, ss := range [][]traffic.Skill{
		{skill("net", "primary", 100, 0.125), skill("line", "primary", 100, 0.5)},
		{skill("net", "primary", 300, 0.125), skill("net", "trunk", 100, 0.25)},
	} {
		if err := c.store.PutSkills(t.Context(), shard, 2, ss); err != nil {
			t.Fatal(err)
		}
	}
	got := all[figures](c, "/api/predictions/skill", token)
	if len(got) != 5 || got[0].Group != "all" || got[0].Model != "net" || got[0].Forecasts != 500 || got[0].Served || *got[0].MAE != 0.15 ||
		got[2].Group != "primary" || got[2].Forecasts != 400 || !got[2].Served || *got[2].Skill != 0.5 || got[2].Coverage != nil {
		text, _ := json.Marshal(got)
		t.Errorf("skill: %s", text)
	}
	for path, want := range map[string]int{
		"/api/predictions/skill?horizon=30&model=line": 2, "/api/predictions/skill?group=trunk": 1, "/api/predictions/skill?horizon=15": 0,
	} {
		if got := all[figures](c, path, token); len(got) != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
	c.get("/api/predictions/skill?horizon=x", token).problem(400, "bad-parameter")
}

// When another model takes the word, the forecast of the one before it is not in force any
// more, also after the store was read again.
func TestTheNewestForecastIsInForce(t *testing.T) {
	c, token := begun(t)
	before, after := forecasts(0, "a"), forecasts(5, "a")
	for i := range after {
		after[i].Model = "net"
	}
	c.foresee(before...)
	c.foresee(after...)
	check := func(c *city) {
		t.Helper()
		c.eventually("the newer forecasts", func() bool {
			ps := all[forecast](c, "/api/predictions", token)
			return len(ps) == 3 && ps[0].Model == "net" && ps[2].Model == "net"
		})
	}
	check(c)
	c.stop()
	check(restart(t, c))
}
