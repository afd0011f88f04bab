package rerouter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/detour"
	"github.com/2zrhun/city-flow/cloud/rerouter/internal/outlook"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A picture is what the store knows of the moment that advice is computed for.
type picture struct {
	// at is the event time of the newest prediction cycle.
	at time.Time
	// forecasts holds the forecast to use of each road, in the order of road ids.
	forecasts []traffic.Prediction
	// live holds the readings that are not too old.
	live map[traffic.RoadID]*traffic.Reading
}

// advise computes the advice for the newest prediction cycle, stores it and tells.
// Without any prediction it does nothing.
func (r *Rerouter) advise(ctx context.Context) error {
	now, err := r.look(ctx)
	if err != nil || now.at.IsZero() {
		return err
	}
	if r.state.graph == nil || r.state.graph.Roads() == 0 {
		if err := r.loadNetwork(ctx); err != nil {
			return err
		}
	}
	reroutes := r.compute(now)
	put := append(slices.Clone(reroutes), r.state.withdrawn(now.at, reroutes)...)
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	if err := r.store.PutReroutes(ctx, now.at, put); err != nil {
		return fmt.Errorf("store advice: %w", err)
	}
	r.state.advised, r.state.advisedAt = reroutes, now.at.UnixMicro()
	r.metrics.generated.Add(float64(len(reroutes)))
	r.metrics.lastCycle.Set(float64(now.at.Unix()))
	r.log.Debug("advised", "cycle", now.at, "reroutes", len(reroutes))
	if err := r.bus.Publish(ctx, bus.Event{Topic: bus.TopicReroutes, Reroutes: reroutes}); err != nil {
		r.log.Warn("advice stored, but nobody was told", "error", err)
	}
	return nil
}

// look reads the newest forecasts and readings.
func (r *Rerouter) look(ctx context.Context) (picture, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	q := store.PredictionQuery{HorizonMin: r.cfg.HorizonMin, Model: r.cfg.Model}
	predictions, err := all(func(p store.Page) ([]traffic.Prediction, store.Cursor, error) {
		q.Page = p
		return r.store.LatestPredictions(ctx, q)
	})
	if err != nil {
		return picture{}, fmt.Errorf("read predictions: %w", err)
	}
	var now picture
	for i := range predictions {
		if predictions[i].At.After(now.at) {
			now.at = predictions[i].At
		}
	}
	now.forecasts = best(predictions, now.at.Add(-r.cfg.ForecastMaxAge))
	states, err := all(func(p store.Page) ([]traffic.RoadState, store.Cursor, error) {
		return r.store.Latest(ctx, store.RoadFilter{}, p)
	})
	if err != nil {
		return picture{}, fmt.Errorf("read live readings: %w", err)
	}
	now.live = make(map[traffic.RoadID]*traffic.Reading, len(states))
	for i := range states {
		if !states[i].At.Before(now.at.Add(-r.cfg.LiveMaxAge)) {
			now.live[states[i].Road] = &states[i].Reading
		}
	}
	return now, nil
}

// best keeps one forecast a road, none older than oldest: the newest, then the most
// confident, then the first model by name. The given ones are in the order of road
// ids, and so is the answer.
func best(predictions []traffic.Prediction, oldest time.Time) []traffic.Prediction {
	var out []traffic.Prediction
	for _, p := range predictions {
		if p.At.Before(oldest) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Road == p.Road {
			better := cmp.Or(p.At.Compare(out[n-1].At), cmp.Compare(p.Confidence, out[n-1].Confidence))
			if better > 0 {
				out[n-1] = p
			}
			continue
		}
		out = append(out, p)
	}
	return out
}

// compute finds the advice of one moment, in the order of road ids: at most
// Config.MaxAdvice pieces, those that save the most.
func (r *Rerouter) compute(now picture) []traffic.Reroute {
	speeds := r.state.speeds(now)
	finder := detour.NewFinder(r.state.graph, speeds, r.cfg.MinGain.Seconds())
	var found []candidate
	for i := range now.forecasts {
		p := &now.forecasts[i]
		if p.Score < r.cfg.Threshold {
			continue
		}
		c, outcome := r.consider(now, p, finder, speeds)
		if outcome == string(detour.Found) {
			found = append(found, c)
			continue
		}
		r.metrics.congested.WithLabelValues(outcome).Inc()
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(b.saves, a.saves) })
	kept := min(len(found), r.cfg.MaxAdvice)
	r.metrics.congested.WithLabelValues(string(detour.Found)).Add(float64(kept))
	r.metrics.congested.WithLabelValues(outcomeMinor).Add(float64(len(found) - kept))
	reroutes := make([]traffic.Reroute, kept)
	for i := range reroutes {
		reroutes[i] = found[i].Reroute
	}
	slices.SortFunc(reroutes, func(a, b traffic.Reroute) int { return cmp.Compare(a.Route, b.Route) })
	return reroutes
}

// A candidate is advice that is worth giving.
type candidate struct {
	traffic.Reroute
	// saves is in vehicle-minutes an hour, at the road's present flow.
	saves float64
}

// consider looks for a detour round one road that is forecast to be congested, and says
// what came of it.
func (r *Rerouter) consider(now picture, p *traffic.Prediction, finder *detour.Finder, speeds []float64) (candidate, string) {
	road, ok := r.state.graph.Find(p.Road)
	live := now.live[p.Road]
	switch {
	case !ok:
		return candidate{}, outcomeNoNetwork
	case p.Confidence < r.cfg.MinConfidence:
		return candidate{}, outcomeUnsure
	case live != nil && !r.showsJam(live, r.state.refs[road]):
		return candidate{}, outcomeNoSign
	case speeds[road] > r.cfg.SlowRatio*r.state.refs[road].FreeFlowKMH:
		return candidate{}, outcomeFlowing
	}
	d, outcome := finder.Around(road)
	if outcome != detour.Found {
		return candidate{}, string(outcome)
	}
	advice := r.reroute(now.at, p, d, speeds[road])
	flow := r.state.refs[road].CapacityVPH / 2 // where nobody counted
	if live != nil {
		flow = live.Flow.Or(flow)
	}
	return candidate{Reroute: advice, saves: advice.ETAGainMin * flow}, string(outcome)
}

// showsJam reports whether a reading has the first signs of a jam.
func (r *Rerouter) showsJam(live *traffic.Reading, ref score.Reference) bool {
	s, ok := live.Score.Get()
	if !ok {
		s, ok = score.V2(live, ref)
	}
	return ok && s >= r.cfg.MinLiveScore
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

func (r *Rerouter) reroute(at time.Time, p *traffic.Prediction, d detour.Detour, speed float64) traffic.Reroute {
	g := r.state.graph
	path := make([]traffic.RoadID, len(d.Path))
	for i, road := range d.Path {
		path[i] = g.ID(road)
	}
	return traffic.Reroute{
		At: at, Route: p.Road, Alt: path[0], Path: path, Status: traffic.RerouteProposed,
		ETAGainMin: (d.WaySeconds - d.PathSeconds) / 60,
		CO2GainKg:  (d.WayCO2 - d.PathCO2) / 1000 * 100, // grams a car to kg per 100
		Reason:     reason(g, p, d, speed, r.cfg.Zone),
	}
}

// withdrawn is the advice that an earlier computation of the same cycle gave and this
// one does not: a cycle is computed again when late readings change its forecasts,
// and the store expires by itself only what is older.
func (s *state) withdrawn(at time.Time, reroutes []traffic.Reroute) []traffic.Reroute {
	if s.advisedAt != at.UnixMicro() {
		return nil
	}
	var gone []traffic.Reroute
	for _, old := range s.advised {
		again := func(r traffic.Reroute) bool { return r.Route == old.Route && r.Alt == old.Alt }
		if !slices.ContainsFunc(reroutes, again) {
			old.Status = traffic.RerouteExpired
			gone = append(gone, old)
		}
	}
	return gone
}
