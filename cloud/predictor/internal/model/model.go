package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// Names of the models, as they stand in predictions, files and metrics. EWMALR is the
// fifth.
const (
	PersistenceName = "persistence"
	ProfileName     = "profile"
	ProfileARName   = "profile-ar"
	MLPName         = "mlp"
)

// A Model forecasts the roads it was trained for. It does not change, and any number
// of goroutines may use it at once.
type Model interface {
	// Info says what the model is and for whom.
	Info() Info
	// Forecast fills out, which has one row per road of Info and one column per
	// horizon of Info, from the last steps of the same roads in the same order. It
	// clears out first. A window that does not fit is an error; missing values are not.
	Forecast(w *series.Window, out *Batch) error
}

// Info is what one has to know of a model to use it.
type Info struct {
	// Name is the model's name, for example "mlp".
	Name string
	// Quantity is what it forecasts.
	Quantity series.Quantity
	// Calendar is the one it was trained with.
	Calendar series.Calendar
	// Step is the length of a step.
	Step time.Duration
	// Horizons are the steps ahead that it forecasts, ascending.
	Horizons []int
	// Depth is how many steps the window must hold.
	Depth int
	// Roads are the ids of the roads, in the order of windows and batches.
	Roads []string
	// Graph is the hash of the graph it was trained with.
	Graph string
	// Trained is the end of the history that it was trained with, in event time.
	Trained time.Time
}

// check refuses a window or a batch that does not fit.
func (i *Info) check(w *series.Window, out *Batch) error {
	switch {
	case w.Roads() != len(i.Roads):
		return fmt.Errorf("%s: window of %d roads, trained for %d", i.Name, w.Roads(), len(i.Roads))
	case w.Step() != i.Step:
		return fmt.Errorf("%s: window of steps of %s, trained for %s", i.Name, w.Step(), i.Step)
	case w.Depth() < i.Depth:
		return fmt.Errorf("%s: window of %d steps, needs %d", i.Name, w.Depth(), i.Depth)
	case out.Roads() != len(i.Roads) || out.Horizons() != len(i.Horizons):
		return fmt.Errorf("%s: batch of %d roads and %d horizons, makes %d and %d",
			i.Name, out.Roads(), out.Horizons(), len(i.Roads), len(i.Horizons))
	}
	return nil
}

// A History is what a model is trained with.
type History struct {
	Grid  *series.Grid
	Graph series.Graph
}

// Options are how to train.
type Options struct {
	// Horizons are the steps ahead to forecast, ascending, from 1 on.
	Horizons []int
	// Seed makes random choices repeatable.
	Seed uint64
	// Workers is how many goroutines may work at once; 0 is one per core. The result
	// does not depend on it.
	Workers int
	// Checkpoint is a file that a training which takes minutes writes now and then,
	// goes on from when it is there, and removes at its end; empty is none.
	Checkpoint string
	// Log gets progress; nil discards.
	Log *slog.Logger
}

// A Trainer makes models. Train returns ErrTooLittle, wrapped, when the history is
// too short or too empty for the model, and ctx.Err() when it was stopped.
type Trainer interface {
	Name() string
	Train(ctx context.Context, h History, o Options) (Model, error)
}

// ErrTooLittle says that a history does not suffice for a model.
var ErrTooLittle = errors.New("too little history")

// begin checks what every trainer is given, and fills in defaults and Info.
func begin(name string, h History, o *Options) (Info, error) {
	if h.Grid == nil {
		return Info{}, fmt.Errorf("train %s: no history", name)
	}
	if err := h.Grid.Validate(); err != nil {
		return Info{}, fmt.Errorf("train %s: %w", name, err)
	}
	if err := h.Graph.Validate(len(h.Grid.Roads)); err != nil {
		return Info{}, fmt.Errorf("train %s: %w", name, err)
	}
	if len(o.Horizons) == 0 || o.Horizons[0] < 1 || !slices.IsSorted(o.Horizons) {
		return Info{}, fmt.Errorf("train %s: horizons %v; must be ascending, from 1 on", name, o.Horizons)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return Info{
		Name:     name,
		Quantity: h.Grid.Quantity,
		Calendar: h.Grid.Calendar,
		Step:     h.Grid.Step,
		Horizons: slices.Clone(o.Horizons),
		Depth:    1,
		Roads:    slices.Clone(h.Grid.Roads),
		Graph:    h.Graph.Hash(h.Grid.Roads, h.Grid.Roads),
		Trained:  h.Grid.Time(h.Grid.Steps()),
	}, nil
}
