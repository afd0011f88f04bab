package city

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// jamDensity is how many vehicles stand on a kilometre of one lane in a queue.
const jamDensity = 145

// A link is a road as the flow model sees it. Units are metres, seconds, vehicles.
type link struct {
	road *traffic.Road
	// length is at least what a vehicle drives in one step, so that the model is
	// stable on short roads (the Courant-Friedrichs-Lewy condition).
	length   float64
	lanes    float64
	free     float64 // free-flow speed, m/s
	capacity float64 // veh/s over all lanes, between junctions
	outlet   float64 // veh/s that the signal at the downstream junction lets through
	critical float64 // vehicles on the link at capacity
	jam      float64 // vehicles on the link in a standing queue
	wave     float64 // speed of the backward wave, m/s
	turns    []turn
	// exit is the share of the outflow that reached its destination.
	exit float64
	// heading is the direction of travel in radians, 0 being east.
	heading float64
	mid     traffic.Point
	// origin and gate are the relative trips that begin on the link: inside the
	// city, and from outside through the rim.
	origin, gate float64
}

// A turn is a movement from one link to the next.
type turn struct {
	to    int
	share float64
}

// errNoNetwork is returned for a network on which nobody can drive anywhere.
var errNoNetwork = errors.New("the network has no roads with junctions and lengths: import one, or use the generated one")

// compile turns the roads that have junctions and a geometry into links.
func compile(n *roadnet.Network, seed uint64) ([]link, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(len(n.Roads))))
	links := make([]link, 0, len(n.Roads))
	leaving := make(map[traffic.NodeID][]int)
	for i := range n.Roads {
		r := &n.Roads[i]
		length, ok := r.LengthM.Get()
		if r.FromNode == "" || r.ToNode == "" || !ok || length <= 0 || len(r.Geometry) == 0 {
			continue
		}
		leaving[r.FromNode] = append(leaving[r.FromNode], len(links))
		links = append(links, newLink(r, length, rng.Float64()))
	}
	for i := range links {
		links[i].turns = turns(links, i, leaving[links[i].road.ToNode])
	}
	if !slices.ContainsFunc(links, func(l link) bool { return len(l.turns) > 0 }) {
		return nil, errNoNetwork
	}
	return links, nil
}

// newLink compiles one road; luck, from 0 to 1, is how well its signal is timed.
func newLink(r *traffic.Road, length, luck float64) link {
	prior := score.Prior(r.Class)
	l := link{
		road:     r,
		free:     r.FreeFlowKMH.Or(prior.FreeFlowKMH) / 3.6,
		capacity: r.CapacityVPH.Or(prior.CapacityVPH) / 3600,
	}
	l.outlet = l.capacity * (0.7 + 0.3*luck)
	if r.Class == traffic.ClassMotorway || r.Class == traffic.ClassTrunk {
		l.outlet = l.capacity * (0.94 + 0.06*luck)
	}
	l.length = max(length, l.free*Step.Seconds())
	l.lanes = max(1, math.Round(l.capacity*3600/perLane(r.Class)))
	l.critical = l.capacity / l.free * l.length
	l.jam = max(jamDensity*l.lanes/1000*l.length, 2*l.critical)
	l.wave = l.capacity / ((l.jam - l.critical) / l.length)
	line := r.Geometry[0]
	end := r.Geometry[len(r.Geometry)-1]
	first, last := line[0], end[len(end)-1]
	l.mid = line[len(line)/2]
	l.heading = math.Atan2(last.Lat-first.Lat, (last.Lng-first.Lng)*math.Cos(first.Lat*math.Pi/180))
	return l
}

// perLane is the usual capacity of one lane in veh/h: signals halve it in a city.
func perLane(c traffic.Class) float64 {
	switch c {
	case traffic.ClassMotorway, traffic.ClassTrunk:
		return 1900
	default:
		return 900
	}
}

// turns shares the outflow of link i among the links that leave its downstream
// junction: more to where there is room, more straight on, never back unless there is
// no other way.
func turns(links []link, i int, next []int) []turn {
	from := &links[i]
	var out []turn
	var sum float64
	for _, j := range next {
		to := &links[j]
		angle := math.Remainder(to.heading-from.heading, 2*math.Pi)
		back := to.road.ToNode == from.road.FromNode || math.Abs(angle) > 0.95*math.Pi
		if back && len(next) > 1 {
			continue
		}
		straight := 0.35 + (1+math.Cos(angle))/2
		out = append(out, turn{to: j, share: to.outlet * straight * straight})
		sum += out[len(out)-1].share
	}
	for k := range out {
		out[k].share /= sum
	}
	return out
}
