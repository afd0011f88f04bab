package quality

import (
	"math"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// How fast the averages of a sensor forget.
const (
	// recentReadings is the number of readings over which the share of inconsistent
	// ones is averaged, usualIntervals that of intervals.
	recentReadings = 100
	usualIntervals = 20
	// The effective length is averaged over lengthTime, and over usualTime for what is
	// usual. Until usualAfter nothing is.
	lengthTime = 24 * time.Hour
	usualTime  = 14 * 24 * time.Hour
	usualAfter = 3 * 24 * time.Hour
)

// A Monitor follows sensors. It may be used from several goroutines at once.
type Monitor struct {
	maxSensors int

	mu      sync.Mutex // guards everything declared below
	sensors map[traffic.SensorID]*sensor
	// changed are the sensors with news, each once.
	changed []*sensor
}

// A sensor is what is kept of one, about 300 bytes.
type sensor struct {
	health traffic.SensorHealth
	values values
	// since is when the values began, times how often they came.
	since time.Time
	times int
	// begun is the time of the first reading with an effective length.
	begun time.Time
	news  bool
}

// New returns a monitor that follows at most maxSensors sensors; later ones are judged
// reading by reading only.
func New(maxSensors int) *Monitor {
	return &Monitor{maxSensors: maxSensors, sensors: make(map[traffic.SensorID]*sensor)}
}

// Load takes over what is stored of sensors, so that a restart does not forget what is
// usual. Sensors that are followed already stay as they are.
func (m *Monitor) Load(hs []traffic.SensorHealth) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range hs {
		if m.sensors[h.Sensor] != nil || len(m.sensors) >= m.maxSensors {
			continue
		}
		s := &sensor{health: h, since: h.StuckSince}
		if h.UsualLength.Known() {
			s.begun = h.Last.Add(-usualAfter)
		}
		m.sensors[h.Sensor] = s
	}
}

// Judge adds to the Quality of each reading, in the order given: late, stuck,
// inconsistent. It learns from readings that are newer than what it has seen of
// their sensor, so a reading that comes twice counts once.
func (m *Monitor) Judge(rs []traffic.Reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range rs {
		r := &rs[i]
		if inconsistent(r) {
			r.Quality |= traffic.QualityInconsistent
		}
		s := m.sensor(r)
		if s == nil {
			continue
		}
		s.judge(r)
		if !s.news {
			s.news = true
			m.changed = append(m.changed, s)
		}
	}
}

// sensor finds or makes the reading's sensor; nil when there are too many. The caller
// holds mu.
func (m *Monitor) sensor(r *traffic.Reading) *sensor {
	s := m.sensors[r.Sensor]
	if s == nil && len(m.sensors) < m.maxSensors {
		s = &sensor{health: traffic.SensorHealth{Sensor: r.Sensor, Road: r.Road}}
		m.sensors[r.Sensor] = s
	}
	return s
}

// Changed returns what is known of at most n sensors about which there was news since
// they were last returned, in the order in which it came.
func (m *Monitor) Changed(n int) []traffic.SensorHealth {
	m.mu.Lock()
	defer m.mu.Unlock()
	n = min(n, len(m.changed))
	out := make([]traffic.SensorHealth, n)
	for i, s := range m.changed[:n] {
		out[i], s.news = s.health, false
	}
	m.changed = m.changed[n:]
	if len(m.changed) == 0 {
		m.changed = nil // the array behind it grows with every round otherwise
	}
	return out
}

func (s *sensor) judge(r *traffic.Reading) {
	if r.At.Before(s.health.Last) {
		r.Quality |= traffic.QualityLate
		return
	}
	first := s.health.Last.IsZero()
	if !first && r.At.Equal(s.health.Last) {
		return // the same once more
	}
	if !first {
		s.space(r.At.Sub(s.health.Last))
	}
	s.repeat(r)
	s.weigh(r)
	s.measure(r, first)
	s.health.Last, s.health.Road, s.health.Edge = r.At, r.Road, r.Edge
}

// space learns the usual interval. A pause is no interval: one counts as at most ten of
// the usual.
func (s *sensor) space(gap time.Duration) {
	if s.health.Interval == 0 {
		s.health.Interval = gap
		return
	}
	gap = min(gap, 10*s.health.Interval)
	s.health.Interval += (gap - s.health.Interval) / usualIntervals
}

// repeat counts how often the values came.
func (s *sensor) repeat(r *traffic.Reading) {
	v := valuesOf(r)
	if v != s.values || s.times == 0 {
		s.values, s.since, s.times = v, r.At, 0
	}
	s.times++
	s.health.StuckSince = time.Time{}
	if v.stuck(s.times, r.At.Sub(s.since)) {
		s.health.StuckSince = s.since
		r.Quality |= traffic.QualityStuck
	}
}

// weigh learns the share of inconsistent readings.
func (s *sensor) weigh(r *traffic.Reading) {
	bad := 0.0
	if r.Quality&traffic.QualityInconsistent != 0 {
		bad = 1
	}
	s.health.Inconsistent += (bad - s.health.Inconsistent) / recentReadings
}

// measure learns the effective length, from readings with enough vehicles that do not
// contradict themselves. Each one weighs as much as the time since the last.
func (s *sensor) measure(r *traffic.Reading, first bool) {
	flow, speed, occupancy := r.Flow.Or(0), r.Speed.Or(0), r.Occupancy.Or(0)
	if r.Quality&(traffic.QualityInconsistent|traffic.QualityStuck) != 0 || flow < countless || speed < movingKMH || occupancy == 0 {
		return
	}
	l := effectiveLength(flow, occupancy, speed)
	if first || s.begun.IsZero() {
		s.begun = r.At
	}
	gap := r.At.Sub(s.health.Last)
	s.health.Length = towards(s.health.Length, l, gap, lengthTime)
	if r.At.Sub(s.begun) >= usualAfter {
		usual := s.health.UsualLength
		if !usual.Known() {
			usual = s.health.Length
		}
		s.health.UsualLength = towards(usual, l, gap, usualTime)
	}
}

// towards moves an average by what a time constant leaves of it after gap.
func towards(mean traffic.Value, x float64, gap, constant time.Duration) traffic.Value {
	old, ok := mean.Get()
	if !ok {
		return traffic.Some(x)
	}
	keep := math.Exp(-max(0, gap.Seconds()) / constant.Seconds())
	return traffic.Some(keep*old + (1-keep)*x)
}
