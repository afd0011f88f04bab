package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Places tells where a road is; false where that is not known.
type Places func(traffic.RoadID) (traffic.Point, bool)

// A located row belongs to a road.
type located interface{ road() traffic.RoadID }

func (r reading) road() traffic.RoadID { return traffic.RoadID(r.Road) }

func (p prediction) road() traffic.RoadID { return traffic.RoadID(p.Road) }

// geoPoint is a GeoJSON geometry, longitude first.
type geoPoint struct {
	Type        string     `json:"type"`
	Coordinates [2]float64 `json:"coordinates"`
}

// feature is one row on the map.
type feature[T any] struct {
	Type       string    `json:"type"`
	Geometry   *geoPoint `json:"geometry"`
	Properties *T        `json:"properties"`
}

// geojsonTable writes features as they come, so that a collection of any length takes no
// more memory than a short one.
type geojsonTable[T located] struct {
	w      *bufio.Writer
	enc    *json.Encoder
	places Places
	before string // what has to stand before the next feature
}

func newGeoJSON[T located](w io.Writer, places Places) *geojsonTable[T] {
	buffered := bufio.NewWriterSize(w, 64<<10)
	return &geojsonTable[T]{
		w: buffered, enc: json.NewEncoder(buffered), places: places,
		before: `{"type":"FeatureCollection","features":[` + "\n",
	}
}

func (t *geojsonTable[T]) write(rows []T) error {
	for i := range rows {
		if _, err := t.w.WriteString(t.before); err != nil {
			return fmt.Errorf("write GeoJSON: %w", err)
		}
		t.before = ","
		f := feature[T]{Type: "Feature", Geometry: t.point(rows[i].road()), Properties: &rows[i]}
		if err := t.enc.Encode(&f); err != nil {
			return fmt.Errorf("write GeoJSON: %w", err)
		}
	}
	return t.flush()
}

func (t *geojsonTable[T]) point(id traffic.RoadID) *geoPoint {
	if t.places == nil {
		return nil
	}
	if p, ok := t.places(id); ok {
		return &geoPoint{"Point", [2]float64{p.Lng, p.Lat}}
	}
	return nil
}

func (t *geojsonTable[T]) flush() error {
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("write GeoJSON: %w", err)
	}
	return nil
}

func (t *geojsonTable[T]) close() error {
	if t.before != "," { // no row came: the beginning was never written
		if _, err := t.w.WriteString(t.before); err != nil {
			return fmt.Errorf("write GeoJSON: %w", err)
		}
	}
	if _, err := t.w.WriteString("]}\n"); err != nil {
		return fmt.Errorf("write GeoJSON: %w", err)
	}
	return t.flush()
}
