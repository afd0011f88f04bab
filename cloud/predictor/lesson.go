package predictor

import (
	"context"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/store"
)

const (
	// examDay is the end of the history that a model is not trained with but judged by.
	examDay = 24 * time.Hour
	// examStride is how many steps lie between two moments of the exam.
	examStride = 3
	// better is by how much, as a share of the error, an older model must be better to stay.
	better = 0.02
	// readAtOnce is how much history one query asks for.
	readAtOnce = 24 * time.Hour
)

// train makes new models from the history before now, and lets those of each channel take
// over unless the ones in force, or the ones before them, do better on the last day.
func (s *school) train(ctx context.Context, now time.Time) error {
	began := time.Now()
	p := s.plan.Load()
	grids, err := s.read(ctx, p, now)
	if err != nil {
		return err
	}
	for _, channel := range channels() {
		if empty(grids[channel]) {
			continue // a city without speeds needs no models of them
		}
		if err := s.teach(ctx, channel, model.History{Grid: grids[channel], Graph: p.graph}); err != nil {
			return fmt.Errorf("for %s: %w", channel, err)
		}
	}
	s.metrics.duration.Set(time.Since(began).Seconds())
	s.log.Info("trained", "until", now, "roads", len(p.ids), "steps", grids[channelScore].Steps(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// teach trains the models of one channel and puts the best of the new ones, those in
// force and their predecessors in force.
func (s *school) teach(ctx context.Context, channel string, h model.History) error {
	lesson, exam := divide(h.Grid)
	m, err := s.trainer.Train(ctx, model.History{Grid: lesson, Graph: h.Graph}, s.options())
	if err != nil {
		return err
	}
	made, ok := m.(*model.Bundle)
	if !ok || !s.fits(made) {
		return fmt.Errorf("trained a %T that does not fit: want a bundle", m)
	}
	s.trained = made.Learned != nil
	best := made
	if exam > 0 {
		best = s.elect(channel, h, exam, made)
	}
	outcome := "taken"
	switch {
	case best != made:
		outcome = "worse"
	case !s.trained:
		outcome = "thin"
	}
	s.metrics.runs.WithLabelValues(channel, outcome).Inc()
	s.putInForce(channel, best)
	if best != made {
		return nil
	}
	return s.shelf.Put(channel, made)
}

// putInForce lets models speak from the next cycle on.
func (s *school) putInForce(channel string, b *model.Bundle) {
	for {
		old := s.lineup.Load()
		next := &lineup{maps.Clone(old.trained), old.persistence}
		if next.trained == nil {
			next.trained = map[string]*model.Bundle{}
		}
		next.trained[channel] = b
		if s.lineup.CompareAndSwap(old, next) {
			return
		}
	}
}

// elect returns the models that do best on the exam, the new ones when they are not clearly
// worse. A version that loses to its predecessor goes from the shelf.
func (s *school) elect(channel string, h model.History, exam int, made *model.Bundle) *model.Bundle {
	best, least := made, examine(made, h.Grid, exam)
	for _, rival := range s.rivals(channel, h) {
		e := examine(rival, h.Grid, exam)
		if !(e < least*(1-better)) {
			continue
		}
		s.log.Warn("new models are worse than older ones on the last day; the older ones stay",
			"of", channel, "error", least, "older", e, "trained", rival.Info().Trained)
		if best != made {
			if err := s.shelf.Remove(channel, best); err != nil {
				s.log.Warn("a bad model file stays", "err", err)
			}
		}
		best, least = rival, e
	}
	return best
}

// rivals are the last two versions.
func (s *school) rivals(channel string, h model.History) []*model.Bundle {
	var out []*model.Bundle
	for _, m := range s.shelf.Usable(channel, model.Want{Step: s.cfg.Step, Roads: h.Grid.Roads, Graph: h.Graph}) {
		if b, ok := m.(*model.Bundle); ok && s.fits(b) && len(out) < 2 {
			out = append(out, b)
		}
	}
	if b := s.lineup.Load().trained[channel]; len(out) == 0 && b != nil {
		out = append(out, b)
	}
	return out
}

// divide cuts the last day off for the exam where enough is left to learn from. exam is the
// first step of it, 0 when there is none.
func divide(g *series.Grid) (lesson *series.Grid, exam int) {
	day := int(examDay / g.Step)
	if g.Steps() < 2*day {
		return g, 0
	}
	exam = g.Steps() - day
	return g.Slice(0, exam), exam
}

// examine is the mean absolute error of a model over the steps from one on, as if it had
// been live. Infinite when it says nothing.
func examine(m model.Model, g *series.Grid, from int) float64 {
	m = model.Rebind(m, g.Roads)
	w, horizons := series.NewWindow(len(g.Roads), depth, g.Step), m.Info().Horizons
	out := model.NewBatch(len(g.Roads), len(horizons))
	var sum, n float64
	for step := max(0, from-depth); step < g.Steps(); step++ {
		if _, err := w.Push(g.Time(step), g.Row(step)); err != nil {
			return math.Inf(1)
		}
		if step < from || step%examStride != 0 {
			continue
		}
		if err := m.Forecast(w, out); err != nil {
			return math.Inf(1)
		}
		for h, ahead := range horizons {
			if step+ahead >= g.Steps() {
				continue
			}
			for road, truth := range g.Row(step + ahead) {
				if v, ok := out.At(road, h); ok && !series.Missing(truth) {
					sum, n = sum+math.Abs(float64(v.Mean-truth)), n+1
				}
			}
		}
	}
	if n == 0 {
		return math.Inf(1)
	}
	return sum / n
}

func empty(g *series.Grid) bool {
	for _, v := range g.Values {
		if !series.Missing(v) {
			return false
		}
	}
	return true
}

// read fills grids with the history before now.
func (s *school) read(ctx context.Context, p *plan, now time.Time) (map[string]*series.Grid, error) {
	first, err := s.history.FirstSince(ctx, now.Add(-s.cfg.Training.History))
	if err != nil {
		return nil, fmt.Errorf("look for history: %w", err)
	}
	steps := min(int(s.cfg.Training.History/s.cfg.Step), s.cfg.Training.MaxValues/max(1, len(p.ids)))
	if !first.IsZero() {
		steps = min(steps, int(now.Sub(first.Truncate(s.cfg.Step))/s.cfg.Step))
	}
	start := now.Add(-time.Duration(max(0, steps)) * s.cfg.Step)
	grids := map[string]*series.Grid{}
	for _, channel := range channels() {
		g := series.NewGrid(quantity(channel), start, s.cfg.Step, p.ids, max(0, steps))
		g.Calendar = s.calendar
		grids[channel] = g
	}
	index := make(map[string]int, len(p.ids))
	for i, id := range p.ids {
		index[id] = i
	}
	for from := start; from.Before(now); from = from.Add(readAtOnce) {
		to := from.Add(readAtOnce)
		if to.After(now) {
			to = now
		}
		if err := s.fill(ctx, grids, index, from, to); err != nil {
			return nil, err
		}
	}
	return grids, nil
}

// fill reads one piece of history.
func (s *school) fill(ctx context.Context, grids map[string]*series.Grid, index map[string]int, from, to time.Time) error {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	buckets, err := s.history.Buckets(call, store.BucketQuery{From: from, To: to, Width: s.cfg.Step})
	if err != nil {
		return fmt.Errorf("read history from %s: %w", from.Format(time.RFC3339), err)
	}
	scores, speeds := grids[channelScore], grids[channelSpeed]
	for i := range buckets {
		b := &buckets[i]
		road, ok := index[string(b.Road)]
		if !ok {
			continue
		}
		step := int(b.Start.Sub(scores.Start) / s.cfg.Step)
		if step < 0 || step >= scores.Steps() {
			continue
		}
		if v, ok := score.V1(b.Speed, b.Occupancy, b.Flow); ok {
			scores.Row(step)[road] = float32(v)
		}
		if v, ok := b.Speed.Get(); ok {
			speeds.Row(step)[road] = float32(v)
		}
	}
	return nil
}
