package backtest

import (
	"context"
	"fmt"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A Score is how well one model did.
type Score struct {
	Model string
	// At are the errors at each horizon that the protocol reports.
	At []Errors
	// Hours are the errors by hour of the day, local, at the main one of them; Roads by
	// road.
	Hours [24]Errors
	Roads []Errors
	// Absent counts the forecasts that the model did not make.
	Absent int
}

// Train trains all models on the part of a grid to learn from.
func Train(ctx context.Context, p Protocol, g *series.Grid, graph series.Graph, o model.Options) (*model.Bundle, error) {
	s := model.Suite{Net: p.Net}
	if p.Choose > 0 {
		s.Held = p.Train
	}
	o.Horizons = p.Horizons
	m, err := s.Train(ctx, model.History{Grid: g.Slice(0, p.Train+p.Choose), Graph: graph}, o)
	if err != nil {
		return nil, fmt.Errorf("back-test: %w", err)
	}
	return m.(*model.Bundle), nil
}

// Run scores all models of b on the test part of a grid. Where one has no forecast,
// that of the first, which is persistence, stands in.
func Run(p Protocol, g *series.Grid, b *model.Bundle) ([]Score, error) {
	r := &runner{protocol: p, grid: g, bundle: b, ahead: make(map[int]int)}
	for i, h := range p.Horizons {
		r.ahead[h] = i
	}
	for _, name := range b.Names() {
		r.scores = append(r.scores, Score{Model: name, At: make([]Errors, len(p.Report)), Roads: make([]Errors, len(g.Roads))})
		r.widths = append(r.widths, model.NewWidths(len(p.Horizons)))
	}
	from, to := p.moments(p.Report[0])
	for _, h := range p.Report {
		f, t := p.moments(h)
		from, to = min(from, f), max(to, t)
	}
	for now := from; now < to; now++ {
		if err := r.moment(now); err != nil {
			return nil, fmt.Errorf("back-test at step %d: %w", now, err)
		}
	}
	return r.scores, nil
}

type runner struct {
	protocol Protocol
	grid     *series.Grid
	bundle   *model.Bundle
	batches  []*model.Batch
	widths   []*model.Widths
	scores   []Score
	// pending are the intervals whose truth has not been seen, oldest first.
	pending []pending
	// ahead is the index of each horizon.
	ahead map[int]int
}

// pending is what was forecast at one step.
type pending struct {
	now     int
	batches []*model.Batch
}

// moment forecasts and scores at one step.
func (r *runner) moment(now int) error {
	r.learn(now)
	r.batches = r.bundle.NewBatches()
	if err := r.bundle.ForecastAll(r.grid.Window(now, r.bundle.Info().Depth), r.batches); err != nil {
		return err
	}
	for i, b := range r.batches {
		r.widths[i].Apply(b, r.grid.Quantity)
	}
	for i, h := range r.protocol.Report {
		if from, to := r.protocol.moments(h); now < from || now >= to {
			continue
		}
		first := h
		if r.protocol.Averaged {
			first = 1
		}
		for k := first; k <= h; k++ {
			r.score(now, i, k)
		}
	}
	r.pending = append(r.pending, pending{now, r.batches})
	return nil
}

// learn compares the intervals made before with what was measured up to now.
func (r *runner) learn(now int) {
	longest := r.protocol.Horizons[len(r.protocol.Horizons)-1]
	for _, p := range r.pending {
		k, ok := r.ahead[now-p.now]
		if !ok {
			continue
		}
		for i := range r.widths {
			r.widths[i].Observe(k, p.batches[i], r.grid.Row(now))
		}
	}
	for len(r.pending) > 0 && r.pending[0].now <= now-longest {
		r.pending = r.pending[1:]
	}
}

// score counts the errors at the step k ahead of now for the report of index i.
func (r *runner) score(now, i, k int) {
	g := r.grid
	hour := g.Calendar.Local(g.Time(now + k)).Hour()
	column := r.ahead[k]
	for road, truth := range g.Row(now + k) {
		spare, ok := r.batches[0].At(road, column)
		if series.Missing(truth) || !ok {
			continue
		}
		for m := range r.scores {
			s := &r.scores[m]
			v, ok := r.batches[m].At(road, column)
			if !ok {
				v = spare
				s.Absent++
			}
			s.At[i].add(v, truth)
			if i == r.protocol.Main {
				s.Hours[hour].add(v, truth)
				s.Roads[road].add(v, truth)
			}
		}
	}
}
