package city

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// vehicleLength is the length that a loop sees of a vehicle, its own included, in m.
const vehicleLength = 6

// A sensor measures one link.
type sensor struct {
	link int
	// phase is the step within the interval at which it reports: detectors of a
	// city are not in step.
	phase int
	// hasSpeed and hasLoop say what it can measure: double loops give all, single
	// ones no speed, a radar nothing but the speed.
	hasSpeed, hasLoop bool
	// bias is its constant counting error.
	bias float64
	rng  *rand.Rand

	// what it gathered since its last report: vehicles, vehicle-weighted speed, and
	// occupancy summed over steps.
	count, speed, occupied float64
	fault                  fault
	faultEnds              time.Time
	stuck                  traffic.Reading
}

type fault uint8

const (
	healthy fault = iota
	silent
	stuckAt
)

// The share of sensors that single loops and radars make up, and how often a report
// finds that its sensor fell silent or began to repeat itself.
const (
	singleLoops = 0.22
	radars      = 0.06
	silentRate  = 1.0 / 8000
	stuckRate   = 1.0 / 40000
)

func newSensor(seed uint64, i, steps int) sensor {
	rng := rand.New(rand.NewPCG(seed, uint64(i)+1))
	kind := rng.Float64()
	return sensor{
		link: i, phase: rng.IntN(steps),
		hasSpeed: kind >= singleLoops, hasLoop: kind < 1-radars,
		bias: 1 + 0.03*rng.NormFloat64(), rng: rng,
	}
}

// observe adds one step to what the sensor gathers.
func (s *sensor) observe(f *flowState) {
	l := &f.links[s.link]
	out := f.out[s.link]
	s.count += out
	s.speed += out * f.speed(s.link) * 3.6
	perLane := f.n[s.link] / (l.length * l.lanes) // veh/m
	s.occupied += min(1, perLane*vehicleLength)
}

// report ends the interval that began at begin and returns its reading, or false when
// the sensor says nothing.
func (s *sensor) report(road traffic.RoadID, begin time.Time, interval time.Duration) (traffic.Reading, bool) {
	r := s.measure(road, begin, interval)
	s.count, s.speed, s.occupied = 0, 0, 0
	s.age(begin, r)
	switch s.fault {
	case healthy:
	case silent:
		return traffic.Reading{}, false
	case stuckAt:
		r = s.stuck
		r.At = begin
	}
	return r, r.Speed.Known() || r.Flow.Known()
}

func (s *sensor) measure(road traffic.RoadID, begin time.Time, interval time.Duration) traffic.Reading {
	r := traffic.Reading{At: begin, Sensor: traffic.SensorID(road), Road: road}
	counted := float64(poisson(s.rng, s.count*s.bias))
	if s.hasLoop {
		r.Flow = traffic.Some(min(traffic.MaxFlowVPH, math.Round(counted*float64(time.Hour)/float64(interval))))
		occ := 0.0
		if counted > 0 {
			occ = s.occupied / (float64(interval) / float64(Step)) * (1 + 0.06*s.rng.NormFloat64())
		}
		r.Occupancy = traffic.Some(round(min(1, max(0, occ)), 4))
	}
	if s.hasSpeed && counted > 0 && s.count > 0 {
		kmh := s.speed / s.count * (1 + 0.04*s.rng.NormFloat64()/math.Sqrt(math.Sqrt(counted)))
		r.Speed = traffic.Some(round(min(traffic.MaxSpeedKMH, max(1, kmh)), 1))
	}
	return r
}

// age lets the sensor fail and recover.
func (s *sensor) age(now time.Time, r traffic.Reading) {
	if s.fault != healthy && now.After(s.faultEnds) {
		s.fault = healthy
	}
	draw := s.rng.Float64()
	if s.fault != healthy || draw > silentRate+stuckRate {
		return
	}
	s.fault, s.faultEnds = silent, now.Add(time.Duration(10+170*s.rng.Float64())*time.Minute)
	if draw < stuckRate {
		s.fault, s.stuck = stuckAt, r
	}
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
