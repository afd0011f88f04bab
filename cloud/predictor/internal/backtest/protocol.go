package backtest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A Protocol says what is learned from, what is tested and how errors are counted.
type Protocol struct {
	Name string
	// Horizons are the steps ahead that are forecast, Report those that are reported.
	Horizons, Report []int
	// Main is the index in Report of the horizon that is shown by hour and by road.
	Main int
	// Train is the number of steps to learn from. Choose is how many of the steps after
	// them are for choosing between models: 0 when a part of Train serves for that.
	Train, Choose int
	// Averaged says that an error at a horizon is the mean over all steps up to it.
	Averaged bool
	// ZeroMissing says that zeros are missing values.
	ZeroMissing bool
	// Net is how the mlp is trained; zero is as it is for real.
	Net model.MLP
	// moments is the newest steps [from, to) from which a horizon is tested.
	moments func(horizon int) (from, to int)
}

const (
	// window is how many steps the protocols for speeds look back and ahead.
	window = 12
	// fewest is the least number of steps that can be split.
	fewest = 60
)

// NewProtocol makes a protocol for a grid: "tgcn", "dcrnn", "scats", "hourly", or ""
// for the one that suits the step.
func NewProtocol(name string, g *series.Grid) (Protocol, error) {
	n := g.Steps()
	if n < fewest {
		return Protocol{}, fmt.Errorf("%d steps of measurements: want at least %d", n, fewest)
	}
	switch strings.ToLower(name) {
	case "":
		return NewProtocol(suitable(g), g)
	case "tgcn":
		return tgcn(n), nil
	case "dcrnn":
		return dcrnn(n), nil
	case "scats":
		return exact("scats", n, []int{1, 2, 3, 4}), nil
	case "hourly":
		return exact("hourly", n, []int{1, 2, 3}), nil
	}
	return Protocol{}, fmt.Errorf("back-test: protocol %q; must be tgcn, dcrnn, scats or hourly", name)
}

func suitable(g *series.Grid) string {
	switch {
	case g.Step >= 30*time.Minute:
		return "hourly"
	case g.Step >= 10*time.Minute:
		return "scats"
	}
	return "tgcn"
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i + 1
	}
	return out
}

// tgcn is the protocol of T-GCN: the first 80 % to learn from; test windows of 12 steps
// in within the rest, one for each start but the last; errors over all steps up to the
// horizon; zeros count.
func tgcn(n int) Protocol {
	train := n * 8 / 10
	return Protocol{
		Name: "tgcn", Horizons: upTo(window), Report: []int{3, 6, 9, 12}, Main: 1, Train: train, Averaged: true,
		moments: func(h int) (int, int) { return train + window - 1, n - h - 1 },
	}
}

// dcrnn is the protocol of DCRNN: samples of 12 steps in and 12 out, 70 % of them to
// learn from, 10 % to choose, the last 20 % to test; errors at the horizon alone;
// zeros are missing.
func dcrnn(n int) Protocol {
	samples := float64(n - 2*window + 1)
	train, test := int(math.RoundToEven(0.7*samples)), int(math.RoundToEven(0.2*samples))
	first := int(samples) - test + window - 1
	return Protocol{
		Name: "dcrnn", Horizons: upTo(window), Report: []int{3, 6, 9, 12}, Main: 1, ZeroMissing: true,
		Train: train, Choose: first - train,
		moments: func(int) (int, int) { return first, n - window },
	}
}

// exact learns from the first 80 % and tests every horizon at every step of the rest.
func exact(name string, n int, horizons []int) Protocol {
	train := n * 8 / 10
	return Protocol{
		Name: name, Horizons: horizons, Report: horizons, Train: train,
		moments: func(h int) (int, int) { return train - 1, n - h },
	}
}

// minutes is a horizon in minutes.
func minutes(g *series.Grid, horizon int) int {
	return int((time.Duration(horizon) * g.Step).Minutes())
}
