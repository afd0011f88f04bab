package model

import (
	"context"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// Profile trains the model that says every moment is like the mean of its time of
// the week, or of its time of the day while the history is shorter than two weeks.
type Profile struct{}

// Name is ProfileName.
func (Profile) Name() string { return ProfileName }

// Train needs a day of history.
func (Profile) Train(_ context.Context, h History, o Options) (Model, error) {
	info, err := begin(ProfileName, h, &o)
	if err != nil {
		return nil, err
	}
	if short := h.Grid.Time(h.Grid.Steps()).Sub(h.Grid.Start); short < series.Day {
		return nil, fmt.Errorf("train %s: %w: %s, needs a day", ProfileName, ErrTooLittle, short)
	}
	return &profile{Head: info, Means: newSums(h.Grid).table()}, nil
}

type profile struct {
	Head  Info
	Means *table
}

// Info says what the model is.
func (p *profile) Info() Info { return p.Head }

// Forecast does not look at the values of the window, only at its time.
func (p *profile) Forecast(w *series.Window, out *Batch) error {
	if err := p.Head.check(w, out); err != nil {
		return err
	}
	out.Clear()
	row := make([]float32, len(p.Head.Roads))
	for h, ahead := range p.Head.Horizons {
		p.Means.row(row, &p.Head.Calendar, w.Newest().Add(time.Duration(ahead)*w.Step()), w.Step())
		for road, v := range row {
			out.set(road, h, Value{v, v, v}, &p.Head.Quantity)
		}
	}
	return nil
}
