package model

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// ProfileAR trains the linear model: for each road and horizon the change from the
// present value, a ridge regression on the road's last values, on what is usual now
// and then, and on the roads beside it.
type ProfileAR struct{}

const (
	// ridgeRoads is how many roads are solved for at once, which bounds the memory, and
	// ridgeSteps how many steps are learned from with more roads than that.
	ridgeRoads = 8192
	ridgeSteps = 4000
	// ridgeGroup is how many frames are added to the sums at once.
	ridgeGroup = 64
	// ridgeFewest is the least number of moments for a road to have its own weights.
	ridgeFewest = 48
)

// Name is ProfileARName.
func (ProfileAR) Name() string { return ProfileARName }

// Train needs a day of history.
func (ProfileAR) Train(ctx context.Context, h History, o Options) (Model, error) {
	info, err := begin(ProfileARName, h, &o)
	if err != nil {
		return nil, err
	}
	if short := h.Grid.Time(h.Grid.Steps()).Sub(h.Grid.Start); short < series.Day {
		return nil, fmt.Errorf("train %s: %w: %s, needs a day", ProfileARName, ErrTooLittle, short)
	}
	in, s := newInputs(info, h)
	return trainRidge(ctx, in, s, h.Grid, o)
}

func trainRidge(ctx context.Context, in *inputs, s *sums, g *series.Grid, o Options) (*profileAR, error) {
	m := &profileAR{In: in, Weights: make([]blas32.General, len(g.Roads))}
	steps := g.Steps() - in.Head.Horizons[0]
	every := 1
	if len(g.Roads) > ridgeRoads {
		every = max(1, steps/ridgeSteps)
	}
	for from := 0; from < len(g.Roads); from += ridgeRoads {
		part := newNormal(in, from, min(from+ridgeRoads, len(g.Roads)))
		for t := 0; t < steps; t += ridgeGroup * every {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("train %s: %w", ProfileARName, err)
			}
			var frames []trainingFrame
			for i := t; i < min(steps, t+ridgeGroup*every); i += every {
				frames = append(frames, in.training(g, s, i))
			}
			part.add(frames, o.Workers)
		}
		part.solve(m.Weights[from:], o.Workers)
	}
	return m, nil
}

// normal is the normal equations of some roads.
type normal struct {
	in       *inputs
	from, to int
	// products are xᵀx and targets xᵀy, one per road; x has a 1 as its last column.
	products []blas64.Symmetric
	targets  []blas64.General
	counts   []int
}

func newNormal(in *inputs, from, to int) *normal {
	n := &normal{in: in, from: from, to: to, counts: make([]int, to-from)}
	p, h := in.width()+1, len(in.Head.Horizons)
	for range to - from {
		n.products = append(n.products, blas64.Symmetric{N: p, Stride: p, Uplo: blas.Upper, Data: make([]float64, p*p)})
		n.targets = append(n.targets, blas64.General{Rows: p, Cols: h, Stride: h, Data: make([]float64, p*h)})
	}
	return n
}

// add counts frames in. A moment at which a target is missing is left out.
func (n *normal) add(frames []trainingFrame, workers int) {
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			p, h := n.in.width()+1, len(n.in.Head.Horizons)
			x := blas64.General{Cols: p, Stride: p, Data: make([]float64, ridgeGroup*p)}
			y := blas64.General{Cols: h, Stride: h, Data: make([]float64, ridgeGroup*h)}
			row := make([]float32, p-1)
			for i := k; i < len(n.counts); i += workers {
				rows := 0
				for f := range frames {
					if frames[f].example(x.Data[rows*p:], y.Data[rows*h:], row, n.from+i) {
						rows++
					}
				}
				if rows == 0 {
					continue
				}
				x.Rows, y.Rows = rows, rows
				n.counts[i] += rows
				blas64.Syrk(blas.Trans, 1, x, 1, n.products[i])
				blas64.Gemm(blas.Trans, blas.NoTrans, 1, x, y, 1, n.targets[i])
			}
		})
	}
	wg.Wait()
}

// example writes the inputs and targets of a road; false when one is missing or was
// filled in.
func (f *trainingFrame) example(x, y []float64, row []float32, road int) bool {
	if f.age[road] >= patience || f.moving(road) {
		return false
	}
	for h, t := range f.targets {
		v := t[road]
		if series.Missing(v) {
			return false
		}
		y[h] = float64(v)
	}
	f.write(row, road)
	for i, v := range row {
		x[i] = float64(v)
	}
	x[len(row)] = 1
	return true
}

// solve finds the weights of each road; those of a road with too little are empty. The
// penalty is on the difference from the weights that suit all roads together, because
// few weeks do not tell more than that of a single road.
func (n *normal) solve(to []blas32.General, workers int) {
	all := n.together()
	if all == nil {
		return
	}
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < len(n.counts); i += workers {
				to[i] = n.one(i, all)
			}
		})
	}
	wg.Wait()
}

// together is the weights that suit all roads; nil when there is too little.
func (n *normal) together() *mat.Dense {
	p, h := n.in.width()+1, len(n.in.Head.Horizons)
	a, y, count := mat.NewSymDense(p, nil), mat.NewDense(p, h, nil), 0
	for i, c := range n.counts {
		a.AddSym(a, mat.NewSymDense(p, n.products[i].Data))
		y.Add(y, mat.NewDense(p, h, n.targets[i].Data))
		count += c
	}
	if count < ridgeFewest {
		return nil
	}
	return penalised(a, y, commonPenalty*float64(count))
}

// one is the weights of a road.
func (n *normal) one(i int, all *mat.Dense) blas32.General {
	if n.counts[i] < ridgeFewest {
		return blas32.General{}
	}
	p, h := n.in.width()+1, len(n.in.Head.Horizons)
	a := mat.NewSymDense(p, n.products[i].Data)
	var rest mat.Dense
	rest.Mul(a, all)
	rest.Sub(mat.NewDense(p, h, n.targets[i].Data), &rest)
	own := penalised(a, &rest, ridgePenalty)
	if own == nil {
		return blas32.General{}
	}
	own.Add(own, all)
	out := blas32.General{Rows: p, Cols: h, Stride: h, Data: make([]float32, p*h)}
	for k, v := range own.RawMatrix().Data {
		out.Data[k] = float32(v)
		if series.Missing(out.Data[k]) {
			return blas32.General{}
		}
	}
	return out
}

// penalised solves (a + penalty)·w = y; nil when that cannot be done. The constant, the
// last of the weights, is penalised like the others.
func penalised(a *mat.SymDense, y *mat.Dense, penalty float64) *mat.Dense {
	with := mat.NewSymDense(a.SymmetricDim(), slices.Clone(a.RawSymmetric().Data))
	for k := range a.SymmetricDim() {
		with.SetSym(k, k, with.At(k, k)+penalty+ridgeFloor)
	}
	var chol mat.Cholesky
	if !chol.Factorize(with) {
		return nil
	}
	var w mat.Dense
	if err := chol.SolveTo(&w, y); err != nil {
		return nil
	}
	return &w
}

const (
	// ridgePenalty is the penalty of a road's own weights, in squared deviations: as
	// many moments of its own say as much as all roads together. commonPenalty is that
	// of the common weights, per moment, and ridgeFloor keeps the equations of constant
	// series solvable.
	ridgePenalty  = 2000.0
	commonPenalty = 0.001
	ridgeFloor    = 10.0
)

// profileAR is the trained model.
type profileAR struct {
	In *inputs
	// Weights are, for each road, inputs and a constant by horizons; empty for a road
	// with too little history, which gets no forecast.
	Weights []blas32.General
}

// Info says what the model is.
func (m *profileAR) Info() Info { return m.In.Head }

// Forecast says nothing about a road that was not measured within patience.
func (m *profileAR) Forecast(w *series.Window, out *Batch) error {
	if err := m.In.Head.check(w, out); err != nil {
		return err
	}
	m.fill(m.In.frame(w, m.In.typical), out)
	return nil
}

// fill forecasts from a frame.
func (m *profileAR) fill(f *frame, out *Batch) {
	out.Clear()
	var wg sync.WaitGroup
	part := (len(m.Weights) + forecastWorkers - 1) / forecastWorkers
	for from := 0; from < len(m.Weights); from += part {
		wg.Go(func() { m.some(f, from, min(from+part, len(m.Weights)), out) })
	}
	wg.Wait()
}

func (m *profileAR) some(f *frame, from, to int, out *Batch) {
	horizons := len(m.In.Head.Horizons)
	row := make([]float32, m.In.width())
	change := make([]float32, horizons)
	for r := from; r < to; r++ {
		w := &m.Weights[r]
		if w.Data == nil || f.age[r] >= patience {
			continue
		}
		f.write(row, r)
		copy(change, w.Data[len(row)*horizons:])
		for i, v := range row {
			for h, c := range w.Data[i*horizons : (i+1)*horizons] {
				change[h] += v * c
			}
		}
		for h, ahead := range m.In.Head.Horizons {
			v := f.base(r, ahead)
			if !f.moving(r) {
				v += change[h]
			}
			v = m.In.Scale.Center[r] + m.In.Scale.Width[r]*v
			out.set(r, h, Value{v, v, v}, &m.In.Head.Quantity)
		}
	}
}
