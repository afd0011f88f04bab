package row

import (
	"encoding/json"
	"fmt"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// multiLine is the GeoJSON form of a road's shape, which other programs that
// look into the database understand.
type multiLine struct {
	Type        string         `json:"type"`
	Coordinates [][][2]float64 `json:"coordinates"` // longitude, latitude
}

// Geometry is a road's shape as a GeoJSON MultiLineString, "" when there is none.
// It fails for coordinates that are not finite.
func Geometry(parts [][]traffic.Point) (string, error) {
	if len(parts) == 0 {
		return "", nil
	}
	g := multiLine{Type: "MultiLineString", Coordinates: make([][][2]float64, len(parts))}
	for i, part := range parts {
		g.Coordinates[i] = make([][2]float64, len(part))
		for j, p := range part {
			g.Coordinates[i][j] = [2]float64{p.Lng, p.Lat}
		}
	}
	b, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("encode geometry: %w", err)
	}
	return string(b), nil
}

// ParseGeometry is the inverse of Geometry.
func ParseGeometry(s string) ([][]traffic.Point, error) {
	if s == "" {
		return nil, nil
	}
	var g multiLine
	if err := json.Unmarshal([]byte(s), &g); err != nil {
		return nil, fmt.Errorf("decode geometry: %w", err)
	}
	parts := make([][]traffic.Point, len(g.Coordinates))
	for i, line := range g.Coordinates {
		parts[i] = make([]traffic.Point, len(line))
		for j, c := range line {
			parts[i][j] = traffic.Point{Lng: c[0], Lat: c[1]}
		}
	}
	return parts, nil
}
