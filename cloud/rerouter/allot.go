package rerouter

import (
	"math"
	"slices"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
	"github.com/2zrhun/city-flow/cloud/rerouter/internal/herding"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// What a road carries where nobody counted, as a share of its capacity: half, and more
// when it is slow.
const (
	usualLoad = 0.5
	slowLoad  = 0.8
)

// flows are the expected flows of the graph's roads in vehicles an hour.
func (r *Rerouter) flows(now picture, kmh []float64) []float64 {
	s := &r.state
	flows := make([]float64, len(kmh))
	for i := range flows {
		ref := s.refs[i]
		slow := kmh[i] < r.cfg.SlowRatio*ref.FreeFlowKMH
		flows[i] = usualLoad * ref.CapacityVPH
		if live := now.live[s.graph.ID(int32(i))]; live != nil {
			flows[i] = live.Flow.Or(flows[i])
		}
		if slow { // a queue lets few through
			flows[i] = max(flows[i], slowLoad*ref.CapacityVPH)
		}
	}
	return flows
}

// allot decides how many drivers each detour can take, the one that saves most first,
// and makes the advice. What is sent over a road counts for all that come after.
func (m *moment) allot(found []candidate) []traffic.Reroute {
	r := m.r
	reroutes := []traffic.Reroute{} // not nil: that there is none is news too
	given := make(map[traffic.RoadID]held)
	for i := range found {
		c := &found[i]
		if len(reroutes) == r.cfg.MaxAdvice {
			r.metrics.congested.WithLabelValues(outcomeMinor).Inc()
			continue
		}
		effect := m.effect(c)
		if effect.Share < r.cfg.MinShare*(1-c.ease) {
			r.metrics.congested.WithLabelValues(outcomeMovesJam).Inc()
			continue
		}
		r.metrics.congested.WithLabelValues(string(detour.Found)).Inc()
		for _, road := range c.Path {
			m.flows[road] += effect.Share * c.movableVPH
		}
		reroutes = append(reroutes, m.reroute(c, effect))
		given[c.forecast.Road] = held{c.Detour, m.at}
	}
	r.state.held = given
	return reroutes
}

// effect is what comes of sending drivers over a detour. None are sent over a road that
// is itself forecast to be congested: new detours avoid them, those in force may not.
func (m *moment) effect(c *candidate) herding.Effect {
	if slices.ContainsFunc(c.Path, func(road int32) bool { return m.jammed[road] }) {
		return herding.Effect{}
	}
	way, path := m.loads(c.Way), m.loads(c.Path)
	for i, road := range c.Way { // what queues there is more than what gets through
		slower := m.r.state.refs[road].FreeFlowKMH / m.kmh[road]
		if queue := herding.LoadOf(slower) * way[i].CapacityVPH; slower*m.r.cfg.SlowRatio > 1 {
			way[i].FlowVPH = max(way[i].FlowVPH, queue)
		}
	}
	return herding.Share(way, path, c.movableVPH, herding.Limits{
		MinGainSeconds: m.r.cfg.MinGain.Seconds() * (1 - c.ease), MaxLoad: m.r.cfg.MaxLoad, MaxShare: m.r.cfg.MaxShare,
	})
}

func (m *moment) loads(way []int32) []herding.Road {
	roads := make([]herding.Road, len(way))
	for i, road := range way {
		roads[i] = herding.Road{
			Seconds: m.speeds.Time(road).Seconds(), FlowVPH: m.flows[road], CapacityVPH: m.r.state.refs[road].CapacityVPH,
		}
	}
	return roads
}

// reroute is the advice. Both gains are differences of the figures that its reason
// states, to the digit.
func (m *moment) reroute(c *candidate, e herding.Effect) traffic.Reroute {
	g := m.r.state.graph
	path := make([]traffic.RoadID, len(c.Path))
	for i, road := range c.Path {
		path[i] = g.ID(road)
	}
	gain := tenths(c.WayTime.Seconds()) - tenths(c.PathTime.Seconds())
	co2 := tenths(c.WayCO2) - tenths(c.PathCO2)
	return traffic.Reroute{
		At: m.at, Route: c.forecast.Road, Alt: path[0], Path: path, Status: traffic.RerouteProposed, Share: e.Share,
		ETAGainMin: gain / 60,
		CO2GainKg:  co2 / 1000 * 100, // grams a car to kg per 100
		Reason:     m.reason(c, e),
	}
}

// tenths rounds to one decimal.
func tenths(v float64) float64 { return math.Round(10*v) / 10 }
