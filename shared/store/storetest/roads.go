package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func fullRoad() traffic.Road {
	return traffic.Road{
		ID: "r", Label: "Rue de Rivoli", Lat: traffic.Some(48.86), Lng: traffic.Some(2.34),
		Geometry: [][]traffic.Point{{{Lat: 48.1, Lng: 2.1}, {Lat: 0.1 + 0.2, Lng: -180}}, {{Lat: 48.2, Lng: 2.2}, {Lat: 1e-9, Lng: 0}}},
		FromNode: "0", ToNode: "17", LengthM: traffic.Some(123.456), Class: traffic.ClassPrimary,
		FreeFlowKMH: traffic.Some(50), CapacityVPH: traffic.Some(1800),
	}
}

func testPlaces(t *testing.T, s store.Store) {
	check(t, s.PutRoads(t.Context(), []traffic.Road{fullRoad()}))
	want := fullRoad()
	say := func(n int, p *traffic.Place) {
		r := at(minute(n), "s", "r", 1)
		r.Place = p
		add(t, s, r)
		equal(t, "roads", roads(t, s, store.RoadFilter{}, 10), []traffic.Road{want})
	}
	say(0, nil)
	say(1, &traffic.Place{})
	want.Label = "Rivoli"
	say(2, &traffic.Place{Label: "Rivoli"})
	want.Lat, want.Lng = traffic.Some(0), traffic.Some(-1)
	say(3, &traffic.Place{Lat: traffic.Some(0), Lng: traffic.Some(-1)})
	// The network says otherwise again, then the sensor does.
	check(t, s.PutRoads(t.Context(), []traffic.Road{{ID: "r", Label: "Rue de Rivoli"}}))
	want.Label = "Rivoli"
	say(4, &traffic.Place{Label: "Rivoli"})
}

func testPartialRoads(t *testing.T, s store.Store) {
	before := time.Now().Add(-time.Minute)
	m := newModel()
	put := func(list ...traffic.Road) {
		check(t, s.PutRoads(t.Context(), list))
		m.putRoads(list)
		equal(t, "roads", roads(t, s, store.RoadFilter{}, 10), m.roadList())
	}
	put(traffic.Road{ID: "r"})
	put(fullRoad())
	put(traffic.Road{ID: "r"})
	put(traffic.Road{ID: "r", Label: "other"}, traffic.Road{ID: "q", LengthM: traffic.Some(0)})
	put(traffic.Road{ID: "r", LengthM: traffic.Some(0), FreeFlowKMH: traffic.Some(0), Lat: traffic.Some(0), Lng: traffic.Some(0)})
	put(traffic.Road{ID: "r", ToNode: "18", Class: traffic.ClassTrunk, Geometry: [][]traffic.Point{{{Lat: 1, Lng: 2}}}})
	put(traffic.Road{ID: "twice", Label: "a", FromNode: "1"}, traffic.Road{ID: "r", CapacityVPH: traffic.Some(1)}, traffic.Road{ID: "twice", Label: "b", ToNode: "2"})
	got, _, err := s.Roads(t.Context(), store.RoadFilter{IDs: []traffic.RoadID{"r"}}, store.Page{})
	check(t, err)
	if at := got[0].UpdatedAt; at.Before(before) || at.After(time.Now().Add(time.Minute)) {
		t.Errorf("changed at %s, want now", at)
	}
	stamp := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	check(t, s.PutRoads(t.Context(), []traffic.Road{{ID: "r", UpdatedAt: stamp}}))
	got, _, err = s.Roads(t.Context(), store.RoadFilter{IDs: []traffic.RoadID{"r"}}, store.Page{})
	check(t, err)
	equal(t, "a time that was given", got[0].UpdatedAt, stamp)
	bad := fullRoad()
	bad.Geometry[0][0].Lat = math.NaN()
	if err := s.PutRoads(t.Context(), []traffic.Road{{ID: "new"}, bad}); err == nil {
		t.Error("a geometry that is not a number was stored")
	}
	equal(t, "roads after a refusal", roads(t, s, store.RoadFilter{}, 10), m.roadList())
}

func testRoadFilters(t *testing.T, s store.Store) {
	place := func(id string, lat, lng float64) traffic.Road {
		return traffic.Road{ID: traffic.RoadID(id), Lat: traffic.Some(lat), Lng: traffic.Some(lng)}
	}
	check(t, s.PutRoads(t.Context(), []traffic.Road{place("in", 1, 1), place("edge", 2, 0), place("out", 2.000001, 1), place("west", 1, -1), {ID: "nowhere"}}))
	for _, id := range []string{"in", "edge", "out", "west", "nowhere", "unplaced"} {
		add(t, s, at(minute(0), "s "+id, id, 1))
	}
	box := &store.BBox{MinLat: 0, MaxLat: 2, MinLng: 0, MaxLng: 2}
	tests := []struct {
		name string
		f    store.RoadFilter
		want []traffic.RoadID
	}{
		{"all", store.RoadFilter{}, []traffic.RoadID{"edge", "in", "nowhere", "out", "unplaced", "west"}},
		{"box", store.RoadFilter{BBox: box}, []traffic.RoadID{"edge", "in"}},
		{"ids", store.RoadFilter{IDs: []traffic.RoadID{"west", "in", "in", "none"}}, []traffic.RoadID{"in", "west"}},
		{"both", store.RoadFilter{BBox: box, IDs: []traffic.RoadID{"west", "in"}}, []traffic.RoadID{"in"}},
		{"no ids", store.RoadFilter{IDs: []traffic.RoadID{}}, nil},
	}
	for _, tt := range tests {
		for _, limit := range []int{1, 2, 100} {
			var listed, live []traffic.RoadID
			for _, r := range roads(t, s, tt.f, limit) {
				listed = append(listed, r.ID)
			}
			for _, r := range states(t, s, tt.f, limit) {
				live = append(live, r.Road)
			}
			equal(t, tt.name+": roads", listed, tt.want)
			equal(t, tt.name+": latest", live, tt.want)
		}
	}
}
