package model

import (
	"context"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// Persistence trains the model that says everything stays as it is. It needs no
// history: without any, its intervals are the values themselves.
type Persistence struct{}

// persistenceSteps is how old the last value may be: an hour of steps of 5 minutes.
const persistenceSteps = 12

// Name is PersistenceName.
func (Persistence) Name() string { return PersistenceName }

// Train never finds the history too short.
func (Persistence) Train(_ context.Context, h History, o Options) (Model, error) {
	info, err := begin(PersistenceName, h, &o)
	if err != nil {
		return nil, err
	}
	info.Depth = persistenceSteps
	return &persistence{Head: info}, nil
}

type persistence struct{ Head Info }

// Info says what the model is.
func (p *persistence) Info() Info { return p.Head }

// Forecast repeats the newest value of each road that is not too old.
func (p *persistence) Forecast(w *series.Window, out *Batch) error {
	if err := p.Head.check(w, out); err != nil {
		return err
	}
	out.Clear()
	for road := range p.Head.Roads {
		v, ok := last(w, road, persistenceSteps)
		if !ok {
			continue
		}
		for h := range p.Head.Horizons {
			out.set(road, h, Value{v, v, v}, &p.Head.Quantity)
		}
	}
	return nil
}

// last is the newest value of a road among so many steps.
func last(w *series.Window, road, steps int) (float32, bool) {
	for k := range steps {
		if v := w.Lag(k)[road]; !series.Missing(v) {
			return v, true
		}
	}
	return 0, false
}
