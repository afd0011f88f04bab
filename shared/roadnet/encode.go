package roadnet

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/roadnetpb"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// noPosition stands for a junction without one.
const noPosition = math.MinInt32

func encodeNetwork(n *Network) *roadnetpb.Network {
	m := &roadnetpb.Network{}
	nodes := encodeNodes(m, n)
	labels, classes := index[string]{}, index[traffic.Class]{}
	var lat, lng int64
	for i := range n.Roads {
		r := &n.Roads[i]
		m.RoadIds = append(m.RoadIds, string(r.ID))
		m.RoadLabel = append(m.RoadLabel, labels.of(r.Label))
		m.RoadClass = append(m.RoadClass, classes.of(r.Class))
		m.RoadFrom = append(m.RoadFrom, nodes[r.FromNode])
		m.RoadTo = append(m.RoadTo, nodes[r.ToNode])
		m.RoadLengthM = append(m.RoadLengthM, r.LengthM.Or(math.NaN()))
		m.RoadFreeFlowKmh = append(m.RoadFreeFlowKmh, r.FreeFlowKMH.Or(math.NaN()))
		m.RoadCapacityVph = append(m.RoadCapacityVph, r.CapacityVPH.Or(math.NaN()))
		m.RoadLat = append(m.RoadLat, r.Lat.Or(math.NaN()))
		m.RoadLng = append(m.RoadLng, r.Lng.Or(math.NaN()))
		m.RoadParts = append(m.RoadParts, uint32(len(r.Geometry)))
		for _, part := range r.Geometry {
			m.PartPoints = append(m.PartPoints, uint32(len(part)))
			for _, p := range part {
				pLat, pLng := int64(math.Round(p.Lat*coordUnit)), int64(math.Round(p.Lng*coordUnit))
				m.PointLat = append(m.PointLat, pLat-lat)
				m.PointLng = append(m.PointLng, pLng-lng)
				lat, lng = pLat, pLng
			}
		}
	}
	encodeExtras(m, n, nodes)
	m.Labels = labels.values
	for _, c := range classes.values {
		m.Classes = append(m.Classes, string(c))
	}
	return m
}

// encodeNodes writes the junctions and returns the number of each, counted from 1;
// the absent junction has 0.
func encodeNodes(m *roadnetpb.Network, n *Network) map[traffic.NodeID]uint32 {
	number := make(map[traffic.NodeID]uint32)
	for i := range n.Roads {
		number[n.Roads[i].FromNode] = 0
		number[n.Roads[i].ToNode] = 0
	}
	delete(number, "")
	for _, id := range slices.Sorted(maps.Keys(number)) {
		m.NodeIds = append(m.NodeIds, string(id))
		number[id] = uint32(len(m.NodeIds))
		lat, lng := int32(noPosition), int32(noPosition)
		if p, ok := n.Nodes[id]; ok {
			lat, lng = int32(math.Round(p.Lat*coordUnit)), int32(math.Round(p.Lng*coordUnit))
		}
		m.NodeLat = append(m.NodeLat, lat)
		m.NodeLng = append(m.NodeLng, lng)
	}
	return number
}

// An index numbers distinct values in the order of their first use.
type index[T comparable] struct {
	values []T
	number map[T]uint32
}

func (x *index[T]) of(v T) uint32 {
	if x.number == nil {
		x.number = make(map[T]uint32)
	}
	i, ok := x.number[v]
	if !ok {
		i = uint32(len(x.values))
		x.number[v] = i
		x.values = append(x.values, v)
	}
	return i
}

// decodeNetwork checks every length and index, so that a file that was tampered with
// is an error and never a panic.
func decodeNetwork(m *roadnetpb.Network) (*Network, error) {
	if err := checkColumns(m); err != nil {
		return nil, err
	}
	n := &Network{Roads: make([]traffic.Road, len(m.RoadIds)), Nodes: make(map[traffic.NodeID]traffic.Point, len(m.NodeIds))}
	for i, id := range m.NodeIds {
		if m.NodeLat[i] == noPosition {
			continue
		}
		p := degrees(int64(m.NodeLat[i]), int64(m.NodeLng[i]))
		if !validPoint(p) {
			return nil, fmt.Errorf("junction %q is not on Earth", id)
		}
		n.Nodes[traffic.NodeID(id)] = p
	}
	lines, err := decodeLines(m)
	if err != nil {
		return nil, err
	}
	for i := range n.Roads {
		if err := decodeRoad(m, i, &n.Roads[i]); err != nil {
			return nil, fmt.Errorf("road %d: %w", i, err)
		}
		if i > 0 && n.Roads[i-1].ID >= n.Roads[i].ID {
			return nil, fmt.Errorf("road %d: ids are not in order", i)
		}
		k := m.RoadParts[i]
		if k > 0 {
			n.Roads[i].Geometry, lines = lines[:k:k], lines[k:]
		}
	}
	if err := decodeExtras(m, n); err != nil {
		return nil, err
	}
	return n, nil
}

func checkColumns(m *roadnetpb.Network) error {
	roads, nodes := len(m.RoadIds), len(m.NodeIds)
	for _, n := range []int{
		len(m.RoadLabel), len(m.RoadClass), len(m.RoadFrom), len(m.RoadTo), len(m.RoadLengthM),
		len(m.RoadFreeFlowKmh), len(m.RoadCapacityVph), len(m.RoadLat), len(m.RoadLng), len(m.RoadParts),
	} {
		if n != roads {
			return fmt.Errorf("a column has %d entries for %d roads", n, roads)
		}
	}
	if len(m.NodeLat) != nodes || len(m.NodeLng) != nodes {
		return fmt.Errorf("a column has not %d entries as there are junctions", nodes)
	}
	var parts uint64
	for _, k := range m.RoadParts {
		parts += uint64(k)
	}
	var points uint64
	for _, k := range m.PartPoints {
		points += uint64(k)
	}
	switch {
	case parts != uint64(len(m.PartPoints)):
		return errors.New("number of parts differs between columns")
	case len(m.TurnFrom) != len(m.TurnTo), len(m.RoadLayer) != 0 && len(m.RoadLayer) != roads:
		return errors.New("turns or layers are not whole")
	case points != uint64(len(m.PointLat)), points != uint64(len(m.PointLng)):
		return errors.New("number of points differs between columns")
	}
	return nil
}

// decodeLines rebuilds all parts of all roads over one array of points.
func decodeLines(m *roadnetpb.Network) ([][]traffic.Point, error) {
	points := make([]traffic.Point, len(m.PointLat))
	var lat, lng int64
	for i := range points {
		lat, lng = lat+m.PointLat[i], lng+m.PointLng[i]
		points[i] = degrees(lat, lng)
		if !validPoint(points[i]) {
			return nil, fmt.Errorf("point %d is not on Earth", i)
		}
	}
	lines := make([][]traffic.Point, len(m.PartPoints))
	for i, k := range m.PartPoints {
		lines[i], points = points[:k:k], points[k:]
	}
	return lines, nil
}

func decodeRoad(m *roadnetpb.Network, i int, r *traffic.Road) error {
	from, to := m.RoadFrom[i], m.RoadTo[i]
	if max(from, to) > uint32(len(m.NodeIds)) || m.RoadLabel[i] >= uint32(len(m.Labels)) || m.RoadClass[i] >= uint32(len(m.Classes)) {
		return errors.New("an index is outside its table")
	}
	*r = traffic.Road{
		ID: traffic.RoadID(m.RoadIds[i]), Label: m.Labels[m.RoadLabel[i]], Class: traffic.Class(m.Classes[m.RoadClass[i]]),
		LengthM: traffic.Some(m.RoadLengthM[i]), FreeFlowKMH: traffic.Some(m.RoadFreeFlowKmh[i]),
		CapacityVPH: traffic.Some(m.RoadCapacityVph[i]), Lat: traffic.Some(m.RoadLat[i]), Lng: traffic.Some(m.RoadLng[i]),
	}
	if from > 0 {
		r.FromNode = traffic.NodeID(m.NodeIds[from-1])
	}
	if to > 0 {
		r.ToNode = traffic.NodeID(m.NodeIds[to-1])
	}
	return nil
}

func degrees(lat, lng int64) traffic.Point {
	return traffic.Point{Lat: float64(lat) / coordUnit, Lng: float64(lng) / coordUnit}
}
