package rerouter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
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
	reroutes, err := r.decided(ctx, now.at, r.compute(now))
	if err != nil {
		return err
	}
	put := slices.Concat(reroutes.given, r.state.withdrawn(now.at, reroutes.given), reroutes.superseded)
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	if err := r.store.PutReroutes(ctx, now.at, put); err != nil {
		return fmt.Errorf("store advice: %w", err)
	}
	r.state.advised, r.state.advisedAt = reroutes.given, now.at
	r.metrics.generated.Add(float64(len(reroutes.given)))
	r.metrics.lastCycle.Set(float64(now.at.Unix()))
	r.log.Debug("advised", "cycle", now.at, "reroutes", len(reroutes.given))
	if err := r.bus.Publish(ctx, bus.Event{Topic: bus.TopicReroutes, Reroutes: reroutes.inForce()}); err != nil {
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

// withdrawn is the advice that an earlier computation of the same cycle gave and this
// one does not: a cycle is computed again when late readings change its forecasts,
// and the store expires by itself only what is older.
func (s *state) withdrawn(at time.Time, reroutes []traffic.Reroute) []traffic.Reroute {
	if !s.advisedAt.Equal(at) {
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
