package model

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A Bundle is all models of one training, with intervals. As a Model it is the one that
// did best on the history that was held back.
type Bundle struct {
	Head Info
	// Simple are the models that are not learned; persistence is the first.
	Simple []Model
	// Learned are profile-ar, mlp and the ensemble; nil with too little history.
	Learned *learned
	// Bands are the intervals of each model in the order of Names; Held is how each
	// one did on the history held back.
	Bands []*bands
	Held  []HeldOut
	// Chosen is the index of the best model.
	Chosen int
}

// HeldOut is how a model did on history that was held back, over all horizons.
type HeldOut struct {
	Name      string
	MAE, RMSE float64
	Count     int
}

// learned is what profile-ar, mlp and ensemble share.
type learned struct {
	In    *inputs
	Ridge []blas32.General
	Nets  []*nn.Net
	Known []bool
	// Share is the weight of the mlp in the ensemble, by horizon.
	Share []float32
}

// Names lists the models, the simple ones first.
func (b *Bundle) Names() []string {
	var out []string
	for _, m := range b.Simple {
		out = append(out, m.Info().Name)
	}
	if b.Learned != nil {
		out = append(out, ProfileARName, MLPName, EnsembleName)
	}
	return out
}

// Best is the name of the model that did best on the history held back.
func (b *Bundle) Best() string { return b.Names()[b.Chosen] }

// Info is that of the best model, with the depth that all of them need.
func (b *Bundle) Info() Info { return b.Head }

// finish fills in the depth, and equal weights until judge knows better.
func (b *Bundle) finish() {
	b.Head.Depth = max(patience, calmSteps)
	for _, m := range b.Simple {
		b.Head.Depth = max(b.Head.Depth, m.Info().Depth)
	}
	if b.Learned != nil {
		b.share()
		b.Head.Depth = max(b.Head.Depth, b.Learned.In.Head.Depth)
		b.Learned.Share = make([]float32, len(b.Head.Horizons))
		for h := range b.Learned.Share {
			b.Learned.Share[h] = 0.5
		}
	}
}

// share keeps one table of what is usual instead of two equal ones.
func (b *Bundle) share() {
	for _, m := range b.Simple {
		if p, ok := m.(*profile); ok && b.Learned != nil {
			p.Means = b.Learned.In.Means
		}
	}
}

// NewBatches makes a batch for each of Names.
func (b *Bundle) NewBatches() []*Batch {
	out := make([]*Batch, len(b.Names()))
	for i := range out {
		out[i] = NewBatch(len(b.Head.Roads), len(b.Head.Horizons))
	}
	return out
}

// ForecastAll fills a batch for each of Names. It costs little more than Forecast: the
// models share their inputs, and the ensemble its members' forecasts.
func (b *Bundle) ForecastAll(w *series.Window, out []*Batch) error {
	for i, m := range b.Simple {
		if err := m.Forecast(w, out[i]); err != nil {
			return err
		}
	}
	if b.Learned != nil {
		n := len(b.Simple)
		if err := b.Learned.forecast(w, out[n], out[n+1], out[n+2]); err != nil {
			return err
		}
	}
	for i, bands := range b.Bands {
		bands.apply(w, &b.Head, out[i])
	}
	return nil
}

// Forecast is that of the best model.
func (b *Bundle) Forecast(w *series.Window, out *Batch) error {
	if err := b.Head.check(w, out); err != nil {
		return err
	}
	if b.Chosen < len(b.Simple) {
		if err := b.Simple[b.Chosen].Forecast(w, out); err != nil {
			return err
		}
	} else {
		others := b.NewBatches()[:3]
		others[b.Chosen-len(b.Simple)] = out
		if err := b.Learned.forecast(w, others[0], others[1], others[2]); err != nil {
			return err
		}
	}
	if b.Bands != nil {
		b.Bands[b.Chosen].apply(w, &b.Head, out)
	}
	return nil
}

// forecast fills the batches of the three learned models.
func (l *learned) forecast(w *series.Window, linear, net, both *Batch) error {
	ar, mlp := &profileAR{In: l.In, Weights: l.Ridge}, &mlp{In: l.In, Nets: l.Nets, Known: l.Known}
	if err := l.In.Head.check(w, linear); err != nil {
		return err
	}
	f := l.In.frame(w, l.In.typical)
	ar.fill(f, linear)
	mlp.fill(f, net)
	both.Clear()
	for r := range l.In.Head.Roads {
		for h, share := range l.Share {
			a, ok := linear.At(r, h)
			b, also := net.At(r, h)
			switch {
			case ok && also:
				v := a.Mean + share*(b.Mean-a.Mean)
				both.set(r, h, Value{v, v, v}, &l.In.Head.Quantity)
			case ok:
				both.set(r, h, a, &l.In.Head.Quantity)
			case also:
				both.set(r, h, b, &l.In.Head.Quantity)
			}
		}
	}
	return nil
}

// judge learns from the outcomes of all models on history held back.
func (b *Bundle) judge(all [][]outcome) {
	if b.Learned != nil {
		n := len(b.Simple)
		b.Learned.weigh(all[n], all[n+1], all[n+2])
	}
	best := math.Inf(1)
	for i, name := range b.Names() {
		b.Bands = append(b.Bands, newBands(all[i], len(b.Head.Roads), len(b.Head.Horizons)))
		var sum, square float64
		for _, o := range all[i] {
			sum, square = sum+math.Abs(float64(o.error)), square+float64(o.error)*float64(o.error)
		}
		n := float64(len(all[i]))
		held := HeldOut{Name: name, MAE: sum / n, RMSE: math.Sqrt(square / n), Count: len(all[i])}
		b.Held = append(b.Held, held)
		// Of two equally good ones the simpler is chosen, and persistence without outcomes.
		if v := held.MAE * held.RMSE; v < best || n == 0 && i == 0 {
			best, b.Chosen = v, i
		}
	}
	b.Head.Name = b.Best()
}

// weigh chooses the weight of the mlp at each horizon and corrects the outcomes of the
// ensemble. Amounts and squares of errors count alike.
func (l *learned) weigh(linear, net, both []outcome) {
	const parts = 20
	horizons := len(l.Share)
	sums, squares := make([][parts + 1]float64, horizons), make([][parts + 1]float64, horizons)
	for i := range linear {
		h := linear[i].horizon
		for k := range parts + 1 {
			e := float64(linear[i].error) + float64(k)/parts*float64(net[i].error-linear[i].error)
			sums[h][k] += math.Abs(e)
			squares[h][k] += e * e
		}
	}
	for h := range horizons {
		cost := make([]float64, parts+1)
		for k := range cost {
			cost[k] = sums[h][k] * math.Sqrt(squares[h][k])
		}
		l.Share[h] = float32(slices.Index(cost, slices.Min(cost))) / parts
	}
	for i := range both {
		share := l.Share[both[i].horizon]
		both[i].mean = linear[i].mean + share*(net[i].mean-linear[i].mean)
		both[i].error = both[i].truth - both[i].mean
	}
}

// Model is one of Names as a Model of its own, sharing memory; an error when it is not
// there.
func (b *Bundle) Model(name string) (Model, error) {
	i := slices.Index(b.Names(), name)
	if i < 0 {
		return nil, fmt.Errorf("bundle: no model %q, there are %q", name, b.Names())
	}
	one := *b
	one.Chosen = i
	one.Head.Name = name
	return &one, nil
}
