package synth

import (
	"fmt"
	"math"
	"strconv"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A standard is how roads of a kind are built. Capacity is lanes times lanePerHour
// (Highway Capacity Manual, 6th ed.: base saturation flow of a signalised approach;
// a motorway lane carries a little more), times the share of green at signals.
type standard struct {
	freeFlowKMH float64
	lanes       float64
	green       float64
}

const lanePerHour = 1900.0

// standardOf looks a road up. One-way streets use the width of both directions.
func standardOf(s street, oneWay bool) standard {
	var std standard
	switch s.class {
	case traffic.ClassMotorway:
		return standard{freeFlowKMH: 90, lanes: 3, green: 1.05}
	case traffic.ClassTrunk:
		return standard{freeFlowKMH: 80, lanes: 2, green: 1}
	case traffic.ClassPrimary:
		std = standard{freeFlowKMH: 50, lanes: 2, green: 0.45}
	case traffic.ClassSecondary:
		std = standard{freeFlowKMH: 50, lanes: 1, green: 0.45}
		if s.kind == kindRamp {
			return standard{freeFlowKMH: 50, lanes: 1, green: 0.8}
		}
	case traffic.ClassTertiary:
		std = standard{freeFlowKMH: 40, lanes: 1, green: 0.40}
	default:
		std = standard{freeFlowKMH: 30, lanes: 1, green: 0.30}
	}
	if oneWay && std.lanes == 1 {
		std.lanes = 2
	}
	return std
}

// rightOf is how far to the right of the street's middle its traffic runs, in metres.
func rightOf(s street) float64 {
	switch s.class {
	case traffic.ClassTrunk, traffic.ClassPrimary:
		return 7
	case traffic.ClassSecondary:
		return 5
	default:
		return 3.5
	}
}

// An emitter turns edges into roads.
type emitter struct {
	center traffic.Point
	roads  []traffic.Road
	nodes  map[int]traffic.NodeID
}

// emit makes a road of each direction of each living edge.
func emit(g *graph, center traffic.Point) []traffic.Road {
	out := emitter{center: center, nodes: make(map[int]traffic.NodeID)}
	for i := range g.edges {
		e := &g.edges[i]
		if e.dead {
			continue
		}
		if e.oneWay >= 0 {
			out.add(e, e.a, e.b, e.line)
		}
		if e.oneWay <= 0 {
			out.add(e, e.b, e.a, e.line.reversed())
		}
	}
	return out.roads
}

func (o *emitter) add(e *edge, from, to int, l line) {
	if e.oneWay == 0 {
		l = l.shifted(rightOf(e.street))
	}
	const tolerance = 1.5 // metres
	var part []traffic.Point
	for _, v := range l.simplified(tolerance) {
		part = append(part, o.place(v))
	}
	mid, _ := l.at(l.length() / 2)
	at := o.place(mid)
	geometry := [][]traffic.Point{part}
	std := standardOf(e.street, e.oneWay != 0)
	o.roads = append(o.roads, traffic.Road{
		ID: traffic.RoadID(fmt.Sprintf("CITY-%04d", len(o.roads)+1)), Label: e.street.label, Class: e.street.class,
		FromNode: o.node(from), ToNode: o.node(to), Geometry: geometry, LengthM: traffic.Some(roadnet.LengthM(geometry)),
		Lat: traffic.Some(at.Lat), Lng: traffic.Some(at.Lng),
		FreeFlowKMH: traffic.Some(std.freeFlowKMH),
		CapacityVPH: traffic.Some(math.Round(std.lanes*std.green*lanePerHour/10) * 10),
	})
}

func (o *emitter) node(n int) traffic.NodeID {
	if o.nodes[n] == "" {
		o.nodes[n] = traffic.NodeID(strconv.Itoa(len(o.nodes) + 1))
	}
	return o.nodes[n]
}

// place is where on Earth v lies: on a plane that touches it at the city's centre,
// which is off by metres at its border.
func (o *emitter) place(v vec) traffic.Point {
	const metresPerDegree = 111195
	round := func(d float64) float64 { return math.Round(d*1e7) / 1e7 }
	return traffic.Point{
		Lat: round(o.center.Lat + v.y/metresPerDegree),
		Lng: round(o.center.Lng + v.x/(metresPerDegree*math.Cos(o.center.Lat*math.Pi/180))),
	}
}
