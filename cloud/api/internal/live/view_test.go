package live

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

var noon = time.Date(2026, 8, 24, 12, 0, 0, 0, time.UTC)

func unnamed(traffic.RoadID) string { return "" }

func state(road string, minute int, speed float64) traffic.RoadState {
	return traffic.RoadState{Reading: traffic.Reading{
		At: noon.Add(time.Duration(minute) * time.Minute), Sensor: traffic.SensorID(road), Road: traffic.RoadID(road), Speed: traffic.Some(speed),
	}}
}

func prediction(road string, minute, horizon int, score float64) traffic.Prediction {
	return traffic.Prediction{
		At: noon.Add(time.Duration(minute) * time.Minute), Road: traffic.RoadID(road), HorizonMin: horizon, Score: score, Confidence: 0.5, Model: "m",
	}
}

// mirror is what a client of the stream knows: it does what openapi.yaml tells it to.
type mirror struct {
	roads       map[string]string // road → its JSON
	predictions map[string]string
	reroutes    string
	alerts      string
	seq         uint64
	began       bool
}

func newMirror() *mirror {
	return &mirror{roads: map[string]string{}, predictions: map[string]string{}, reroutes: "[]", alerts: "[]"}
}

type envelope struct {
	Type string          `json:"type"`
	Seq  uint64          `json:"seq"`
	Data json.RawMessage `json:"data"`
}

type rows struct {
	Roads       []json.RawMessage `json:"roads"`
	Predictions []json.RawMessage `json:"predictions"`
	Reroutes    json.RawMessage   `json:"reroutes"`
	Alerts      json.RawMessage   `json:"alerts"`
}

func (m *mirror) take(text []byte) error {
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return fmt.Errorf("%w in %s", err, text)
	}
	if e.Seq < m.seq && e.Type != "snapshot" {
		return fmt.Errorf("seq went back from %d to %d", m.seq, e.Seq)
	}
	m.seq, m.began = e.Seq, true
	var r rows
	var err error
	switch e.Type {
	case "snapshot":
		clear(m.roads)
		clear(m.predictions)
		err = json.Unmarshal(e.Data, &r)
		m.reroutes, m.alerts = string(r.Reroutes), string(r.Alerts)
	case "traffic_update":
		err = json.Unmarshal(e.Data, &r.Roads)
	case "predictions":
		err = json.Unmarshal(e.Data, &r.Predictions)
	case "reroutes":
		m.reroutes = string(e.Data)
	case "alert":
		m.alerts = string(e.Data)
	}
	for _, text := range r.Roads {
		var id struct {
			Road string `json:"road_id"`
		}
		err = json.Unmarshal(text, &id)
		m.roads[id.Road] = string(text)
	}
	for _, text := range r.Predictions {
		var id struct {
			Road    string `json:"road_id"`
			Horizon int    `json:"horizon_min"`
		}
		err = json.Unmarshal(text, &id)
		m.predictions[fmt.Sprint(id.Road, "/", id.Horizon)] = string(text)
	}
	return err
}

// expected is what a client with the subscription should know.
func expected(p *Picture, v *view) *mirror {
	m := newMirror()
	member := func(id traffic.RoadID) bool {
		return v.sub.everywhere() || slices.Contains(v.ids, id)
	}
	for _, r := range p.roads.order {
		if text, _ := p.roads.json(r); v.sub.wants(ChannelTraffic) && member(r.key) {
			m.roads[string(r.key)] = string(text)
		}
	}
	for _, r := range p.predictions.order {
		text, _ := p.predictions.json(r)
		if v.sub.wants(ChannelPredictions) && member(r.key.Road) && slices.Contains(v.sub.horizons(), r.key.HorizonMin) {
			m.predictions[fmt.Sprint(r.key.Road, "/", r.key.HorizonMin)] = string(text)
		}
	}
	if v.sub.wants(ChannelReroutes) {
		m.reroutes = string(p.advice.text)
	}
	if v.sub.wants(ChannelAlerts) {
		m.alerts = string(p.alerts.text)
	}
	return m
}

// someRoads are roads that a store would list.
type someRoads []traffic.Road

func (s someRoads) Roads(context.Context, store.RoadFilter, store.Page) ([]traffic.Road, store.Cursor, error) {
	return s, "", nil
}

// testNetwork puts the roads on a line, road number i at lng i, lat 0.5.
func testNetwork(t *testing.T, ids []string) *network.Roads {
	t.Helper()
	var list someRoads
	for i, id := range ids {
		list = append(list, traffic.Road{ID: traffic.RoadID(id), Label: "street " + id, Lat: traffic.Some(0.5), Lng: traffic.Some(float64(i))})
	}
	roads, err := network.NewCatalogue(list, slog.New(slog.DiscardHandler), time.Now).Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return roads
}

// Whatever happens in whatever order, a client that reads at random moments, loses
// its connection in the middle of what is sent, and resumes, knows in the end what the
// picture knows about its subscription.
func TestClientsAgreeWithThePicture(t *testing.T) {
	roadIDs := []string{"a", "b", "c", "d", "e"}
	roads := testNetwork(t, roadIDs)
	rapid.Check(t, func(t *rapid.T) {
		now := func() time.Time { return noon.Add(24 * time.Hour) }
		p := NewPicture(unnamed, now)
		model := held{}
		if err := p.reconcile(p.Revision(), model); err != nil {
			t.Fatal(err)
		}
		subs := []Subscription{
			{},
			{Channels: []Channel{ChannelReroutes, ChannelTraffic}},
			{Roads: []traffic.RoadID{"b", "e", "unknown"}},
			{BBox: &store.BBox{MinLng: 1.5, MinLat: 0, MaxLng: 4.5, MaxLat: 1}, Horizons: []int{30, 60}},
			{Horizons: []int{60}},
		}
		views, mirrors := make([]*view, len(subs)), make([]*mirror, len(subs))
		connect := func(i int) {
			v := &view{picture: p, network: func() *network.Roads { return roads }}
			sub := subs[i]
			if mirrors[i] != nil && mirrors[i].began {
				seq := mirrors[i].seq
				sub.Seq = &seq
			} else {
				mirrors[i] = newMirror()
			}
			v.subscribe(sub)
			views[i] = v
		}
		for i := range subs {
			connect(i)
		}
		minute := 0
		step := func() int { minute += rapid.IntRange(-2, 3).Draw(t, "minutes"); return minute }
		read := func(i, most int) {
			msgs, err := views[i].next()
			if err != nil {
				t.Fatal(err)
			}
			for n, m := range msgs {
				if n == most {
					connect(i) // the rest was lost with the connection
					return
				}
				if err := mirrors[i].take(m.text); err != nil {
					t.Fatal(err)
				}
			}
		}
		anyRoad := rapid.SampledFrom(roadIDs)
		anyClient := rapid.IntRange(0, len(subs)-1)
		t.Repeat(map[string]func(*rapid.T){
			"roads": func(t *rapid.T) {
				var news []traffic.RoadState
				for range rapid.IntRange(1, 4).Draw(t, "n") {
					news = append(news, state(anyRoad.Draw(t, "road"), step(), float64(rapid.IntRange(0, 90).Draw(t, "speed"))))
				}
				p.applyRoads(news)
			},
			"predictions": func(t *rapid.T) {
				p.applyPredictions([]traffic.Prediction{
					prediction(anyRoad.Draw(t, "road"), step(), rapid.SampledFrom([]int{15, 30, 60}).Draw(t, "horizon"), rapid.Float64Range(0, 1).Draw(t, "score")),
				})
			},
			"reroutes": func(t *rapid.T) {
				if err := p.applyReroutes([]traffic.Reroute{{At: noon, Route: traffic.RoadID(anyRoad.Draw(t, "road")), Alt: "x", Status: traffic.RerouteProposed}}); err != nil {
					t.Fatal(err)
				}
			},
			"alerts": func(t *rapid.T) {
				a := traffic.Alert{Kind: traffic.AlertIncident, Start: noon, Road: traffic.RoadID(anyRoad.Draw(t, "road")), Updated: noon.Add(time.Duration(step()) * time.Minute)}
				if rapid.Bool().Draw(t, "over") {
					a.End = a.Updated
				}
				if err := p.applyAlerts([]traffic.Alert{a}); err != nil {
					t.Fatal(err)
				}
			},
			"tick":   func(t *rapid.T) { p.tick(rapid.Bool().Draw(t, "with predictions")) },
			"resync": func(t *rapid.T) { resync(t, p) },
			"read":   func(t *rapid.T) { read(anyClient.Draw(t, "client"), -1) },
			"break":  func(t *rapid.T) { read(anyClient.Draw(t, "client"), rapid.IntRange(0, 2).Draw(t, "messages")) },
		})
		p.tick(true)
		for i := range subs {
			read(i, -1)
			want, got := expected(p, views[i]), mirrors[i]
			if !maps.Equal(want.roads, got.roads) || !maps.Equal(want.predictions, got.predictions) || want.reroutes != got.reroutes || want.alerts != got.alerts {
				t.Fatalf("client %d knows\n%v\n%v\n%s\n%s\nwant\n%v\n%v\n%s\n%s", i, got.roads, got.predictions, got.reroutes, got.alerts, want.roads, want.predictions, want.reroutes, want.alerts)
			}
		}
	})
}

// resync pretends that the store holds what the picture does, but for a few rows.
func resync(t *rapid.T, p *Picture) {
	var h held
	since := p.Revision()
	for _, r := range p.roads.order {
		switch rapid.IntRange(0, 5).Draw(t, "fate") {
		case 0: // the store has forgotten it
		case 1:
			newer := r.value
			newer.At = newer.At.Add(time.Minute)
			h.roads = append(h.roads, newer)
		default:
			h.roads = append(h.roads, r.value)
		}
	}
	for _, r := range p.predictions.order {
		if rapid.IntRange(0, 5).Draw(t, "fate") > 0 {
			h.predictions = append(h.predictions, r.value)
		}
	}
	h.reroutes, h.alerts = p.advice.list, p.alerts.list
	if rapid.Bool().Draw(t, "news in between") && len(h.roads) > 0 {
		late := h.roads[0]
		late.At, late.Speed = late.At.Add(time.Hour), traffic.Some(1)
		p.applyRoads([]traffic.RoadState{late})
		defer func() {
			if got, _, _ := p.State(late.Road); !got.At.Equal(late.At) {
				t.Fatalf("the store's older state replaced the bus's newer one: %v, want %v", got.At, late.At)
			}
		}()
	}
	if err := p.reconcile(since, h); err != nil {
		t.Fatal(err)
	}
}
