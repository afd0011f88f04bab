package wire

import (
	"fmt"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// An entry of the dictionary is a sensor with what it says about its road. A sensor
// that changes its road or place within a batch has two.
type entry struct {
	sensor traffic.SensorID
	road   traffic.RoadID
	said   bool // whether there is a place; it may be empty
	place  traffic.Place
}

func entryOf(r *traffic.Reading) entry {
	e := entry{sensor: r.Sensor, road: r.Road}
	if r.Place != nil {
		e.said, e.place = true, *r.Place
	}
	return e
}

// encodeDictionary writes the dictionary in order of first use, and returns each
// reading's index into it.
func encodeDictionary(m *wirepb.Batch, rs []traffic.Reading) []int {
	index := make(map[entry]int)
	var entries []entry
	of := make([]int, len(rs))
	last := -1
	m.SensorSteps = make([]int32, len(rs))
	for i := range rs {
		e := entryOf(&rs[i])
		n, ok := index[e]
		if !ok {
			n = len(entries)
			index[e] = n
			entries = append(entries, e)
		}
		of[i] = n
		m.SensorSteps[i] = int32(n - last - 1)
		last = n
	}
	encodeSensors(m, entries)
	encodePlaces(m, entries)
	return of
}

func encodeSensors(m *wirepb.Batch, entries []entry) {
	m.Sensors = make([]string, len(entries))
	roads := make([]string, len(entries))
	named := false
	for i, e := range entries {
		m.Sensors[i] = string(e.sensor)
		if string(e.road) != string(e.sensor) {
			roads[i] = string(e.road)
			named = true
		}
	}
	if named {
		m.Roads = roads
	}
}

// encodePlaces writes each different place once.
func encodePlaces(m *wirepb.Batch, entries []entry) {
	index := make(map[traffic.Place]uint32)
	var places []traffic.Place
	refs := make([]uint32, len(entries))
	for i, e := range entries {
		if !e.said {
			continue
		}
		if index[e.place] == 0 {
			places = append(places, e.place)
			index[e.place] = uint32(len(places))
			m.Labels = append(m.Labels, e.place.Label)
		}
		refs[i] = index[e.place]
	}
	if len(places) == 0 {
		return
	}
	m.Places = refs
	each := identity(len(places))
	m.Lat = encodeColumn(each, func(i int) traffic.Value { return places[i].Lat })
	m.Lng = encodeColumn(each, func(i int) traffic.Value { return places[i].Lng })
}

// decodeDictionary fills in sensor, road, edge and place of each reading, and
// returns the dictionary index of each.
func decodeDictionary(m *wirepb.Batch, rs []traffic.Reading) ([]int, error) {
	sensors, roads, steps := m.GetSensors(), m.GetRoads(), m.GetSensorSteps()
	if len(steps) != len(rs) {
		return nil, fmt.Errorf("%d sensor steps for %d readings", len(steps), len(rs))
	}
	if len(roads) != 0 && len(roads) != len(sensors) {
		return nil, fmt.Errorf("%d roads for %d sensors", len(roads), len(sensors))
	}
	places, err := decodePlaces(m)
	if err != nil {
		return nil, err
	}
	of := make([]int, len(rs))
	n := -1
	for i := range rs {
		n += int(steps[i]) + 1
		if n < 0 || n >= len(sensors) {
			return nil, fmt.Errorf("reading %d is of sensor %d of %d", i, n, len(sensors))
		}
		of[i] = n
		r := &rs[i]
		r.Edge, r.Sensor, r.Road = traffic.EdgeID(m.GetEdge()), traffic.SensorID(sensors[n]), traffic.RoadID(sensors[n])
		if len(roads) > 0 && roads[n] != "" {
			r.Road = traffic.RoadID(roads[n])
		}
		if places != nil {
			r.Place = places[n]
		}
	}
	return of, nil
}

// decodePlaces returns the place of each sensor; nil when no sensor has one. Readings
// share them.
func decodePlaces(m *wirepb.Batch) ([]*traffic.Place, error) {
	refs, labels := m.GetPlaces(), m.GetLabels()
	if len(refs) == 0 {
		return nil, nil
	}
	if len(refs) != len(m.GetSensors()) {
		return nil, fmt.Errorf("%d places for %d sensors", len(refs), len(m.GetSensors()))
	}
	places := make([]traffic.Place, len(labels))
	for i := range labels {
		places[i].Label = labels[i]
	}
	each := identity(len(places))
	if err := decodeColumn(m.GetLat(), each, func(i int, v traffic.Value) { places[i].Lat = v }); err != nil {
		return nil, fmt.Errorf("column lat: %w", err)
	}
	if err := decodeColumn(m.GetLng(), each, func(i int, v traffic.Value) { places[i].Lng = v }); err != nil {
		return nil, fmt.Errorf("column lng: %w", err)
	}
	out := make([]*traffic.Place, len(refs))
	for i, ref := range refs {
		if int64(ref) > int64(len(places)) {
			return nil, fmt.Errorf("sensor %d has place %d of %d", i, ref, len(places))
		}
		if ref > 0 {
			out[i] = &places[ref-1]
		}
	}
	return out, nil
}

func identity(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
