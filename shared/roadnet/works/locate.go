package works

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/orb/project"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// lineRadiusM and lineTurnDeg are how far a road may be from a closed line, and
	// turned from it. The lines of Paris are drawn in driving direction, metres from
	// the roads that they close and 16 m from those of the other direction.
	lineRadiusM = 15
	lineTurnDeg = 35
	// areaRadiusM is how far beside an area a road may run: a site on the kerb takes
	// a lane, and roads are drawn in their middle.
	areaRadiusM = 6
	// stepM is how far apart the places are at which lines and roads are compared.
	stepM = 5
	// A road counts from minCoveredM metres or a share of minShare on: the end of a
	// line also lies on the first metres of what follows.
	minCoveredM = 20
	minShare    = 0.3
)

// Locate finds the roads of the index that each work touches, and completes the
// report. A closed line closes the roads that run its way; an area touches all that
// pass it.
func Locate(x *roadnet.Index, works []Work, rep *Report) {
	rep.Located, rep.Roads = 0, 0
	roads := make(map[traffic.RoadID]bool)
	for i := range works {
		w := &works[i]
		w.Roads = locate(x, w.Shape)
		switch {
		case len(w.Roads) > 0:
			rep.Located++
		case w.Shape != nil:
			rep.add(Issue{Kind: NowhereNear, ID: w.ID, Detail: w.Title})
		}
		for _, t := range w.Roads {
			roads[t.Road] = true
		}
	}
	rep.Roads = len(roads)
}

func locate(x *roadnet.Index, shape orb.Geometry) []Touch {
	covered := make(map[int]float64)
	switch s := shape.(type) {
	case orb.LineString:
		followLine(x, s, covered)
	case orb.MultiLineString:
		for _, line := range s {
			followLine(x, line, covered)
		}
	case orb.Polygon, orb.MultiPolygon:
		walkRoads(x, s, covered)
	}
	var out []Touch
	all := x.Roads()
	for _, r := range slices.Sorted(maps.Keys(covered)) {
		length := roadnet.LengthM(all[r].Geometry)
		t := Touch{Road: all[r].ID, CoveredM: min(covered[r], length)}
		t.Share = t.CoveredM / max(length, 0.1)
		if t.CoveredM >= minCoveredM || t.Share >= minShare {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Touch) int { return cmp.Compare(a.Road, b.Road) })
	return out
}

func point(p orb.Point) traffic.Point { return traffic.Point{Lat: p[1], Lng: p[0]} }

// followLine adds the metres of each road that a line runs along.
func followLine(x *roadnet.Index, line orb.LineString, covered map[int]float64) {
	for i := 1; i < len(line); i++ {
		a, b := point(line[i-1]), point(line[i])
		length := roadnet.DistanceM(a, b)
		n := int(math.Ceil(length / stepM))
		bearing := roadnet.BearingDeg(a, b)
		for k := range n {
			f := (float64(k) + 0.5) / float64(n)
			at := traffic.Point{Lat: a.Lat + f*(b.Lat-a.Lat), Lng: a.Lng + f*(b.Lng-a.Lng)}
			for _, p := range x.Within(at, lineRadiusM) {
				if roadnet.TurnDeg(p.BearingDeg, bearing) <= lineTurnDeg {
					covered[p.Road] += length / float64(n)
					break // the nearest that runs its way
				}
			}
		}
	}
}

// walkRoads adds the metres of each road inside an area or just beside it.
func walkRoads(x *roadnet.Index, area orb.Geometry, covered map[int]float64) {
	box := area.Bound()
	const degree = 111195.0 // metres, of latitude
	shrink := max(0.01, math.Cos(box.Center().Lat()*math.Pi/180))
	flat := func(p orb.Point) orb.Point { return orb.Point{p[0] * degree * shrink, p[1] * degree} }
	plane := project.Geometry(orb.Clone(area), flat)
	near := func(p traffic.Point) bool {
		q := flat(orb.Point{p.Lng, p.Lat})
		return contains(plane, q) || planar.DistanceFrom(plane, q) <= areaRadiusM
	}
	margin := areaRadiusM / degree
	southWest := traffic.Point{Lat: box.Min.Lat() - margin, Lng: box.Min.Lon() - margin/shrink}
	northEast := traffic.Point{Lat: box.Max.Lat() + margin, Lng: box.Max.Lon() + margin/shrink}
	for _, r := range x.InBox(southWest, northEast) {
		if m := coveredOf(x.Roads()[r].Geometry, near); m > 0 {
			covered[r] = m
		}
	}
}

// coveredOf walks a road and adds up the steps at which near holds.
func coveredOf(geometry [][]traffic.Point, near func(traffic.Point) bool) (metres float64) {
	for _, part := range geometry {
		for i := 1; i < len(part); i++ {
			a, b := part[i-1], part[i]
			length := roadnet.DistanceM(a, b)
			n := int(math.Ceil(length / stepM))
			for k := range n {
				f := (float64(k) + 0.5) / float64(n)
				if near(traffic.Point{Lat: a.Lat + f*(b.Lat-a.Lat), Lng: a.Lng + f*(b.Lng-a.Lng)}) {
					metres += length / float64(n)
				}
			}
		}
	}
	return metres
}

func contains(area orb.Geometry, p orb.Point) bool {
	switch a := area.(type) {
	case orb.Polygon:
		return planar.PolygonContains(a, p)
	case orb.MultiPolygon:
		return planar.MultiPolygonContains(a, p)
	default:
		return false
	}
}
