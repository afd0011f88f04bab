package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/api"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

type page[T any] struct {
	Data       []T
	NextCursor string `json:"next_cursor"`
	HasMore    bool   `json:"has_more"`
	Watermark  *time.Time
	Stale      bool
}

// all follows the cursors of a list to its end.
func all[T any](c *city, path, token string) []T {
	c.t.Helper()
	var out []T
	next := path
	for range 1000 {
		var p page[T]
		c.get(next, token).want(200).into(&p)
		out = append(out, p.Data...)
		if p.HasMore != (p.NextCursor != "") {
			c.t.Fatalf("has_more %t with cursor %q", p.HasMore, p.NextCursor)
		}
		if !p.HasMore {
			return out
		}
		next = path + "&cursor=" + url.QueryEscape(p.NextCursor)
	}
	c.t.Fatal("the list has no end")
	return nil
}

type road struct {
	ID    string `json:"road_id"`
	Label string
	Lat   *float64
	Class string
	State *measured
}

type measured struct {
	TS        time.Time
	Road      string   `json:"road_id"`
	Sensor    string   `json:"sensor_id"`
	Speed     *float64 `json:"speed_kmh"`
	Flow      *float64 `json:"flow_rate"`
	Score     *float64 `json:"congestion_score"`
	ScoreV1   *float64 `json:"congestion_score_v1"`
	Estimated bool     `json:"speed_estimated"`
	Quality   []string
	Samples   int64
	Width     int `json:"width_s"`
}

// line puts n roads on a line: road i at lng i/1000, lat 48.85.
func line(n int) []traffic.Road {
	roads := make([]traffic.Road, n)
	for i := range roads {
		at := func(x float64) traffic.Point { return traffic.Point{Lat: 48.85, Lng: (float64(i) + x) / 1000} }
		roads[i] = traffic.Road{
			ID: traffic.RoadID(fmt.Sprintf("R%04d", i)), Label: fmt.Sprintf("Rue \"%d\" <é>", i),
			Lat: traffic.Some(48.85), Lng: traffic.Some(float64(i) / 1000),
			Geometry: [][]traffic.Point{{at(0), at(0.3), at(1)}}, FromNode: traffic.NodeID(fmt.Sprint(i)), ToNode: traffic.NodeID(fmt.Sprint(i + 1)),
			LengthM: traffic.Some(73), Class: traffic.ClassPrimary,
		}
	}
	return roads
}

func (c *city) roads(roads ...traffic.Road) {
	c.t.Helper()
	if err := c.store.PutRoads(c.t.Context(), roads); err != nil {
		c.t.Fatal(err)
	}
}

// measure stores readings and publishes what they changed, as the collector does.
func (c *city) measure(rs ...traffic.Reading) {
	c.t.Helper()
	got, err := c.store.Append(c.t.Context(), store.Delivery{Readings: rs})
	if err != nil {
		c.t.Fatal(err)
	}
	c.publish(bus.Event{Topic: bus.TopicLive, Roads: got.Latest})
}

// begun is a city with roads that were there before it started.
func begun(t *testing.T, roads ...traffic.Road) (*city, string) {
	t.Helper()
	return begunWith(t, func(*api.Config, *api.Parts) {}, roads...)
}

// begunWith is begun with an option.
func begunWith(t *testing.T, o option, roads ...traffic.Road) (*city, string) {
	t.Helper()
	c := start(t)
	c.stop()
	c.roads(roads...)
	c = restart(t, c, o)
	return c, c.admin().Token
}

func TestRoadsAreListedWithTheirState(t *testing.T) {
	c, token := begun(t, line(7)...)
	c.measure(reading("R0002", 0, 42, 900))
	c.eventually("state", func() bool {
		rs := all[road](c, "/api/roads?limit=3", token)
		return len(rs) == 7 && rs[2].State != nil
	})
	rs := all[road](c, "/api/roads?limit=3", token)
	for i, r := range rs {
		if r.ID != fmt.Sprintf("R%04d", i) || r.Label != fmt.Sprintf("Rue \"%d\" <é>", i) || r.Class != "primary" {
			t.Errorf("road %d: %+v", i, r)
		}
		if (r.State != nil) != (i == 2) {
			t.Errorf("road %d: state %+v", i, r.State)
		}
	}
	s := rs[2].State
	v1, _ := score.V1(traffic.Some(42), traffic.Some(0.1), traffic.Some(900))
	if *s.Speed != 42 || *s.Flow != 900 || *s.Score != 0.25 || math.Abs(*s.ScoreV1-v1) > 1e-15 || !s.TS.Equal(noon) || s.Sensor != "s-R0002" {
		t.Errorf("state %+v", s)
	}
	if in := all[road](c, "/api/roads?bbox=0.0015,48,0.0045,49&limit=2", token); len(in) != 3 || in[0].ID != "R0002" {
		t.Errorf("in the box: %+v", in)
	}
	if a := c.get("/api/roads?state=none", token); bytes.Contains(a.body, []byte(`"state"`)) {
		t.Error("state=none carries a state")
	}
	c.get("/api/roads?cursor=nonsense", token).problem(400, "bad-parameter")
	c.get("/api/roads?limit=1001", token).problem(400, "bad-parameter")
}

type collection struct {
	Type     string
	Features []struct {
		ID       string
		Geometry *struct {
			Type        string
			Coordinates json.RawMessage
		}
		Properties map[string]any
	}
}

func TestNetworkAsGeoJSON(t *testing.T) {
	roads := line(4)
	roads[1].Geometry = append(roads[1].Geometry, []traffic.Point{{Lat: 48.123456789, Lng: 2.5}, {Lat: 48, Lng: 2}})
	roads[2].Geometry = nil
	roads[3].Geometry, roads[3].Lat, roads[3].Lng = nil, traffic.Value{}, traffic.Value{}
	c, token := begun(t, roads...)
	var net collection
	a := c.get("/api/roads?format=geojson&state=none", token).want(200)
	a.into(&net)
	if a.header.Get("Content-Type") != "application/geo+json" || net.Type != "FeatureCollection" || len(net.Features) != 4 {
		t.Fatalf("%v %+v", a.header, net)
	}
	for i, kind := range []string{"LineString", "MultiLineString", "Point"} {
		if f := net.Features[i]; f.Geometry.Type != kind || f.ID != string(roads[i].ID) || f.Properties["road_id"] != f.ID {
			t.Errorf("feature %d: %+v", i, f)
		}
	}
	if net.Features[3].Geometry != nil {
		t.Error("a road that nobody placed has a geometry")
	}
	if got := string(net.Features[1].Geometry.Coordinates); !strings.Contains(got, "[2.5,48.123457]") {
		t.Errorf("coordinates %s, want longitude first, six decimals", got)
	}

	etag := a.header.Get("ETag")
	c.get("/api/roads?format=geojson&state=none", token, "If-None-Match", etag).want(304)
	c.measure(reading("R0000", 0, 30, 600))
	c.get("/api/roads?format=geojson&state=none", token, "If-None-Match", etag).want(304)

	c.eventually("state in GeoJSON", func() bool {
		var withState collection
		b := c.get("/api/roads?format=geojson", token).want(200)
		b.into(&withState)
		p := withState.Features[0].Properties
		return p["speed_kmh"] == 30.0 && p["ts"] == "2026-08-24T12:00:00Z" && withState.Features[1].Properties["ts"] == nil
	})
	stated := c.get("/api/roads?format=geojson", token).header.Get("ETag")
	c.get("/api/roads?format=geojson", token, "If-None-Match", `"x", `+stated).want(304)
	c.measure(reading("R0000", 1, 31, 600))
	c.eventually("new ETag", func() bool {
		return c.get("/api/roads?format=geojson", token, "If-None-Match", stated).status == 200
	})
	var some collection
	c.get("/api/roads?format=geojson&bbox=0.0005,48,0.0025,49", token).want(200).into(&some)
	if len(some.Features) != 2 {
		t.Errorf("%d features in the box, want 2", len(some.Features))
	}
}

func TestRoadsThatAppearLaterAreFound(t *testing.T) {
	c, token := begun(t)
	place := &traffic.Place{Label: "Quai de Valmy", Lat: traffic.Some(48.87), Lng: traffic.Some(2.36)}
	r := reading("N1", 0, 20, 300)
	r.Place = place
	c.measure(r)
	c.eventually("road", func() bool {
		rs := all[road](c, "/api/roads?limit=10", token)
		return len(rs) == 1 && rs[0].Label == "Quai de Valmy" && rs[0].State != nil
	})
}

func TestLiveReadings(t *testing.T) {
	c, token := begun(t, line(5)...)
	var want []string
	for i := range 5 {
		id := fmt.Sprintf("R%04d", i)
		c.measure(reading(id, 0, 50, 100), reading(id, 1, 40, 200), reading(id, 2, 30, 300))
		want = append(want, id)
	}
	late := reading("R0000", -60, 90, 1)
	c.measure(late)
	c.eventually("readings", func() bool { return len(all[measured](c, "/api/traffic/live?limit=2", token)) == 5 })
	for i, m := range all[measured](c, "/api/traffic/live?limit=2", token) {
		if m.Road != want[i] || *m.Speed != 30 || !m.TS.Equal(noon.Add(2*time.Minute)) {
			t.Errorf("reading %d: %+v", i, m)
		}
	}
	var p page[measured]
	c.get("/api/traffic/live?bbox=-0.0005,48,0.0015,49", token).want(200).into(&p)
	if len(p.Data) != 2 || p.Watermark == nil || !p.Watermark.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("%+v", p)
	}

	ofRoad := all[measured](c, "/api/traffic/live?road_id=R0000&limit=1", token)
	if len(ofRoad) != 4 || *ofRoad[0].Speed != 30 || *ofRoad[3].Speed != 90 {
		t.Errorf("readings of a road, newest first: %+v", ofRoad)
	}
	before := all[measured](c, "/api/traffic/live?road_id=R0000&before="+url.QueryEscape("2026-08-24T14:01:00+02:00")+"&limit=9", token)
	if len(before) != 2 || *before[0].Speed != 50 {
		t.Errorf("before 12:01: %+v", before)
	}
	if none := all[measured](c, "/api/traffic/live?road_id=nowhere&limit=9", token); len(none) != 0 {
		t.Errorf("unknown road: %+v", none)
	}
	c.get("/api/traffic/live?before=2026-08-24T12:00:00Z", token).problem(400, "bad-parameter")
	c.get("/api/traffic/live?road_id=R0000&bbox=0,0,1,1", token).problem(400, "bad-parameter")
	c.get("/api/traffic/live?road_id=R0000&cursor=x", token).problem(400, "bad-parameter")
}

func TestAbsentQuantitiesAreNull(t *testing.T) {
	c, token := begun(t)
	c.measure(traffic.Reading{At: noon, Sensor: "s", Road: "r", Occupancy: traffic.Some(0.5), Quality: traffic.QualityLate | traffic.QualityThinned, Edge: "e1"})
	c.eventually("reading", func() bool { return len(all[measured](c, "/api/traffic/live?limit=2", token)) == 1 })
	a := c.get("/api/traffic/live", token)
	for _, part := range []string{`"speed_kmh":null`, `"flow_rate":null`, `"occupancy":0.5`, `"congestion_score":null`, `"congestion_score_v1":0.5`, `"quality":["late","thinned"]`, `"edge_id":"e1"`} {
		if !strings.Contains(string(a.body), part) {
			t.Errorf("%s is not in %s", part, a.body)
		}
	}
}

func TestHistoryIsAveraged(t *testing.T) {
	c, token := begun(t)
	var rs []traffic.Reading
	for minute := range 30 {
		if minute/5 != 3 { // one bucket stays empty
			rs = append(rs, reading("r", minute, float64(20+minute), 600))
		}
	}
	c.measure(rs...)
	const span = "/api/traffic/history?road_id=r&from=2026-08-24T12:00:00Z&to=2026-08-24T12:30:00Z"
	got := all[measured](c, span+"&limit=2", token)
	if len(got) != 5 {
		t.Fatalf("%d buckets, want 5: %+v", len(got), got)
	}
	for i, b := range got {
		first := []int{0, 5, 10, 20, 25}[i]
		speed := float64(20 + first + 2)
		v1, _ := score.V1(traffic.Some(speed), traffic.Some(0.1), traffic.Some(600))
		if !b.TS.Equal(noon.Add(time.Duration(first)*time.Minute)) || b.Width != 300 || b.Samples != 5 ||
			math.Abs(*b.Speed-speed) > 1e-9 || math.Abs(*b.ScoreV1-v1) > 1e-9 || math.Abs(*b.Score-0.25) > 1e-9 {
			t.Errorf("bucket %d: %+v, want speed %g, v1 %g", i, b, speed, v1)
		}
	}
	if hour := all[measured](c, span+"&width=1h&limit=9", token); len(hour) != 1 || hour[0].Samples != 25 {
		t.Errorf("by the hour: %+v", hour)
	}
	c.get(span+"&cursor=x", token).problem(400, "bad-parameter")
}

func (c *city) foresee(ps ...traffic.Prediction) {
	c.t.Helper()
	if err := c.store.PutPredictions(c.t.Context(), ps); err != nil {
		c.t.Fatal(err)
	}
	c.publish(bus.Event{Topic: bus.TopicPredictions, Predictions: ps})
}

type forecast struct {
	TS       time.Time
	TargetTS time.Time `json:"target_ts"`
	Road     string    `json:"road_id"`
	Horizon  int       `json:"horizon_min"`
	Score    float64   `json:"congestion_score"`
	Version  string    `json:"score_version"`
	Model    string    `json:"model_version"`
	Lower    *float64
	Upper    *float64
}

func forecasts(minute int, roads ...string) []traffic.Prediction {
	var ps []traffic.Prediction
	for _, r := range roads {
		for _, h := range []int{15, 30, 60} {
			ps = append(ps, traffic.Prediction{
				At: noon.Add(time.Duration(minute) * time.Minute), Road: traffic.RoadID(r), HorizonMin: h,
				Score: float64(h) / 100, Confidence: 0.5, Model: "ewma-lr-v2",
			})
		}
	}
	return ps
}

func TestPredictions(t *testing.T) {
	c, token := begun(t)
	c.measure(reading("a", 10, 50, 100))
	c.foresee(forecasts(0, "a", "b", "c")...)
	c.foresee(forecasts(5, "a", "b")...)
	c.eventually("forecasts", func() bool {
		ps := all[forecast](c, "/api/predictions?horizon=30&limit=2", token)
		return len(ps) == 3 && ps[1].TS.Equal(noon.Add(5*time.Minute))
	})
	for i, p := range all[forecast](c, "/api/predictions?horizon=30&limit=2", token) {
		minute := []int{5, 5, 0}[i]
		if p.Road != string("abc"[i]) || p.Horizon != 30 || p.Score != 0.3 || p.Version != "v1" || p.Model != "ewma-lr-v2" ||
			!p.TS.Equal(noon.Add(time.Duration(minute)*time.Minute)) || p.TargetTS.Sub(p.TS) != 30*time.Minute || p.Lower != nil || p.Upper != nil {
			t.Errorf("forecast %d: %+v", i, p)
		}
	}
	if ps := all[forecast](c, "/api/predictions?limit=4", token); len(ps) != 9 || ps[1].Horizon != 30 {
		t.Errorf("all horizons: %+v", ps)
	}
	if ps := all[forecast](c, "/api/predictions?model=other&limit=4", token); len(ps) != 0 {
		t.Errorf("another model: %+v", ps)
	}
	history := all[forecast](c, "/api/predictions?road_id=a&limit=4", token)
	if len(history) != 6 || history[0].Horizon != 15 || !history[2].TS.Equal(noon.Add(5*time.Minute)) || !history[3].TS.Equal(noon) {
		t.Errorf("history: %+v", history)
	}
	if old := all[forecast](c, "/api/predictions?road_id=a&horizon=60&before=2026-08-24T12:05:00Z&limit=4", token); len(old) != 1 || !old[0].TS.Equal(noon) {
		t.Errorf("before: %+v", old)
	}
	c.get("/api/predictions?horizon=0", token).problem(400, "bad-parameter")
	c.get("/api/predictions?cursor=x", token).problem(400, "bad-parameter")
	c.get("/api/predictions?road_id=a&cursor=x", token).problem(400, "bad-parameter")
}

func TestForecastsThatLagAreStale(t *testing.T) {
	c, token := begun(t)
	c.foresee(forecasts(0, "a")...)
	c.measure(reading("a", 15, 50, 100))
	stale := func() bool {
		var p page[forecast]
		c.get("/api/predictions", token).want(200).into(&p)
		return p.Stale
	}
	c.eventually("watermark", func() bool {
		var p page[forecast]
		c.get("/api/predictions", token).want(200).into(&p)
		return p.Watermark != nil && len(p.Data) > 0
	})
	if stale() {
		t.Error("15 minutes behind is stale already")
	}
	c.measure(reading("a", 16, 50, 100))
	c.eventually("stale", stale)
	c.foresee(forecasts(15, "a")...)
	c.eventually("fresh", func() bool { return !stale() })
}

type detour struct {
	ID       string
	Route    string `json:"route_id"`
	Label    string `json:"route_label"`
	Alt      string `json:"alt_route_id"`
	AltLabel string `json:"alt_route_label"`
	Status   string
	Share    *float64
	CO2      float64 `json:"estimated_co2_gain"`
	ETA      float64 `json:"eta_gain_min"`
	Path     []struct {
		Road  string `json:"road_id"`
		Label string
	}
}

func TestReroutes(t *testing.T) {
	c, token := begun(t, line(4)...)
	rs := []traffic.Reroute{
		{At: noon, Route: "R0001", Alt: "R0002", Reason: "jam", CO2GainKg: -1.5, ETAGainMin: 4, Path: []traffic.RoadID{"R0000", "R0002", "gone"}, Status: traffic.RerouteProposed, Share: 0.3},
		{At: noon, Route: "R0003", Alt: "R0002", Reason: "jam", Path: []traffic.RoadID{"R0002"}, Status: traffic.RerouteRejected},
	}
	if err := c.store.PutReroutes(t.Context(), noon, rs); err != nil {
		t.Fatal(err)
	}
	got := all[detour](c, "/api/reroutes/recommended?limit=5", token)
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	d := got[0]
	if d.Route != "R0001" || d.Label != `Rue "1" <é>` || d.Alt != "R0002" || d.AltLabel != `Rue "2" <é>` || d.CO2 != -1.5 || d.ETA != 4 || *d.Share != 0.3 || d.Status != "proposed" || d.ID == "" {
		t.Errorf("%+v", d)
	}
	if len(d.Path) != 3 || d.Path[1].Road != "R0002" || d.Path[1].Label != d.AltLabel || d.Path[2].Label != "" {
		t.Errorf("path %+v", d.Path)
	}
	if got := all[detour](c, "/api/reroutes/recommended?status=rejected,expired&limit=5", token); len(got) != 1 || got[0].Route != "R0003" || got[0].Share != nil {
		t.Errorf("rejected: %+v", got)
	}
	if got := all[detour](c, "/api/reroutes/recommended?road_id=R0002&limit=5", token); len(got) != 0 {
		t.Errorf("of another road: %+v", got)
	}
	if got := all[detour](c, "/api/reroutes/recommended?before=2026-08-24T12:00:00Z&limit=5", token); len(got) != 0 {
		t.Errorf("before: %+v", got)
	}
	c.get("/api/reroutes/recommended?status=perhaps", token).problem(400, "bad-parameter")
	c.get("/api/reroutes/recommended?cursor=x", token).problem(400, "bad-parameter")
}

func TestRejectedIsForOperators(t *testing.T) {
	c, token := begun(t)
	var bad []traffic.Rejected
	for i := range 5 {
		bad = append(bad, traffic.Rejected{
			At: noon.Add(time.Duration(i) * time.Second), Edge: "e1", Origin: "cityflow/traffic/s1", Payload: []byte("\xff{\"speed\":" + fmt.Sprint(i)),
			Reason: traffic.ReasonParse, Detail: "not JSON",
		})
	}
	if _, err := c.store.Append(t.Context(), store.Delivery{Rejected: bad}); err != nil {
		t.Fatal(err)
	}
	type refusal struct{ ID, Payload, Reason string }
	got := all[refusal](c, "/api/rejected?limit=2", token)
	if len(got) != 5 || got[0].Payload != `\xff{"speed":4` || got[4].Payload != `\xff{"speed":0` || got[0].Reason != "unparsable" || got[0].ID == "" {
		t.Errorf("%+v", got)
	}
	c.get("/api/rejected", c.viewer("eve").Token).problem(403, "forbidden")
	c.get("/api/rejected?cursor=x", token).problem(400, "bad-parameter")
}
