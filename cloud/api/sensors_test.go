package api_test

import (
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestSensors(t *testing.T) {
	c := start(t)
	token := c.admin().Token
	if got := all[map[string]any](c, "/api/sensors", token); len(got) != 0 {
		t.Errorf("sensors of an empty city: %v", got)
	}
	c.measure(traffic.Reading{At: noon, Sensor: "ok", Road: "R", Speed: traffic.Some(30)})
	err := c.store.PutSensors(t.Context(), []traffic.SensorHealth{
		{Sensor: "ok", Road: "R", Last: noon, Interval: time.Minute},
		{Sensor: "gone", Road: "R", Edge: "E1", Last: noon.Add(-time.Hour), Interval: time.Minute, Length: traffic.Some(6)},
		{Sensor: "stuck", Road: "Q", Edge: "E1", Last: noon, StuckSince: noon.Add(-time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	type sensor struct {
		ID     string   `json:"sensor_id"`
		Edge   *string  `json:"edge_id"`
		Status string   `json:"status"`
		Every  *float64 `json:"interval_s"`
		Length *float64 `json:"effective_length_m"`
	}
	var got []sensor
	c.eventually("the newest time is known", func() bool {
		got = all[sensor](c, "/api/sensors?limit=2", token)
		return len(got) == 3 && got[0].Status == "silent"
	})
	if got[0].ID != "gone" || *got[0].Edge != "E1" || *got[0].Every != 60 || *got[0].Length != 6 ||
		got[1].Status != "ok" || got[1].Edge != nil || got[2].Status != "stuck" || got[2].Every != nil {
		t.Errorf("sensors: %+v", got)
	}
	for path, want := range map[string]string{
		"/api/sensors?status=silent": "gone", "/api/sensors?status=stuck&edge_id=E1": "stuck", "/api/sensors?road_id=R&status=ok": "ok",
	} {
		if got := all[sensor](c, path, token); len(got) != 1 || got[0].ID != want {
			t.Errorf("%s: %+v, want %s", path, got, want)
		}
	}
	c.get("/api/sensors?status=broken", token).problem(400, "bad-parameter")
	c.get("/api/sensors?cursor=x", token).problem(400, "bad-parameter")
}

func TestGaps(t *testing.T) {
	c := start(t)
	token := c.admin().Token
	_, err := c.store.Append(t.Context(), store.Delivery{Gaps: []traffic.Gap{
		{Edge: "E1", Cause: traffic.GapEvicted, Epoch: 1, FirstSeq: 1, LastSeq: 9, From: noon.Add(-2 * time.Hour), To: noon.Add(-time.Hour), Readings: 900, Noticed: noon},
		{Edge: "E2", Cause: traffic.GapDamaged, Epoch: 1, FirstSeq: 4, LastSeq: 4, Noticed: noon},
	}})
	if err != nil {
		t.Fatal(err)
	}
	type gap struct {
		Edge     string     `json:"edge_id"`
		Cause    string     `json:"cause"`
		From     *time.Time `json:"from"`
		Readings *int       `json:"readings"`
	}
	got := all[gap](c, "/api/gaps?limit=1", token)
	if len(got) != 2 || got[0].Edge != "E2" || got[0].From != nil || got[0].Readings != nil ||
		got[1].Cause != "evicted" || !got[1].From.Equal(noon.Add(-2*time.Hour)) || *got[1].Readings != 900 {
		t.Errorf("gaps: %+v", got)
	}
	for path, want := range map[string]int{
		"/api/gaps?edge_id=E1": 1, "/api/gaps?from=2026-08-24T11:30:00Z": 1, "/api/gaps?to=2026-08-24T11:30:00Z": 1, "/api/gaps?edge_id=E3": 0,
	} {
		if got := all[gap](c, path, token); len(got) != want {
			t.Errorf("%s: %+v, want %d", path, got, want)
		}
	}
	c.get("/api/gaps?from=2026-08-24T12:00:00Z&to=2026-08-24T11:00:00Z", token).problem(400, "bad-parameter")
	c.get("/api/gaps?from=noon", token).problem(400, "bad-parameter")
}
