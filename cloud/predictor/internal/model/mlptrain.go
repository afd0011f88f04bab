package model

import (
	"context"
	"fmt"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// MLP trains the neural network. The zero value has good sizes; see withDefaults.
type MLP struct {
	// Width, Blocks and Embed are sizes of a network, Nets is how many there are.
	Width, Blocks, Embed, Nets int
	// Epochs is how often a network sees each road at each moment, in the mean, within
	// MinSamples and MaxSamples altogether.
	Epochs                 float64
	MinSamples, MaxSamples int
	// Rate is the peak of the learning rate, Decay that of the weights.
	Rate, Decay float64
	// Dropout is the share of hidden values left out in training, Round where the loss
	// turns from squares to amounts, in deviations of a road.
	Dropout, Round float32
}

const (
	// batchRows is the size of a mini-batch; half of it goes through each lane group.
	batchRows = 512
	// groupValues bounds the memory of frames held at once, in values.
	groupValues = 16 << 20
	// averaging is the share of the old weights in their running mean.
	averaging = 0.998
)

func (c MLP) withDefaults() MLP {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.Width, 160)
	set(&c.Blocks, 1)
	set(&c.Embed, 16)
	set(&c.Nets, 4)
	set(&c.MaxSamples, 6_000_000)
	set(&c.MinSamples, min(400_000, c.MaxSamples))
	if c.Epochs == 0 {
		c.Epochs = 2.5
	}
	if c.Rate == 0 {
		c.Rate = 2e-3
	}
	if c.Dropout == 0 {
		c.Dropout = 0.25
	}
	if c.Round == 0 {
		c.Round = 0.1
	}
	return c
}

// Name is MLPName.
func (MLP) Name() string { return MLPName }

// Train needs a day of history.
func (c MLP) Train(ctx context.Context, h History, o Options) (Model, error) {
	info, err := begin(MLPName, h, &o)
	if err != nil {
		return nil, err
	}
	if short := h.Grid.Time(h.Grid.Steps()).Sub(h.Grid.Start); short < series.Day {
		return nil, fmt.Errorf("train %s: %w: %s, needs a day", MLPName, ErrTooLittle, short)
	}
	in, s := newInputs(info, h)
	m, err := c.train(ctx, in, s, h.Grid, o)
	if err != nil {
		return nil, err
	}
	return m, removeCheckpoint(o.Checkpoint)
}

func (c MLP) train(ctx context.Context, in *inputs, s *sums, g *series.Grid, o Options) (*mlp, error) {
	c = c.withDefaults()
	m := &mlp{In: in, Known: known(g)}
	cp, err := openCheckpoint(o.Checkpoint, c.key(in, g, o.Seed))
	if err != nil {
		o.Log.Warn("training begins anew", "model", MLPName, "err", err)
	}
	for i := range c.Nets {
		l := newLearner(c, in, g, s, o.Seed*1000+uint64(i))
		l.workers, l.log = o.Workers, o.Log.With("model", MLPName, "net", i)
		if i == len(cp.State.Done) {
			cp.State.restore(l)
		}
		if i >= len(cp.State.Done) {
			if err := l.run(ctx, cp); err != nil {
				return nil, fmt.Errorf("train %s: %w", MLPName, err)
			}
			cp.State = progress{Key: cp.State.Key, Done: append(cp.State.Done, l.best)}
		}
		m.Nets = append(m.Nets, &nn.Net{Shape: l.net.Shape, Params: cp.State.Done[i]})
	}
	return m, cp.save()
}

// known is which roads were ever measured.
func known(g *series.Grid) []bool {
	out := make([]bool, len(g.Roads))
	for t := range g.Steps() {
		for r, v := range g.Row(t) {
			out[r] = out[r] || !series.Missing(v)
		}
	}
	return out
}
