package roadnet

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// WriteGeoJSON writes a network as a GeoJSON FeatureCollection (RFC 7946), a road a
// line of text: its geometry, and as properties id, name, class, from, to, length_m,
// free_flow_kmh, capacity_vph and layer, where known. A road without geometry has a
// null geometry. Nothing larger than a road is held in memory.
func WriteGeoJSON(w io.Writer, n *Network) error {
	out := bufio.NewWriter(w)
	out.WriteString(`{"type":"FeatureCollection","features":[`) //nolint:errcheck // Flush reports it
	for i := range n.Roads {
		text, err := json.Marshal(featureOf(&n.Roads[i], n.Layers[n.Roads[i].ID]))
		if err != nil {
			return fmt.Errorf("write road %s as GeoJSON: %w", n.Roads[i].ID, err)
		}
		if i > 0 {
			out.WriteByte(',') //nolint:errcheck // Flush reports it
		}
		out.WriteByte('\n') //nolint:errcheck // Flush reports it
		out.Write(text)     //nolint:errcheck // Flush reports it
	}
	out.WriteString("\n]}\n") //nolint:errcheck // Flush reports it
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write GeoJSON: %w", err)
	}
	return nil
}

type feature struct {
	Type       string          `json:"type"`
	Geometry   *lineGeometry   `json:"geometry"`
	Properties roadDescription `json:"properties"`
}

type lineGeometry struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

type roadDescription struct {
	ID       traffic.RoadID `json:"id"`
	Name     string         `json:"name,omitempty"`
	Class    traffic.Class  `json:"class,omitempty"`
	From     traffic.NodeID `json:"from,omitempty"`
	To       traffic.NodeID `json:"to,omitempty"`
	LengthM  *float64       `json:"length_m,omitempty"`
	FreeFlow *float64       `json:"free_flow_kmh,omitempty"`
	Capacity *float64       `json:"capacity_vph,omitempty"`
	Layer    int8           `json:"layer,omitempty"`
}

func featureOf(r *traffic.Road, layer int8) feature {
	return feature{
		Type: "Feature", Geometry: lineOf(r.Geometry),
		Properties: roadDescription{
			ID: r.ID, Name: r.Label, Class: r.Class, From: r.FromNode, To: r.ToNode,
			LengthM: optional(r.LengthM), FreeFlow: optional(r.FreeFlowKMH), Capacity: optional(r.CapacityVPH), Layer: layer,
		},
	}
}

func optional(v traffic.Value) *float64 {
	f, ok := v.Get()
	if !ok {
		return nil
	}
	return &f
}

func lineOf(geometry [][]traffic.Point) *lineGeometry {
	parts := make([][][2]float64, len(geometry))
	for i, part := range geometry {
		for _, p := range part {
			parts[i] = append(parts[i], [2]float64{p.Lng, p.Lat})
		}
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return &lineGeometry{"LineString", parts[0]}
	default:
		return &lineGeometry{"MultiLineString", parts}
	}
}
