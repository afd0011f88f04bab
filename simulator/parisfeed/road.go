package parisfeed

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Place returns what the record says about where it was measured, nil when it says
// nothing.
func (r *Record) Place() *traffic.Place {
	lat, lng := r.point()
	if r.Label == "" && !lat.Known() {
		return nil
	}
	return &traffic.Place{Label: r.Label, Lat: lat, Lng: lng}
}

// Road returns the arc as far as the record describes it. A shape that can't be read
// is left out: the road is still good for a list, and the error says what was wrong.
func (r *Record) Road() (traffic.Road, error) {
	lat, lng := r.point()
	road := traffic.Road{
		ID: traffic.RoadID(r.SensorID()), Label: r.Label, Lat: lat, Lng: lng,
		FromNode: traffic.NodeID(r.FromNode), ToNode: traffic.NodeID(r.ToNode),
	}
	lines, err := parseShape(r.Shape)
	if err != nil {
		return road, fmt.Errorf("shape of arc %s: %w", r.Arc, err)
	}
	for _, line := range lines {
		part := make([]traffic.Point, len(line))
		for i, lngLat := range line {
			part[i] = traffic.Point{Lat: lngLat[1], Lng: lngLat[0]}
		}
		road.Geometry = append(road.Geometry, part)
	}
	if length := roadnet.LengthM(road.Geometry); length > 0 {
		road.LengthM = traffic.Some(length)
	}
	return road, nil
}

// point reads "lat,lon"; both are absent unless both are usable.
func (r *Record) point() (lat, lng traffic.Value) {
	a, b, ok := strings.Cut(r.Point, ",")
	if !ok {
		return lat, lng
	}
	y, errY := strconv.ParseFloat(strings.TrimSpace(a), 64)
	x, errX := strconv.ParseFloat(strings.TrimSpace(b), 64)
	if errY != nil || errX != nil || !(math.Abs(y) <= 90) || !(math.Abs(x) <= 180) {
		return lat, lng
	}
	return traffic.Some(y), traffic.Some(x)
}

// lines are GeoJSON positions, longitude first.
type lines [][][2]float64

// parseShape reads GeoJSON text: a line, several lines, or a feature of them. It reads
// these four forms by hand: the usual library links a database driver.
func parseShape(text string) (lines, error) {
	if absent(text) {
		return nil, nil
	}
	var g struct {
		Type        string          `json:"type"`
		Geometry    json.RawMessage `json:"geometry"`
		Coordinates json.RawMessage `json:"coordinates"`
	}
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		return nil, fmt.Errorf("read GeoJSON: %w", err)
	}
	if g.Type == "Feature" {
		g.Type = ""
		if err := json.Unmarshal(g.Geometry, &g); err != nil {
			return nil, fmt.Errorf("read GeoJSON feature: %w", err)
		}
	}
	var out lines
	var err error
	switch g.Type {
	case "LineString":
		out = make(lines, 1)
		err = json.Unmarshal(g.Coordinates, &out[0])
	case "MultiLineString":
		err = json.Unmarshal(g.Coordinates, &out)
	default:
		return nil, fmt.Errorf("GeoJSON %q: want LineString or MultiLineString", g.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("read GeoJSON coordinates: %w", err)
	}
	return out, nil
}
