package match

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Sensor is what is to be matched.
type Sensor struct {
	ID string
	// Line is where it counts, in driving direction, in one or more parts; nil for a
	// sensor that stands at a point.
	Line [][]traffic.Point
	// At and BearingDeg are the place and the direction of the counted traffic
	// (0 north, 90 east, NaN unknown) of a sensor without a line.
	At         traffic.Point
	BearingDeg float64
}

// Config says what counts as near.
type Config struct {
	// RadiusM is how far a road may be from a sensor, in metres.
	RadiusM float64
	// TurnDeg is by how much their directions may differ, in degrees.
	TurnDeg float64
	// MarginM is by how much the best road must be better than another one, in metres;
	// each 3 degrees of direction count as one metre.
	MarginM float64
}

// DefaultConfig fits maps that were drawn independently: half the width of an avenue.
func DefaultConfig() Config { return Config{RadiusM: 30, TurnDeg: 45, MarginM: 3} }

// Validate returns an error that names what is out of range.
func (c Config) Validate() error {
	switch {
	case !(c.RadiusM > 0 && c.RadiusM <= 500):
		return fmt.Errorf("radius: %g m is not allowed: want above 0, at most 500", c.RadiusM)
	case !(c.TurnDeg > 0 && c.TurnDeg <= 180):
		return fmt.Errorf("turn: %g degrees are not allowed: want above 0, at most 180", c.TurnDeg)
	case !(c.MarginM >= 0 && c.MarginM <= 100):
		return fmt.Errorf("margin: %g m is not allowed: want 0 to 100", c.MarginM)
	}
	return nil
}

// degPerM is how many degrees of direction weigh as much as a metre of distance.
const degPerM = 3

// farM is how far a sensor that matches nothing looks for the nearest road.
const farM = 2000

// Match matches sensors to the roads of an index, in the order of the sensors.
func Match(x *roadnet.Index, sensors []Sensor, cfg Config) (*Report, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("match sensors: %w", err)
	}
	m := &matcher{index: x, cfg: cfg}
	rep := &Report{Results: make([]Result, len(sensors))}
	for i := range sensors {
		rep.Results[i] = m.one(&sensors[i])
	}
	rep.sum()
	return rep, nil
}

type matcher struct {
	index *roadnet.Index
	cfg   Config
}

// A claim is a road near a sample of a sensor.
type claim struct {
	roadnet.Place
	turn, cost float64 // degrees, metres
}

func (m *matcher) one(s *Sensor) Result {
	res := Result{Sensor: s.ID}
	samples := s.samples()
	var won []win
	for _, sample := range samples {
		if claims := m.claims(sample); len(claims) > 0 {
			won = append(won, win{best: claims[0], others: claims[1:]})
		}
	}
	if res.Share = float64(len(won)) / float64(max(1, len(samples))); res.Share < 0.5 {
		return m.tooFar(res, s, samples)
	}
	main := tally(won, &res, m.index.Roads())
	res.Outcome = Matched
	if rival, gap, yes := m.rival(won, main); yes {
		res.Outcome, res.Rival, res.RivalGapM = Ambiguous, m.index.Roads()[rival].ID, gap
	}
	return res
}

// A win is a sample with the road that suits it best, and what else was near.
type win struct {
	best   claim
	others []claim
}

// claims are the roads that suit a sample, the best first.
func (m *matcher) claims(s sample) []claim {
	var out []claim
	for _, p := range m.index.Within(s.at, m.cfg.RadiusM) {
		c := claim{Place: p, cost: p.DistanceM}
		if !math.IsNaN(s.bearing) {
			c.turn = roadnet.TurnDeg(s.bearing, p.BearingDeg)
			c.cost += c.turn / degPerM
		}
		if c.turn <= m.cfg.TurnDeg {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b claim) int { return cmp.Compare(a.cost, b.cost) })
	return out
}

// tally fills in where the sensor lies, and returns the road with most of it: of
// equals, the first along the line.
func tally(won []win, res *Result, roads []traffic.Road) (main int) {
	samples := make(map[int]int)
	for _, w := range won {
		if samples[w.best.Road] == 0 {
			res.Roads = append(res.Roads, roads[w.best.Road].ID)
		}
		samples[w.best.Road]++
		res.DistanceM += w.best.DistanceM / float64(len(won))
		res.TurnDeg += w.best.turn / float64(len(won))
		res.FurthestM = max(res.FurthestM, w.best.DistanceM)
	}
	main = -1
	for _, w := range won {
		if main < 0 || samples[w.best.Road] > samples[main] {
			main = w.best.Road
		}
	}
	res.Road = roads[main].ID
	return main
}

// rival is a road that most samples of the main road could as well belong to. Roads
// that follow on each other are no rivals: near a junction both are near.
func (m *matcher) rival(won []win, main int) (road int, gapM float64, yes bool) {
	count := make(map[int]int)
	gaps := make(map[int]float64)
	total := 0
	for _, w := range won {
		if w.best.Road != main {
			continue
		}
		total++
		for _, c := range w.others {
			if gap := c.cost - w.best.cost; gap < m.cfg.MarginM && !m.follows(main, c.Road) {
				count[c.Road]++
				gaps[c.Road] += gap
			}
		}
	}
	road = -1
	for r, n := range count {
		if 2*n > total && (road < 0 || n > count[road] || n == count[road] && r < road) {
			road = r
		}
	}
	if road < 0 {
		return 0, 0, false
	}
	return road, gaps[road] / float64(count[road]), true
}

// follows reports whether one road begins where the other ends, without leading back.
func (m *matcher) follows(a, b int) bool {
	ra, rb := &m.index.Roads()[a], &m.index.Roads()[b]
	ab := ra.ToNode != "" && ra.ToNode == rb.FromNode
	ba := ra.FromNode != "" && ra.FromNode == rb.ToNode
	return ab != ba
}

// tooFar completes the result of a sensor that no road suits.
func (m *matcher) tooFar(res Result, s *Sensor, samples []sample) Result {
	res.Outcome = TooFar
	if len(samples) == 0 {
		res.Detail = "has no position"
		return res
	}
	middle := samples[len(samples)/2]
	p, ok := m.index.Nearest(middle.at, farM)
	if !ok {
		res.Detail = fmt.Sprintf("no road within %d m", farM)
		return res
	}
	res.DistanceM = p.DistanceM
	res.Detail = fmt.Sprintf("the nearest road is %s", m.index.Roads()[p.Road].ID)
	if p.DistanceM <= m.cfg.RadiusM && !math.IsNaN(middle.bearing) {
		res.TurnDeg = roadnet.TurnDeg(middle.bearing, p.BearingDeg)
		res.Detail += ", and no road near enough runs the sensor's way along half of it"
	}
	return res
}
