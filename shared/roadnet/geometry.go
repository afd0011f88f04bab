package roadnet

import (
	"math"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// earthRadiusM is the mean radius of the Earth (IUGG R1) in metres.
const earthRadiusM = 6371008.8

// DistanceM is the length of the great circle between two points in metres
// (haversine, on the mean Earth radius).
func DistanceM(a, b traffic.Point) float64 {
	const rad = math.Pi / 180
	dLat, dLng := (b.Lat-a.Lat)*rad, (b.Lng-a.Lng)*rad
	sLat, sLng := math.Sin(dLat/2), math.Sin(dLng/2)
	h := sLat*sLat + math.Cos(a.Lat*rad)*math.Cos(b.Lat*rad)*sLng*sLng
	return 2 * earthRadiusM * math.Asin(min(1, math.Sqrt(h)))
}

// LengthM is the length of a geometry in metres: the sum over its parts, without the
// gaps between them.
func LengthM(geometry [][]traffic.Point) float64 {
	var sum float64
	for _, part := range geometry {
		for i := 1; i < len(part); i++ {
			sum += DistanceM(part[i-1], part[i])
		}
	}
	return sum
}

// midpoint is the point halfway along a geometry.
func midpoint(geometry [][]traffic.Point) traffic.Point {
	left := LengthM(geometry) / 2
	var last traffic.Point
	for _, part := range geometry {
		for i, p := range part {
			last = p
			if i == 0 {
				continue
			}
			d := DistanceM(part[i-1], p)
			if d >= left && d > 0 {
				f := left / d
				return quantized(traffic.Point{
					Lat: part[i-1].Lat + f*(p.Lat-part[i-1].Lat),
					Lng: part[i-1].Lng + f*(p.Lng-part[i-1].Lng),
				})
			}
			left -= d
		}
	}
	return last
}

// coordUnit is how finely positions are kept: 1e-7 degree, at most 1.1 cm. Imports
// round to it, so that a saved network loads back equal.
const coordUnit = 1e7

func quantized(p traffic.Point) traffic.Point {
	return traffic.Point{Lat: math.Round(p.Lat*coordUnit) / coordUnit, Lng: math.Round(p.Lng*coordUnit) / coordUnit}
}

// medianPoint is the median of each coordinate; of an even number, the mean of the
// middle two. It panics on none.
func medianPoint(ps []traffic.Point) traffic.Point {
	lat, lng := make([]float64, len(ps)), make([]float64, len(ps))
	for i, p := range ps {
		lat[i], lng[i] = p.Lat, p.Lng
	}
	return quantized(traffic.Point{Lat: median(lat), Lng: median(lng)})
}

// median reorders v.
func median(v []float64) float64 {
	slices.Sort(v)
	m := len(v) / 2
	if len(v)%2 == 1 {
		return v[m]
	}
	return (v[m-1] + v[m]) / 2
}

// validPoint reports whether p is a position on Earth.
func validPoint(p traffic.Point) bool {
	return math.Abs(p.Lat) <= 90 && math.Abs(p.Lng) <= 180
}
