package series

import (
	"fmt"
	"math"
	"time"
)

// A Quantity is what the numbers of a grid are.
type Quantity struct {
	// Name is "speed", "score" or "flow".
	Name string
	// Unit is for people, for example "km/h".
	Unit string
	// Min and Max bound every forecast, in Unit. Max may be +Inf.
	Min, Max float32
}

// Score is the quantity of congestion scores, 0 to 1.
func Score() Quantity { return Quantity{Name: "score", Max: 1} }

// Speed is the quantity of speeds in the unit given.
func Speed(unit string) Quantity {
	return Quantity{Name: "speed", Unit: unit, Max: float32(math.Inf(1))}
}

// Flow is the quantity of counts per step in the unit given.
func Flow(unit string) Quantity {
	return Quantity{Name: "flow", Unit: unit, Max: float32(math.Inf(1))}
}

// A Grid is a stretch of history of some roads.
type Grid struct {
	Quantity Quantity
	Calendar Calendar
	// Start is the begin of the first step, in event time.
	Start time.Time
	// Step is the length of every step, above 0.
	Step time.Duration
	// Roads are the ids of the columns.
	Roads []string
	// Values holds one row of len(Roads) after the other. NaN is missing.
	Values []float32
}

// NewGrid makes a grid of so many steps with nothing measured.
func NewGrid(q Quantity, start time.Time, step time.Duration, roads []string, steps int) *Grid {
	g := &Grid{Quantity: q, Start: start, Step: step, Roads: roads, Values: make([]float32, steps*len(roads))}
	for i := range g.Values {
		g.Values[i] = NaN()
	}
	return g
}

// NaN is the missing value.
func NaN() float32 { return float32(math.NaN()) }

// Missing is true for NaN and the infinities.
func Missing(v float32) bool { return !(v >= -math.MaxFloat32 && v <= math.MaxFloat32) }

// Steps is the number of rows.
func (g *Grid) Steps() int {
	if len(g.Roads) == 0 {
		return 0
	}
	return len(g.Values) / len(g.Roads)
}

// Row is the values of one step, shared with the grid.
func (g *Grid) Row(step int) []float32 {
	n := len(g.Roads)
	return g.Values[step*n : (step+1)*n : (step+1)*n]
}

// Time is the begin of a step.
func (g *Grid) Time(step int) time.Time { return g.Start.Add(time.Duration(step) * g.Step) }

// Slice is the steps [from, to), sharing memory.
func (g *Grid) Slice(from, to int) *Grid {
	out := *g
	n := len(g.Roads)
	out.Start = g.Time(from)
	out.Values = g.Values[from*n : to*n : to*n]
	return &out
}

// Validate refuses a grid that is not one.
func (g *Grid) Validate() error {
	switch {
	case g.Step <= 0:
		return fmt.Errorf("grid: step is %s; must be above 0", g.Step)
	case len(g.Roads) == 0:
		return fmt.Errorf("grid: no roads")
	case len(g.Values)%len(g.Roads) != 0:
		return fmt.Errorf("grid: %d values for %d roads; must be whole rows", len(g.Values), len(g.Roads))
	case !(g.Quantity.Min < g.Quantity.Max):
		return fmt.Errorf("grid: bounds %v to %v of %q; Min must be below Max", g.Quantity.Min, g.Quantity.Max, g.Quantity.Name)
	}
	seen := make(map[string]bool, len(g.Roads))
	for _, r := range g.Roads {
		if seen[r] {
			return fmt.Errorf("grid: road %q is there twice", r)
		}
		seen[r] = true
	}
	return nil
}

// Window is the depth steps that end with a step, sharing memory: it cannot be pushed
// to. Steps before the grid are missing.
func (g *Grid) Window(newest, depth int) *Window {
	before := NewGrid(g.Quantity, g.Start, g.Step, g.Roads, 1).Values
	return &Window{
		step: g.Step, roads: len(g.Roads), newest: g.Time(newest), rows: [][]float32{before},
		view: &view{grid: g, at: newest, depth: max(1, depth)},
	}
}
