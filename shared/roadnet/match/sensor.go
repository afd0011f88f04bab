package match

import (
	"math"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// FromNetwork makes a sensor of each road of another network, such as the counting
// arcs of Paris. A road without geometry lies straight between its junctions; one
// whose junctions have no position either gives a sensor without a place.
func FromNetwork(n *roadnet.Network) []Sensor {
	out := make([]Sensor, len(n.Roads))
	for i := range n.Roads {
		r := &n.Roads[i]
		s := Sensor{ID: string(r.ID), Line: r.Geometry, BearingDeg: math.NaN(), At: noPlace()}
		if len(s.Line) == 0 {
			from, okFrom := n.Nodes[r.FromNode]
			to, okTo := n.Nodes[r.ToNode]
			lat, okAt := r.Lat.Get()
			switch {
			case okFrom && okTo && from != to:
				s.Line = [][]traffic.Point{{from, to}}
			case okAt:
				s.At = traffic.Point{Lat: lat, Lng: r.Lng.Or(0)}
			}
		}
		out[i] = s
	}
	return out
}

func noPlace() traffic.Point { return traffic.Point{Lat: math.NaN(), Lng: math.NaN()} }

// A sample is a place on a sensor with its direction, NaN when unknown.
type sample struct {
	at      traffic.Point
	bearing float64
}

const (
	// sampleEveryM is how far apart the samples of a line are; one shorter than three
	// steps has three, and a long one no more than maxSamples.
	sampleEveryM = 15
	maxSamples   = 40
)

// samples are the places at which a sensor is compared with roads. The ends of a line
// are left out: there it meets the roads across.
func (s *Sensor) samples() []sample {
	length := roadnet.LengthM(s.Line)
	if !(length > 0) {
		if math.IsNaN(s.At.Lat) {
			return nil
		}
		return []sample{{s.At, s.BearingDeg}}
	}
	n := int(min(maxSamples, max(3, length/sampleEveryM)))
	out := make([]sample, 0, n)
	walked, next := 0.0, length/float64(2*n)
	for _, part := range s.Line {
		for i := 1; i < len(part); i++ {
			a, b := part[i-1], part[i]
			d := roadnet.DistanceM(a, b)
			for ; len(out) < n && d > 0 && next <= walked+d; next += length / float64(n) {
				f := (next - walked) / d
				at := traffic.Point{Lat: a.Lat + f*(b.Lat-a.Lat), Lng: a.Lng + f*(b.Lng-a.Lng)}
				out = append(out, sample{at, roadnet.BearingDeg(a, b)})
			}
			walked += d
		}
	}
	return out
}
