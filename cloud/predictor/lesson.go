package predictor

import (
	"context"
	"errors"
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

// train makes new models from the history before now, and lets each take over unless the
// one in force, or the one before it, does better on the last day. It returns the first
// error; ErrTooLittle when some model could not be made yet.
func (s *school) train(ctx context.Context, now time.Time) error {
	began := time.Now()
	p := s.plan.Load()
	grids, err := s.read(ctx, p, now)
	if err != nil {
		return err
	}
	next := s.lineup.Load().clone()
	var failed error
	for _, t := range s.trainers {
		for channel, to := range next.channels() {
			m, err := s.teach(ctx, t, channel, model.History{Grid: grids[channel], Graph: p.graph}, to[t.Name()])
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			to[t.Name()] = m
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.trained = failed == nil
	s.lineup.Store(next)
	s.metrics.duration.Set(time.Since(began).Seconds())
	s.log.Info("trained", "until", now, "roads", len(p.ids), "steps", grids[channelScore].Steps(), "took", time.Since(began).Round(time.Millisecond))
	return failed
}

func (l *lineup) clone() *lineup { return &lineup{maps.Clone(l.scores), maps.Clone(l.speeds)} }

// channels are the models by what they forecast.
func (l *lineup) channels() map[string]map[string]model.Model {
	return map[string]map[string]model.Model{channelScore: l.scores, channelSpeed: l.speeds}
}

// teach trains one model and returns the best of the new one, the one in force and its
// predecessor.
func (s *school) teach(ctx context.Context, t model.Trainer, channel string, h model.History, inForce model.Model) (model.Model, error) {
	name := t.Name()
	if empty(h.Grid) {
		s.metrics.runs.WithLabelValues(name, "thin").Inc()
		return inForceOr(inForce, fmt.Errorf("train %s for %s: %w: nothing measured", name, channel, model.ErrTooLittle), channel)
	}
	lesson, exam := divide(h.Grid)
	m, err := t.Train(ctx, model.History{Grid: lesson, Graph: h.Graph}, s.options())
	if errors.Is(err, model.ErrTooLittle) {
		s.metrics.runs.WithLabelValues(name, "thin").Inc()
	}
	if err != nil {
		return nil, fmt.Errorf("for %s: %w", channel, err)
	}
	best := m
	if exam > 0 {
		best = s.elect(channel, h, exam, m, inForce)
	}
	if best != m {
		s.metrics.runs.WithLabelValues(name, "worse").Inc()
		return best, nil
	}
	s.metrics.runs.WithLabelValues(name, "taken").Inc()
	return m, s.shelf.Put(channel, m)
}

// inForceOr passes over a channel in which nothing is measured: a city without speeds
// needs no models of speed.
func inForceOr(m model.Model, err error, channel string) (model.Model, error) {
	if m == nil && channel == channelScore {
		return nil, err
	}
	return m, nil
}

// elect returns the model that does best on the exam, the new one when it is not clearly
// worse. A version that loses to its predecessor goes from the shelf.
func (s *school) elect(channel string, h model.History, exam int, m, inForce model.Model) model.Model {
	name := m.Info().Name
	want := model.Want{Step: s.cfg.Step, Roads: h.Grid.Roads, Graph: h.Graph}
	best, least := m, examine(m, h.Grid, exam)
	rivals := s.shelf.Usable(channel, name, want)
	if len(rivals) == 0 && inForce != nil {
		rivals = []model.Model{inForce}
	}
	for _, rival := range rivals[:min(2, len(rivals))] {
		if e := examine(rival, h.Grid, exam); e < least*(1-better) {
			s.log.Warn("a model is worse than an older one on the last day; the older one stays",
				"model", name, "of", channel, "error", least, "older", e, "trained", rival.Info().Trained)
			if best != m {
				if err := s.shelf.Remove(channel, best); err != nil {
					s.log.Warn("a bad model file stays", "err", err)
				}
			}
			best, least = rival, e
		}
	}
	return best
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
	for _, channel := range []string{channelScore, channelSpeed} {
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
