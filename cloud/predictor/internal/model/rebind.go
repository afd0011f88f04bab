package model

import (
	"slices"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// Rebind makes a model of m that takes windows and batches of other roads, or of the
// same ones in another order. Roads that m does not know get no forecast; those that
// are gone are missing to it. It returns m when nothing differs.
func Rebind(m Model, roads []string) Model {
	info := m.Info()
	if slices.Equal(info.Roads, roads) {
		return m
	}
	index := make(map[string]int32, len(roads))
	for i, r := range roads {
		index[r] = int32(i)
	}
	b := &rebound{inner: m, from: make([]int32, len(info.Roads)), info: info}
	for i, r := range info.Roads {
		b.from[i] = -1
		if k, ok := index[r]; ok {
			b.from[i] = k
		}
	}
	b.info.Roads = slices.Clone(roads)
	return b
}

// A rebound model gathers the rows of its window in the order of inner.
type rebound struct {
	inner Model
	// from is the outer index of each inner road; -1 when it is gone.
	from []int32
	info Info
}

// Info says what the model is.
func (b *rebound) Info() Info { return b.info }

// Forecast asks the inner model.
func (b *rebound) Forecast(w *series.Window, out *Batch) error {
	if err := b.info.check(w, out); err != nil {
		return err
	}
	inner := NewBatch(len(b.from), len(b.info.Horizons))
	if err := b.inner.Forecast(w.Gather(b.from, b.info.Depth), inner); err != nil {
		return err
	}
	out.Clear()
	for i, to := range b.from {
		if to < 0 {
			continue
		}
		for h := range b.info.Horizons {
			if v, ok := inner.At(i, h); ok {
				out.set(int(to), h, v, &b.info.Quantity)
			}
		}
	}
	return nil
}
