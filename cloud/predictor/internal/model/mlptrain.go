package model

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// MLP trains the neural network. The zero value has good sizes; see withDefaults.
type MLP struct {
	// Width, Blocks and Embed are sizes of a network, Nets is how many there are.
	Width, Blocks, Embed, Nets int
	// Epochs is how often the history is gone through, in samples of at most
	// MaxSamples roads at moments.
	Epochs     float64
	MaxSamples int
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
	set(&c.Nets, 3)
	set(&c.MaxSamples, 400_000)
	if c.Epochs == 0 {
		c.Epochs = 5
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
	return c.train(ctx, in, s, h.Grid, o)
}

func (c MLP) train(ctx context.Context, in *inputs, s *sums, g *series.Grid, o Options) (*mlp, error) {
	c = c.withDefaults()
	m := &mlp{In: in, Known: known(g)}
	for i := range c.Nets {
		l := newLearner(c, in, g, s, o.Seed*1000+uint64(i))
		l.workers = o.Workers
		if err := l.run(ctx, o.Log); err != nil {
			return nil, fmt.Errorf("train %s: %w", MLPName, err)
		}
		m.Nets = append(m.Nets, &nn.Net{Shape: l.net.Shape, Params: l.adam.Mean})
	}
	return m, nil
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

// A learner trains one network.
type learner struct {
	cfg     MLP
	in      *inputs
	grid    *series.Grid
	sums    *sums
	seed    uint64
	workers int
	net     *nn.Net
	adam    *nn.Adam
	// total is how many batches the training has, batches how many a group of frames
	// is used for, and group how many frames that is.
	total, batches, group int
	lanes                 [2]*laneState
	grad                  []float32
}

// laneState is the memory of one half of a batch.
type laneState struct {
	scratch *nn.Scratch
	grad    []float32
	ex      nn.Examples
	loss    float64
}

func newLearner(c MLP, in *inputs, g *series.Grid, s *sums, seed uint64) *learner {
	shape := nn.Shape{
		Inputs: in.width(), Roads: len(g.Roads), Embed: c.Embed,
		Width: c.Width, Blocks: c.Blocks, Outputs: len(in.Head.Horizons),
	}
	l := &learner{cfg: c, in: in, grid: g, sums: s, seed: seed, net: nn.New(shape, seed)}
	l.adam = nn.NewAdam(l.net)
	l.grad = make([]float32, shape.Size())
	for i := range l.lanes {
		n := lane * shape.Outputs
		l.lanes[i] = &laneState{
			scratch: shape.NewScratch(lane), grad: make([]float32, shape.Size()),
			ex: nn.Examples{Roads: make([]int32, lane), Targets: make([]float32, n), Weights: make([]float32, n), Dropout: c.Dropout},
		}
	}
	samples := min(c.MaxSamples, g.Steps()*len(g.Roads))
	l.total = max(50, int(c.Epochs*float64(samples)/batchRows))
	l.group = max(8, min(g.Steps(), groupValues/(30*len(g.Roads))))
	l.batches = max(1, min(l.group*len(g.Roads)/batchRows, l.total/20))
	return l
}

// run trains to the end.
func (l *learner) run(ctx context.Context, log *slog.Logger) error {
	began := time.Now()
	for l.adam.Step < l.total {
		if err := ctx.Err(); err != nil {
			return err
		}
		loss := l.round()
		log.Info("training", "model", MLPName, "batch", l.adam.Step, "of", l.total, "loss", loss, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// round trains with one group of frames and returns the mean loss.
func (l *learner) round() float64 {
	rng := rand.New(rand.NewPCG(l.seed, uint64(l.adam.Step)))
	frames := l.frames(rng)
	loss := 0.0
	n := min(l.batches, l.total-l.adam.Step)
	for range n {
		loss += l.batch(frames, rng.Uint64())
	}
	return loss / float64(n)
}

// frames makes a group of frames at random moments.
func (l *learner) frames(rng *rand.Rand) []trainingFrame {
	out := make([]trainingFrame, l.group)
	steps := make([]int, l.group)
	last := l.grid.Steps() - l.in.Head.Horizons[0]
	if all := rng.Perm(last); len(all) >= l.group {
		copy(steps, all)
	} else {
		for i := range steps {
			steps[i] = rng.IntN(last)
		}
	}
	var wg sync.WaitGroup
	for k := range l.workers {
		wg.Go(func() {
			for i := k; i < len(out); i += l.workers {
				out[i] = l.in.training(l.grid, l.sums, steps[i])
			}
		})
	}
	wg.Wait()
	return out
}

// batch makes one update and returns the mean loss. Both halves draw their own random
// numbers, so who computes them does not matter.
func (l *learner) batch(frames []trainingFrame, seed uint64) float64 {
	var wg sync.WaitGroup
	for i, half := range l.lanes {
		work := func() { l.half(half, frames, seed+uint64(i)) }
		if l.workers > 1 {
			wg.Go(work)
		} else {
			work()
		}
	}
	wg.Wait()
	a, b := l.lanes[0], l.lanes[1]
	scale := 1 / float32(batchRows)
	for i := range l.grad {
		l.grad[i] = scale * (a.grad[i] + b.grad[i])
	}
	done := float64(l.adam.Step) / float64(l.total)
	l.adam.Update(l.net, l.grad, nn.Rates{Learning: nn.Cosine(l.cfg.Rate, done), Decay: l.cfg.Decay, Keep: averaging})
	return (a.loss + b.loss) / batchRows
}

// half computes the gradient of half a batch.
func (l *learner) half(s *laneState, frames []trainingFrame, seed uint64) {
	clear(s.grad)
	s.loss = 0
	rng := rand.New(rand.NewPCG(seed, 1))
	shape := l.net.Shape
	for range batchRows / 2 / lane {
		for i := range lane {
			f := &frames[rng.IntN(len(frames))]
			r := rng.IntN(shape.Roads)
			s.ex.Roads[i] = int32(r)
			f.write(s.scratch.Input(i)[:shape.Inputs], r)
			for h := range shape.Outputs {
				v := f.targets[h][r]
				s.ex.Targets[i*shape.Outputs+h], s.ex.Weights[i*shape.Outputs+h] = v, 1/float32(shape.Outputs)
				if series.Missing(v) {
					s.ex.Weights[i*shape.Outputs+h] = 0
				}
			}
		}
		s.ex.Random = rng.Uint64()
		s.loss += l.net.Gradient(s.scratch, s.ex, nn.Loss{Round: l.cfg.Round}, s.grad)
	}
}
