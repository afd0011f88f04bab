package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// EnsembleName is the weighted mean of profile-ar and mlp.
const EnsembleName = "ensemble"

// A Suite trains all models together and chooses the best of them. It holds a part of
// the history back: stretches spread over it, or the steps from Held on. What the
// models of the rest do there gives the weights of the ensemble, the intervals of all
// models and the choice. Then the models are trained once more with everything, unless
// Held was given.
type Suite struct {
	// Net is how the mlp is trained.
	Net MLP
	// Held is the first step that is held back; 0 lets the suite choose stretches.
	Held int
}

const (
	// heldShare is the share of the history that is held back, in heldStretches ones or
	// more, of a day at most.
	heldShare     = 0.15
	heldStretches = 6
	// mostOutcomes bounds the outcomes kept per model.
	mostOutcomes = 600_000
	// weeksFrom is how much history the models of Weeks need to be worth looking at.
	weeksFrom = 14 * series.Day
)

// Name is EnsembleName.
func (Suite) Name() string { return EnsembleName }

// Train makes a *Bundle. With too little history for the learning models it has only
// the simple ones; it never returns ErrTooLittle.
func (s Suite) Train(ctx context.Context, h History, o Options) (Model, error) {
	info, err := begin(EnsembleName, h, &o)
	if err != nil {
		return nil, err
	}
	held := s.held(h.Grid)
	rest := History{Grid: without(h.Grid, held), Graph: h.Graph}
	trial := s.Net.withDefaults()
	if s.Held == 0 {
		trial.Nets = 1
	}
	first, err := train(ctx, info, rest, trial, o.checkpoint(".trial"))
	if err != nil {
		return nil, err
	}
	all, err := first.outcomes(h.Grid, held, o.Seed)
	if err != nil {
		return nil, err
	}
	final := first
	if s.Held == 0 {
		if final, err = train(ctx, info, h, s.Net, o); err != nil {
			return nil, err
		}
	}
	final.judge(all)
	return final, errors.Join(removeCheckpoint(o.checkpoint(".trial").Checkpoint), removeCheckpoint(o.Checkpoint))
}

// checkpoint is o with another file of its own for a part of the training.
func (o Options) checkpoint(part string) Options {
	if o.Checkpoint != "" {
		o.Checkpoint += part
	}
	return o
}

// A stretch is steps [from, to).
type stretch struct{ from, to int }

// held chooses what is held back. The places of stretches go with the golden section,
// so that they fall on all times of the day.
func (s Suite) held(g *series.Grid) []stretch {
	n := g.Steps()
	if s.Held > 0 {
		return []stretch{{s.Held, n}}
	}
	length := max(2, min(int(heldShare*float64(n)/heldStretches), int(series.Day/g.Step)))
	count := int(heldShare * float64(n) / float64(length))
	var out []stretch
	for i := range count {
		room := float64(n)/float64(count) - float64(length)
		_, at := math.Modf(float64(i+1) * 0.6180339887)
		from := int(float64(i)*float64(n)/float64(count) + at*room)
		out = append(out, stretch{from, from + length})
	}
	return out
}

// without is a copy of a grid where stretches are missing, and cut off at the end.
func without(g *series.Grid, held []stretch) *series.Grid {
	if len(held) == 1 && held[0].to == g.Steps() {
		return g.Slice(0, held[0].from)
	}
	out := *g
	out.Values = slices.Clone(g.Values)
	for _, s := range held {
		for t := s.from; t < s.to; t++ {
			for r := range g.Roads {
				out.Row(t)[r] = series.NaN()
			}
		}
	}
	return &out
}

// train trains every model that the history suffices for.
func train(ctx context.Context, info Info, h History, net MLP, o Options) (*Bundle, error) {
	b := &Bundle{Head: info}
	simple := []Trainer{Persistence{}, Profile{}, EWMA{}}
	if info.Step >= longFrom && h.Grid.Time(h.Grid.Steps()).Sub(h.Grid.Start) >= weeksFrom {
		simple = append(simple, Weeks(1), Weeks(weeksBack))
	}
	for _, t := range simple {
		m, err := t.Train(ctx, h, o)
		if errors.Is(err, ErrTooLittle) {
			o.Log.Info("model left out", "model", t.Name(), "err", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		b.Simple = append(b.Simple, m)
	}
	if h.Grid.Time(h.Grid.Steps()).Sub(h.Grid.Start) < series.Day {
		o.Log.Info("models left out", "models", []string{ProfileARName, MLPName}, "err", ErrTooLittle)
		b.finish()
		return b, nil
	}
	in, s := newInputs(info, h)
	ridge, err := trainRidge(ctx, in, s, h.Grid, o)
	if err != nil {
		return nil, err
	}
	nets, err := net.train(ctx, in, s, h.Grid, o)
	if err != nil {
		return nil, err
	}
	b.Learned = &learned{In: in, Ridge: ridge.Weights, Nets: nets.Nets, Known: nets.Known}
	b.finish()
	return b, nil
}

// outcomes lets all models forecast what was held back, a sample of roads of it.
func (b *Bundle) outcomes(g *series.Grid, held []stretch, seed uint64) ([][]outcome, error) {
	names := b.Names()
	out := make([][]outcome, len(names))
	batches := b.NewBatches()
	steps := 0
	for _, s := range held {
		steps += s.to - s.from
	}
	chance := float64(mostOutcomes) / float64(max(1, steps*len(g.Roads)*len(b.Head.Horizons)))
	rng := rand.New(rand.NewPCG(seed, 0x68656c64))
	for _, s := range held {
		for now := max(0, s.from-1); now < s.to; now++ {
			w := g.Window(now, b.Head.Depth)
			if err := b.ForecastAll(w, batches); err != nil {
				return nil, fmt.Errorf("forecast what was held back: %w", err)
			}
			b.compare(g, w, s, now, batches, out, func() bool { return rng.Float64() < chance })
		}
	}
	return out, nil
}

// compare adds the outcomes of one moment: the same roads and horizons for all models,
// persistence standing in for those that say nothing.
func (b *Bundle) compare(g *series.Grid, w *series.Window, s stretch, now int, batches []*Batch, out [][]outcome, take func() bool) {
	for h, ahead := range b.Head.Horizons {
		t := now + ahead
		if t >= s.to {
			break
		}
		hour := g.Calendar.Local(g.Time(t)).Hour()
		for r, truth := range g.Row(t) {
			spare, ok := batches[0].At(r, h)
			if !ok || series.Missing(truth) || !take() {
				continue
			}
			calm := restless(w, r)
			present, known := last(w, r, min(w.Depth(), patience))
			for i := range out {
				v, ok := batches[i].At(r, h)
				if !ok {
					v = spare
				}
				out[i] = append(out[i], outcome{
					road: int32(r), horizon: int16(h), hour: int16(hour), calm: calm,
					error: truth - v.Mean, move: moved(v.Mean, present, known), mean: v.Mean, truth: truth,
				})
			}
		}
	}
}
