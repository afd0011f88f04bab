package score

import (
	"math"
	"sync"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Scorer scores a stream of readings with V2 and learns the reference of every
// road from it. It may be used from several goroutines at once.
type Scorer struct {
	maxRoads int

	mu    sync.Mutex
	roads map[traffic.RoadID]*Learner // guarded by mu
}

// NewScorer returns a scorer that learns at most maxRoads roads, about 250 bytes
// each. Roads that come after the table is full are scored with the prior: which
// ones is decided by their order alone, so that a replay scores alike.
func NewScorer(maxRoads int) *Scorer {
	return &Scorer{maxRoads: maxRoads, roads: make(map[traffic.RoadID]*Learner)}
}

// Score fills in the Score of each reading that has none, rounded to 3 decimals, and
// then learns from the reading, in the order of the batch. A reading without any
// quantity stays unscored.
func (s *Scorer) Score(batch []traffic.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range batch {
		r := &batch[i]
		l := s.learner(r.Road)
		if !r.Score.Known() {
			r.Score = round3(V2(r, referenceOf(l)))
		}
		if l != nil {
			l.Observe(r)
		}
	}
}

// Reference is what the scorer knows of a road by now.
func (s *Scorer) Reference(road traffic.RoadID) Reference {
	s.mu.Lock()
	defer s.mu.Unlock()
	return referenceOf(s.roads[road])
}

// learner finds or makes the road's learner; nil when the table is full. The caller
// holds mu.
func (s *Scorer) learner(road traffic.RoadID) *Learner {
	l := s.roads[road]
	if l == nil && len(s.roads) < s.maxRoads {
		fresh := NewLearner(Prior(""))
		l = &fresh
		s.roads[road] = l
	}
	return l
}

func referenceOf(l *Learner) Reference {
	if l == nil {
		return Prior("")
	}
	return l.Reference()
}

func round3(v float64, ok bool) traffic.Value {
	if !ok {
		return traffic.Value{}
	}
	return traffic.Some(math.Round(v*1000) / 1000)
}
