package equilibrium

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/cch"
)

// A loading sends all trips over the fastest ways.
type loading struct {
	n       *Network
	trips   []Trip
	weights []routing.Weight
	lost    []bool // trips without a way
	// parts are the flows of a part of the trips each. Their number is fixed, so that
	// sums do not depend on how many processors there are.
	parts [16][]float64
	asks  []*cch.Query // one a worker
}

func newLoading(n *Network, trips []Trip) *loading {
	l := &loading{n: n, trips: trips, weights: make([]routing.Weight, len(n.links)), lost: make([]bool, len(trips))}
	for p := range l.parts {
		l.parts[p] = make([]float64, len(n.links))
	}
	l.asks = make([]*cch.Query, min(len(l.parts), runtime.GOMAXPROCS(0)))
	return l
}

// load returns the flows when all drive the way that is fastest at these times.
func (l *loading) load(times []float64) ([]float64, error) {
	l.weigh(times)
	m, err := l.n.ways.Customize(l.weights, 0)
	if err != nil {
		return nil, fmt.Errorf("load trips: %w", err)
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for w := range l.asks {
		group.Go(func() {
			if l.asks[w] == nil {
				l.asks[w] = m.NewQuery()
			}
			l.asks[w].Use(m)
			for p := int(next.Add(1)) - 1; p < len(l.parts); p = int(next.Add(1)) - 1 {
				l.part(l.asks[w], p)
			}
		})
	}
	group.Wait()
	flows := make([]float64, len(times))
	for _, part := range l.parts {
		for i, v := range part {
			flows[i] += v
		}
	}
	return flows, nil
}

// weigh turns times into whole numbers, as fine as fits: no way costs more than all
// links together.
func (l *loading) weigh(times []float64) {
	sum := 0.0
	for _, t := range times {
		sum += t
	}
	scale := 1.0
	if sum > 0 {
		scale = 0.9 * float64(routing.Infinity) / sum
	}
	for i, t := range times {
		l.weights[i] = routing.Weight(math.Round(t * scale))
	}
}

// part loads a part of the trips.
func (l *loading) part(q *cch.Query, p int) {
	flows := l.parts[p]
	clear(flows)
	begin, end := p*len(l.trips)/len(l.parts), (p+1)*len(l.trips)/len(l.parts)
	var way []int32
	for i := begin; i < end; i++ {
		t := l.trips[i]
		if t.From == t.To || t.Vehicles == 0 {
			continue
		}
		if q.Cost(cch.Ask{From: t.From, To: l.n.end(t.To)}) == routing.Infinity {
			l.lost[i] = true
			continue
		}
		way = q.Way(way[:0])
		for _, e := range way {
			flows[e] += t.Vehicles
		}
	}
}

func (l *loading) unserved() []Trip {
	var trips []Trip
	for i, lost := range l.lost {
		if lost {
			trips = append(trips, l.trips[i])
		}
	}
	return trips
}
