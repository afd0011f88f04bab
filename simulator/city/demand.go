package city

import (
	"math"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A profile is the share of the peak demand over a day, and where it goes.
type profile struct {
	loc *time.Location
}

// bump is a bell over the hours of a day, around its top.
func bump(hour, top, width float64) float64 {
	d := (hour - top) / width
	return math.Exp(-d * d / 2)
}

// at returns the trips that begin inside the city and those that come in through the
// rim, each as a share of its peak. People come in the morning and go in the evening.
func (p profile) at(t time.Time) (inside, gates float64) {
	t = t.In(p.loc)
	hour := float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600
	night := 0.04 + 0.55*bump(hour, 13.5, 4.5)
	switch t.Weekday() {
	case time.Saturday, time.Sunday:
		day := 0.05 + 0.6*bump(hour, 15.5, 4)
		return day, day
	default:
		morning, evening := bump(hour, 8.25, 1), bump(hour, 17.75, 1.3)
		return min(1, night+0.52*morning+0.62*evening), min(1, night+0.85*morning+0.25*evening)
	}
}

// peak is a demand that both directions of the day fit into: what the network is
// calibrated for.
const peakInside, peakGates = 0.8, 0.8

// gateLoad is the share of its capacity that a road into the city brings at the peak.
const gateLoad = 0.4

// rimShare is the share of the links, the farthest from the centre, that lead in and
// out of the city.
const rimShare = 0.12

// settle gives every link its trips: origins in proportion to its length, gates and
// exits at the rim, and turning shares that fill the network evenly. scale is the
// user's demand.
func settle(links []link, scale float64) {
	centre := centreOf(links)
	radius := make([]float64, len(links))
	for i := range links {
		radius[i] = distance(centre, links[i].mid)
	}
	sorted := slices.Sorted(slices.Values(radius))
	rim := sorted[min(len(sorted)-1, int(float64(len(sorted))*(1-rimShare)))]
	for i := range links {
		l := &links[i]
		km := l.length / 1000
		l.origin = km * local(l.road.Class)
		l.exit = min(0.5, km*0.28*local(l.road.Class)+0.01)
		if radius[i] < rim {
			continue
		}
		outward := math.Atan2(l.mid.Lat-centre.Lat, (l.mid.Lng-centre.Lng)*math.Cos(centre.Lat*math.Pi/180))
		if math.Cos(l.heading-outward) > 0 {
			l.exit = max(l.exit, 0.45)
		} else {
			l.gate = gateLoad * l.capacity * scale
		}
	}
	for i := range links {
		if len(links[i].turns) == 0 {
			links[i].exit = 1
		}
	}
	balance(links, scale)
}

// local is how much of the traffic of a class begins and ends on it.
func local(c traffic.Class) float64 {
	switch c {
	case traffic.ClassMotorway:
		return 0.02
	case traffic.ClassTrunk:
		return 0.1
	case traffic.ClassPrimary:
		return 0.5
	case traffic.ClassResidential:
		return 1.2
	default:
		return 0.8
	}
}

// The calibration: at the peak, this share of the links may want more than capacity.
const (
	overloaded     = 0.10
	balanceRounds  = 12
	stationaryIter = 300
)

// balance moves turning shares away from links that would be overloaded and scales the
// trips so that at the peak the share overloaded of the links is at capacity.
func balance(links []link, scale float64) {
	load := make([]float64, len(links))
	scaled := 0.0
	for range balanceRounds {
		gates, inside := stationary(links, 0, peakGates), stationary(links, peakInside, 0)
		scaled = factor(links, gates, inside)
		for i := range links {
			load[i] = (gates[i] + scaled*inside[i]) / links[i].outlet
		}
		reshare(links, load)
	}
	for i := range links {
		links[i].origin *= scaled * scale
	}
}

// reshare moves turning shares towards the links that carry less than the median.
func reshare(links []link, load []float64) {
	mean := max(median(load), 1e-6)
	for i := range links {
		var sum float64
		for k := range links[i].turns {
			t := &links[i].turns[k]
			t.share *= math.Pow(max(load[t.to], 1e-6)/mean, -0.4)
			sum += t.share
		}
		for k := range links[i].turns {
			links[i].turns[k].share /= sum
		}
	}
}

// factor is what the trips inside the city must be multiplied with so that the share
// overloaded of the links inside the rim is at capacity. The flows are linear in the
// trips, so a bisection on their sum finds it.
func factor(links []link, gates, inside []float64) float64 {
	load := make([]float64, 0, len(links))
	low, high := 0.0, 1e3
	for range 50 {
		mid := (low + high) / 2
		load = load[:0]
		for i := range links {
			if links[i].gate == 0 {
				load = append(load, (gates[i]+mid*inside[i])/links[i].outlet)
			}
		}
		slices.Sort(load)
		if load[min(len(load)-1, int(float64(len(load))*(1-overloaded)))] > 1 {
			high = mid
		} else {
			low = mid
		}
	}
	return low
}

// stationary is the flow of every link, in veh/s, that a demand leads to when nothing is
// full: the fixed point of inflow = trips + turning shares of the inflow.
func stationary(links []link, inside, gates float64) []float64 {
	flow := make([]float64, len(links))
	next := make([]float64, len(links))
	for range stationaryIter {
		for i := range links {
			next[i] = inside*links[i].origin + gates*links[i].gate
		}
		for i := range links {
			through := flow[i] * (1 - links[i].exit)
			for _, t := range links[i].turns {
				next[t.to] += through * t.share
			}
		}
		flow, next = next, flow
	}
	return flow
}

func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	return s[len(s)/2]
}

func centreOf(links []link) traffic.Point {
	var lats, lngs []float64
	for i := range links {
		lats, lngs = append(lats, links[i].mid.Lat), append(lngs, links[i].mid.Lng)
	}
	return traffic.Point{Lat: median(lats), Lng: median(lngs)}
}

// distance is in degrees of latitude, near enough to sort by.
func distance(a, b traffic.Point) float64 {
	return math.Hypot(a.Lat-b.Lat, (a.Lng-b.Lng)*math.Cos(a.Lat*math.Pi/180))
}
