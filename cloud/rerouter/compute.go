package rerouter

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
	"github.com/2zrhun/city-flow/cloud/rerouter/internal/outlook"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A candidate is a road that is forecast to be congested, and the detour round it once
// that was looked for.
type candidate struct {
	forecast *traffic.Prediction
	road     int32
	// ease is how far the conditions are eased, 0 to 1, because the advice is in
	// force; see Config.Hysteresis.
	ease    float64
	outcome detour.Outcome
	detour.Detour
	// movableVPH are the vehicles an hour on the road that could leave it.
	movableVPH float64
}

// saves is in vehicle-hours an hour if all left, at the road's present flow.
func (c *candidate) saves() float64 { return c.Gain().Hours() * c.movableVPH * (1 + c.ease) }

// compute finds the advice of one moment, in the order of road ids: at most
// Config.MaxAdvice pieces, those that save the most.
func (r *Rerouter) compute(now picture) []traffic.Reroute {
	r.state.forgetHeld(now.at.Add(-r.cfg.ForecastMaxAge))
	kmh := r.state.speeds(now)
	m := moment{r: r, at: now.at, kmh: kmh, flows: r.flows(now, kmh)}
	congested := m.congested(now)
	m.speeds = detour.NewSpeeds(r.state.graph, kmh, m.jammed) // from one jam into another is no advice
	m.findDetours(congested)
	var found []candidate
	for i := range congested {
		if congested[i].outcome == detour.Found {
			found = append(found, congested[i])
			continue
		}
		r.metrics.congested.WithLabelValues(string(congested[i].outcome)).Inc()
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.saves(), a.saves()) })
	reroutes := m.allot(found)
	slices.SortFunc(reroutes, func(a, b traffic.Reroute) int { return cmp.Compare(a.Route, b.Route) })
	return reroutes
}

// A moment is what one cycle computes with; its slices are by road of the graph.
type moment struct {
	r      *Rerouter
	at     time.Time
	kmh    []float64
	speeds *detour.Speeds
	// flows are vehicles an hour, with what this cycle advised so far.
	flows []float64
	// jammed are the roads that are forecast to be congested.
	jammed []bool
}

// congested lists the roads that call for a detour.
func (m *moment) congested(now picture) []candidate {
	m.jammed = make([]bool, len(m.kmh))
	var list []candidate
	for i := range now.forecasts {
		p := &now.forecasts[i]
		ease := 0.0
		if _, held := m.r.state.held[p.Road]; held {
			ease = m.r.cfg.Hysteresis
		}
		if p.Score < m.r.cfg.Threshold*(1-ease) {
			continue
		}
		live := now.live[p.Road]
		road, outcome := m.screen(p, live, ease)
		if outcome != "" {
			m.r.metrics.congested.WithLabelValues(outcome).Inc()
			continue
		}
		m.jammed[road] = true
		c := candidate{forecast: p, road: road, ease: ease, movableVPH: m.r.state.refs[road].CapacityVPH / 2} // where nobody counted
		if live != nil {
			c.movableVPH = live.Flow.Or(c.movableVPH)
		}
		list = append(list, c)
	}
	return list
}

// screen says why a road calls for no detour, "" when it does.
func (m *moment) screen(p *traffic.Prediction, live *traffic.Reading, ease float64) (int32, string) {
	cfg, s := &m.r.cfg, &m.r.state
	road, ok := s.graph.Find(p.Road)
	switch {
	case !ok:
		return road, outcomeNoNetwork
	case p.Confidence < cfg.MinConfidence*(1-ease):
		return road, outcomeUnsure
	case live != nil && !showsJam(live, s.refs[road], cfg.MinLiveScore*(1-ease)):
		return road, outcomeNoSign
	case m.kmh[road] > cfg.SlowRatio*(1+ease)*s.refs[road].FreeFlowKMH:
		return road, outcomeFlowing
	}
	return road, ""
}

// showsJam reports whether a reading has the first signs of a jam.
func showsJam(live *traffic.Reading, ref score.Reference, least float64) bool {
	s, ok := live.Score.Get()
	if !ok {
		s, ok = score.V2(live, ref)
	}
	return ok && s >= least
}

// findDetours looks round each road, on all processors.
func (m *moment) findDetours(list []candidate) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(list)) {
		group.Go(func() {
			finder := detour.NewFinder(m.speeds)
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				m.findDetour(finder, &list[i])
			}
		})
	}
	group.Wait()
}

// findDetour keeps the detour that is in force unless another gains clearly more.
func (m *moment) findDetour(finder *detour.Finder, c *candidate) {
	least := time.Duration(float64(m.r.cfg.MinGain) * (1 - c.ease))
	c.Detour, c.outcome = finder.Around(c.road, least)
	old, held := m.r.state.held[c.forecast.Road]
	if !held {
		return
	}
	if again, ok := finder.Again(old.Detour, least); ok && float64(again.Gain())*(1+c.ease) >= float64(c.Gain()) {
		c.Detour, c.outcome = again, detour.Found
	}
}

// speeds are the expected speeds of the graph's roads in km/h.
func (s *state) speeds(now picture) []float64 {
	known := make([]outlook.Road, s.graph.Roads())
	for i := range known {
		known[i].Reference = s.refs[i]
		known[i].Live = now.live[s.graph.ID(int32(i))]
	}
	for i := range now.forecasts {
		if n, ok := s.graph.Find(now.forecasts[i].Road); ok {
			known[n].Prediction = &now.forecasts[i]
		}
	}
	speeds := make([]float64, len(known))
	for i := range known {
		speeds[i], _ = outlook.Speed(known[i])
	}
	return speeds
}
