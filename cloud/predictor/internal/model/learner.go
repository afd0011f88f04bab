package model

import (
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// watchShare is the share of the steps that a network is not trained with, in
	// watchStretches; how it does there says when to stop.
	watchShare     = 0.04
	watchStretches = 8
	// watchRows bounds the examples that are looked at, looks is how often, and calm how
	// many looks without an improvement end the training.
	watchRows = 8192
	looks     = 20
	calm      = 5
)

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
	log                   *slog.Logger

	// steps are those to train with, watch is what the network is judged by.
	steps []int
	watch []example
	// best are the weights that did best there, loss how they did, and since how many
	// looks ago that was.
	best  []float32
	loss  float64
	since int
}

// An example is a road at a moment.
type example struct {
	frame *trainingFrame
	road  int
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
	l.split()
	samples := int(c.Epochs * float64(len(l.steps)) * float64(len(g.Roads)))
	l.total = max(20, min(max(samples, c.MinSamples), c.MaxSamples)/batchRows)
	l.group = max(8, min(len(l.steps), groupValues/(30*len(g.Roads))))
	l.batches = max(1, min(l.group*len(g.Roads)/batchRows, l.total/looks))
	l.group = min(l.group, l.batches*batchRows) // more frames than examples are of no use
	return l
}

// split sets some stretches of steps apart.
func (l *learner) split() {
	n := l.grid.Steps() - l.in.Head.Horizons[0]
	rng := rand.New(rand.NewPCG(l.seed, 0x7761746368))
	apart := make([]bool, n)
	length := int(watchShare * float64(n) / watchStretches)
	for range watchStretches {
		from := rng.IntN(max(1, n-length))
		for t := from; t < from+length; t++ {
			apart[t] = true
		}
	}
	var watched []int
	for t, yes := range apart {
		if yes {
			watched = append(watched, t)
		} else {
			l.steps = append(l.steps, t)
		}
	}
	frames := make(map[int]*trainingFrame)
	for range min(watchRows, len(watched)*len(l.in.Head.Roads)) {
		t := watched[rng.IntN(len(watched))]
		if frames[t] == nil {
			f := l.in.training(l.grid, l.sums, t)
			frames[t] = &f
		}
		l.watch = append(l.watch, example{frames[t], rng.IntN(len(l.in.Head.Roads))})
	}
	l.loss = math.Inf(1)
}

// run trains to the end, or until the network gets no better.
func (l *learner) run(ctx context.Context, cp *checkpoint) error {
	began := time.Now()
	for l.adam.Step < l.total && l.since < calm {
		if err := ctx.Err(); err != nil {
			return err
		}
		loss := l.round()
		l.look()
		l.log.Info("training", "batch", l.adam.Step, "of", l.total, "loss", loss, "watched", l.loss, "took", time.Since(began).Round(time.Millisecond))
		if err := cp.keep(l); err != nil {
			return err
		}
	}
	return nil
}

// look judges the mean weights, once in a while. Without anything to judge by the last
// weights are the best.
func (l *learner) look() {
	every := max(1, l.total/looks)
	if l.adam.Step < l.total && l.adam.Step/every == (l.adam.Step-l.batches)/every {
		return
	}
	loss := l.watched()
	if loss <= l.loss || len(l.watch) == 0 {
		l.loss, l.since, l.best = loss, 0, append(l.best[:0], l.adam.Mean...)
		return
	}
	l.since++
}

// watched is the mean absolute error on what was set apart.
func (l *learner) watched() float64 {
	net := nn.Net{Shape: l.net.Shape, Params: l.adam.Mean}
	s := l.lanes[0]
	var sum, count float64
	for part := range slices.Chunk(l.watch, lane) {
		for i, e := range part {
			s.ex.Roads[i] = int32(e.road)
			e.frame.write(s.scratch.Input(i)[:net.Shape.Inputs], e.road)
		}
		out := net.Forward(s.scratch, s.ex.Roads[:len(part)])
		for i, e := range part {
			for h, row := range e.frame.targets {
				if v := row[e.road]; !series.Missing(v) {
					sum, count = sum+math.Abs(float64(out[i*net.Shape.Outputs+h]-v)), count+1
				}
			}
		}
	}
	return sum / max(1, count)
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
	chosen := slices.Clone(l.steps)
	rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	var wg sync.WaitGroup
	for k := range l.workers {
		wg.Go(func() {
			for i := k; i < len(out); i += l.workers {
				out[i] = l.in.training(l.grid, l.sums, chosen[i%len(chosen)])
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
