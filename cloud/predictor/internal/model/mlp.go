package model

import (
	"sync"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// lane is how many rows go through a network at once: they fit the cache.
	lane = 128
	// forecastWorkers bounds the goroutines of one Forecast.
	forecastWorkers = 2
)

// mlp is the trained model: inputs, and some networks whose mean is the forecast.
type mlp struct {
	In   *inputs
	Nets []*nn.Net
	// Known is false for roads without any history: they get no forecast.
	Known []bool
}

// Info says what the model is.
func (m *mlp) Info() Info { return m.In.Head }

// Forecast says nothing about a road that was not measured within patience.
func (m *mlp) Forecast(w *series.Window, out *Batch) error {
	if err := m.In.Head.check(w, out); err != nil {
		return err
	}
	m.fill(m.In.frame(w, m.In.typical), out)
	return nil
}

// fill forecasts from a frame.
func (m *mlp) fill(f *frame, out *Batch) {
	out.Clear()
	var roads []int32
	for r, known := range m.Known {
		if known && f.age[r] < patience {
			roads = append(roads, int32(r))
		}
	}
	var wg sync.WaitGroup
	part := (len(roads) + forecastWorkers - 1) / forecastWorkers
	for from := 0; from < len(roads); from += part {
		wg.Go(func() { m.some(f, roads[from:min(from+part, len(roads))], out) })
	}
	wg.Wait()
}

// some forecasts some roads, lane by lane.
func (m *mlp) some(f *frame, roads []int32, out *Batch) {
	shape := m.Nets[0].Shape
	scratch := shape.NewScratch(lane)
	changes := make([]float32, lane*shape.Outputs)
	share := 1 / float32(len(m.Nets))
	for len(roads) > 0 {
		some := roads[:min(lane, len(roads))]
		roads = roads[len(some):]
		for i, r := range some {
			f.write(scratch.Input(i)[:shape.Inputs], int(r))
		}
		clear(changes)
		for _, n := range m.Nets {
			for i, v := range n.Forward(scratch, some) {
				changes[i] += share * v
			}
		}
		for i, r := range some {
			center, width := m.In.Scale.Center[r], m.In.Scale.Width[r]
			for h, ahead := range m.In.Head.Horizons {
				v := f.base(int(r), ahead)
				if !f.moving(int(r)) {
					v += changes[i*shape.Outputs+h]
				}
				v = center + width*v
				out.set(int(r), h, Value{v, v, v}, &m.In.Head.Quantity)
			}
		}
	}
}
