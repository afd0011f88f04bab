package network

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Road is one road with its ready-made JSON.
type Road struct {
	traffic.Road
	// JSON is the payload.Road object.
	JSON []byte
	// Feature is its GeoJSON feature without the last two braces, so that the
	// state can be added to its properties.
	Feature []byte
}

// Inside reports whether the road's place is known and in the box.
func (r *Road) Inside(b *store.BBox) bool {
	lat, ok1 := r.Lat.Get()
	lng, ok2 := r.Lng.Get()
	return ok1 && ok2 && lat >= b.MinLat && lat <= b.MaxLat && lng >= b.MinLng && lng <= b.MaxLng
}

// Roads are all roads at one moment.
type Roads struct {
	// List is in the byte order of the ids.
	List []Road
	// Version names the content: equal versions have equal JSON and features.
	Version string
	index   map[traffic.RoadID]int
}

// Find returns the road, or nil. No roads are known on a nil Roads.
func (r *Roads) Find(id traffic.RoadID) *Road {
	if r == nil {
		return nil
	}
	if i, ok := r.index[id]; ok {
		return &r.List[i]
	}
	return nil
}

// Label is the street's name, or empty.
func (r *Roads) Label(id traffic.RoadID) string {
	if road := r.Find(id); road != nil {
		return road.Label
	}
	return ""
}

// After is the index of the first road whose id comes after the given one.
func (r *Roads) After(id traffic.RoadID) int {
	i, found := slices.BinarySearchFunc(r.List, id, func(road Road, id traffic.RoadID) int {
		return cmp.Compare(road.ID, id)
	})
	if found {
		i++
	}
	return i
}

func newRoads(list []traffic.Road) (*Roads, error) {
	roads := &Roads{List: make([]Road, len(list)), index: make(map[traffic.RoadID]int, len(list))}
	hash := sha256.New()
	for i := range list {
		road, err := newRoad(&list[i])
		if err != nil {
			return nil, fmt.Errorf("encode road %q: %w", list[i].ID, err)
		}
		roads.List[i] = road
		hash.Write(road.JSON)
		hash.Write(road.Feature)
	}
	slices.SortFunc(roads.List, func(a, b Road) int { return cmp.Compare(a.ID, b.ID) })
	for i := range roads.List {
		roads.index[roads.List[i].ID] = i
	}
	roads.Version = hex.EncodeToString(hash.Sum(nil)[:8])
	return roads, nil
}

func newRoad(r *traffic.Road) (Road, error) {
	text, err := json.Marshal(payload.OfRoad(r))
	if err != nil {
		return Road{}, err
	}
	feature, err := feature(r)
	if err != nil {
		return Road{}, err
	}
	return Road{Road: *r, JSON: text, Feature: feature}, nil
}

type properties struct {
	ID       string        `json:"road_id"`
	Label    string        `json:"label"`
	Class    string        `json:"class"`
	LengthM  traffic.Value `json:"length_m"`
	FreeFlow traffic.Value `json:"free_flow_kmh"`
	Capacity traffic.Value `json:"capacity_vph"`
	FromNode *string       `json:"from_node"`
	ToNode   *string       `json:"to_node"`
}

// feature is the open feature: the caller adds to the properties or closes both.
func feature(r *traffic.Road) ([]byte, error) {
	shown := payload.OfRoad(r)
	props, err := json.Marshal(properties{
		ID: shown.ID, Label: shown.Label, Class: shown.Class, LengthM: shown.LengthM,
		FreeFlow: shown.FreeFlow, Capacity: shown.Capacity, FromNode: shown.FromNode, ToNode: shown.ToNode,
	})
	if err != nil {
		return nil, err
	}
	id, err := json.Marshal(shown.ID)
	if err != nil {
		return nil, err
	}
	b := append([]byte(`{"type":"Feature","id":`), id...)
	b = append(b, `,"geometry":`...)
	b = appendGeometry(b, r)
	b = append(b, `,"properties":`...)
	return append(b, bytes.TrimSuffix(props, []byte("}"))...), nil
}

// appendGeometry writes a line, several lines, a point where only the place is
// known, or null.
func appendGeometry(b []byte, r *traffic.Road) []byte {
	parts := make([][]traffic.Point, 0, len(r.Geometry))
	for _, p := range r.Geometry {
		if len(p) >= 2 { // fewer points are no line (RFC 7946, 3.1.4)
			parts = append(parts, p)
		}
	}
	lat, ok1 := r.Lat.Get()
	lng, ok2 := r.Lng.Get()
	switch {
	case len(parts) == 1:
		b = append(b, `{"type":"LineString","coordinates":`...)
		b = appendLine(b, parts[0])
	case len(parts) > 1:
		b = append(b, `{"type":"MultiLineString","coordinates":[`...)
		for i, p := range parts {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendLine(b, p)
		}
		b = append(b, ']')
	case ok1 && ok2:
		b = append(b, `{"type":"Point","coordinates":`...)
		b = appendPosition(b, traffic.Point{Lat: lat, Lng: lng})
	default:
		return append(b, "null"...)
	}
	return append(b, '}')
}

func appendLine(b []byte, line []traffic.Point) []byte {
	b = append(b, '[')
	for i, p := range line {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPosition(b, p)
	}
	return append(b, ']')
}

func appendPosition(b []byte, p traffic.Point) []byte {
	b = append(b, '[')
	b = appendDegrees(b, p.Lng)
	b = append(b, ',')
	b = appendDegrees(b, p.Lat)
	return append(b, ']')
}

// appendDegrees keeps six decimals, 0.1 m, which no street map can tell apart.
func appendDegrees(b []byte, v float64) []byte {
	return strconv.AppendFloat(b, math.Round(v*1e6)/1e6, 'f', -1, 64)
}
