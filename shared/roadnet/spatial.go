package roadnet

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidwall/rtree"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An Index finds roads by place. It is made once, never changes, and may be asked from
// several goroutines. It takes about 100 bytes for each straight piece of geometry.
type Index struct {
	roads []traffic.Road
	tree  rtree.RTreeG[segment]
	// deg is the number of metres in a degree of latitude.
	deg float64
}

// A segment is a straight piece of a road: from a point of a part to the next.
type segment struct{ road, part, point int32 }

// NewIndex indexes the geometry of roads; those without one are never found.
func NewIndex(roads []traffic.Road) *Index {
	x := &Index{roads: roads, deg: earthRadiusM * math.Pi / 180}
	for r := range roads {
		for p, part := range roads[r].Geometry {
			for i := 1; i < len(part); i++ {
				a, b := part[i-1], part[i]
				x.tree.Insert(
					[2]float64{min(a.Lng, b.Lng), min(a.Lat, b.Lat)}, [2]float64{max(a.Lng, b.Lng), max(a.Lat, b.Lat)},
					segment{int32(r), int32(p), int32(i)},
				)
			}
		}
	}
	return x
}

// Roads are the roads that were indexed. The caller changes nothing in them.
func (x *Index) Roads() []traffic.Road { return x.roads }

// A Place is the point of a road that is nearest to a position.
type Place struct {
	// Road is the road's index.
	Road int
	At   traffic.Point
	// DistanceM is how far the position is from it, in metres.
	DistanceM float64
	// OffsetM is how far At is from the beginning of the road along it, in metres.
	OffsetM float64
	// BearingDeg is the driving direction there: 0 is north, 90 east, below 360.
	BearingDeg float64
}

// Within lists the roads within radiusM metres of p, each once, the nearest first and
// equals by index. A radius that is not above 0 finds nothing.
func (x *Index) Within(p traffic.Point, radiusM float64) []Place {
	if !(radiusM > 0) || !validPoint(p) {
		return nil
	}
	type hit struct {
		seg  segment
		dist float64
	}
	best := make(map[int32]hit)
	dLat := radiusM / x.deg
	dLng := dLat / max(0.01, math.Cos(p.Lat*math.Pi/180))
	x.tree.Search([2]float64{p.Lng - dLng, p.Lat - dLat}, [2]float64{p.Lng + dLng, p.Lat + dLat},
		func(_, _ [2]float64, s segment) bool {
			_, d := x.nearestOn(s, p)
			old, seen := best[s.road]
			if d <= radiusM && (!seen || d < old.dist || d == old.dist && before(s, old.seg)) {
				best[s.road] = hit{s, d}
			}
			return true
		})
	out := make([]Place, 0, len(best))
	for _, h := range best {
		out = append(out, x.place(h.seg, p))
	}
	slices.SortFunc(out, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.DistanceM, b.DistanceM), cmp.Compare(a.Road, b.Road))
	})
	return out
}

func before(a, b segment) bool {
	return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.point, b.point)) < 0
}

// Nearest is the nearest road within radiusM metres of p; of equals the first.
func (x *Index) Nearest(p traffic.Point, radiusM float64) (Place, bool) {
	// A small circle mostly does, and costs little when it does not.
	for r := min(50, radiusM); ; r = min(4*r, radiusM) {
		if found := x.Within(p, r); len(found) > 0 {
			return found[0], true
		}
		if !(r < radiusM) {
			return Place{}, false
		}
	}
}

// InBox lists the roads that may have a part in a box, by rising index: all that do,
// and some that only pass its corners.
func (x *Index) InBox(southWest, northEast traffic.Point) []int {
	var out []int
	x.tree.Search([2]float64{southWest.Lng, southWest.Lat}, [2]float64{northEast.Lng, northEast.Lat},
		func(_, _ [2]float64, s segment) bool {
			out = append(out, int(s.road))
			return true
		})
	slices.Sort(out)
	return slices.Compact(out)
}

// ends are the two points of a segment.
func (x *Index) ends(s segment) (a, b traffic.Point) {
	part := x.roads[s.road].Geometry[s.part]
	return part[s.point-1], part[s.point]
}

// nearestOn is the point of a segment nearest to p as a share of the segment, and its
// distance in metres. Around p the Earth is taken for flat, which is exact to
// centimetres over the distances that are asked for.
func (x *Index) nearestOn(s segment, p traffic.Point) (share, distM float64) {
	a, b := x.ends(s)
	east := x.deg * math.Cos(p.Lat*math.Pi/180)
	ax, ay := (a.Lng-p.Lng)*east, (a.Lat-p.Lat)*x.deg
	dx, dy := (b.Lng-a.Lng)*east, (b.Lat-a.Lat)*x.deg
	if square := dx*dx + dy*dy; square > 0 {
		share = min(1, max(0, -(ax*dx+ay*dy)/square))
	}
	return share, math.Hypot(ax+share*dx, ay+share*dy)
}

func (x *Index) place(s segment, p traffic.Point) Place {
	share, dist := x.nearestOn(s, p)
	a, b := x.ends(s)
	at := traffic.Point{Lat: a.Lat + share*(b.Lat-a.Lat), Lng: a.Lng + share*(b.Lng-a.Lng)}
	geometry := x.roads[s.road].Geometry
	offset := LengthM(geometry[:s.part]) + LengthM([][]traffic.Point{geometry[s.part][:s.point]}) + DistanceM(a, at)
	return Place{Road: int(s.road), At: at, DistanceM: dist, OffsetM: offset, BearingDeg: BearingDeg(a, b)}
}

// BearingDeg is the direction from a to b in degrees: 0 is north, 90 east, below 360.
// It is meant for points that are near to each other.
func BearingDeg(a, b traffic.Point) float64 {
	east := (b.Lng - a.Lng) * math.Cos((a.Lat+b.Lat)/2*math.Pi/180)
	deg := math.Atan2(east, b.Lat-a.Lat) * 180 / math.Pi
	if deg < 0 {
		deg += 360
	}
	return deg
}

// TurnDeg is the angle between two bearings, 0 to 180 degrees.
func TurnDeg(a, b float64) float64 {
	d := math.Mod(math.Abs(a-b), 360)
	return min(d, 360-d)
}
