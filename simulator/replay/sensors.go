package replay

import (
	"math"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
)

// A sensor is what the rows of one detector share.
type sensor struct {
	id    traffic.SensorID
	road  traffic.RoadID
	place *traffic.Place
	// about is the newest description among the rows, of aboutAt (µs).
	about   parisfeed.Record
	aboutAt int64
}

// sensors is the dictionary of all files: a row holds a number instead of names.
type sensors struct {
	list   []*sensor
	byName map[sensorName]uint32
	places map[traffic.SensorID]*traffic.Place
}

type sensorName struct {
	id   traffic.SensorID
	road traffic.RoadID
}

func newSensors(places map[traffic.SensorID]*traffic.Place) *sensors {
	return &sensors{byName: make(map[sensorName]uint32), places: places}
}

// number returns the sensor's number, a new one for a new name.
func (s *sensors) number(id traffic.SensorID, road traffic.RoadID) uint32 {
	name := sensorName{id, road}
	if n, ok := s.byName[name]; ok {
		return n
	}
	n := uint32(len(s.list))
	// The names may point into a row of the file, which must not stay in memory.
	name = sensorName{traffic.SensorID(strings.Clone(string(id))), traffic.RoadID(strings.Clone(string(road)))}
	s.byName[name] = n
	s.list = append(s.list, &sensor{id: name.id, road: name.road, place: s.places[name.id], aboutAt: math.MinInt64})
	return n
}

// describe keeps the newest of what the rows say about the arc: labels and nodes
// change over the years. Rows come in any order.
func (s *sensor) describe(at int64, r *parisfeed.Record) {
	if at < s.aboutAt {
		return
	}
	s.aboutAt = at
	a := &s.about
	if r.Label == a.Label && r.FromNode == a.FromNode && r.ToNode == a.ToNode && r.Point == a.Point && r.Shape == a.Shape {
		return
	}
	clone := strings.Clone
	*a = parisfeed.Record{
		Arc: clone(r.Arc), Label: clone(r.Label), FromNode: clone(r.FromNode), ToNode: clone(r.ToNode),
		Point: clone(r.Point), Shape: clone(r.Shape),
	}
	if p := a.Place(); p != nil {
		s.place = p
	}
}

// note keeps a place that a row says by itself.
func (s *sensor) note(p traffic.Place) {
	if p == (traffic.Place{}) || (s.place != nil && *s.place == p) {
		return
	}
	p.Label = strings.Clone(p.Label)
	s.place = &p
}

// roads returns the sensors' roads as far as the files describe them. The second
// result is one example of a shape that could not be read.
func (s *sensors) roads() ([]traffic.Road, error) {
	var roads []traffic.Road
	var bad error
	seen := make(map[traffic.RoadID]bool)
	for _, one := range s.list {
		if seen[one.road] {
			continue
		}
		var road traffic.Road
		switch {
		case one.about.Arc != "":
			var err error
			if road, err = one.about.Road(); err != nil && bad == nil {
				bad = err
			}
		case one.place != nil:
			road = traffic.Road{ID: one.road, Label: one.place.Label, Lat: one.place.Lat, Lng: one.place.Lng}
		default:
			continue
		}
		seen[one.road] = true
		roads = append(roads, road)
	}
	return roads, bad
}
