package equilibrium

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Trip is demand: so many vehicles that want to go from one node to another.
type Trip struct {
	From, To int32
	Vehicles float64
}

// Options say when to stop. The zero Options are good.
type Options struct {
	// Gap is the relative gap that is enough; 0 is 1e-4.
	Gap float64
	// MaxSteps is the most steps; 0 is 1000.
	MaxSteps int
}

// A Result is how drivers spread.
type Result struct {
	// Flows and Times are by link.
	Flows, Times []float64
	// Gap is the relative gap: which part of all driving time would be saved if
	// everybody drove the way that is fastest at these times. 0 is the equilibrium.
	Gap float64
	// Objective is Beckmann's function, which the equilibrium minimises.
	Objective float64
	Steps     int
	// Unserved are the trips between places without a way.
	Unserved []Trip
}

var errTrip = errors.New("want nodes of the network and vehicles of 0 or more")

// Assign finds the equilibrium of trips. The error names the first trip that cannot be
// used, or is ctx's.
func (n *Network) Assign(ctx context.Context, trips []Trip, o Options) (*Result, error) {
	for i, t := range trips {
		if t.From < 0 || t.From >= n.nodes || t.To < 0 || t.To >= n.nodes || !(t.Vehicles >= 0) || math.IsInf(t.Vehicles, 1) {
			return nil, fmt.Errorf("assign trip %d, %g vehicles from %d to %d: %w", i, t.Vehicles, t.From, t.To, errTrip)
		}
	}
	if o.Gap <= 0 {
		o.Gap = 1e-4
	}
	if o.MaxSteps <= 0 {
		o.MaxSteps = 1000
	}
	l := newLoading(n, trips)
	first, err := l.load(n.times(make([]float64, len(n.links))))
	if err != nil {
		return nil, err
	}
	d := &descent{n: n, flows: first}
	r := &Result{Unserved: l.unserved()}
	for {
		times := n.times(d.flows)
		best, err := l.load(times)
		if err != nil {
			return nil, err
		}
		r.Flows, r.Times, r.Gap = d.flows, times, gap(times, d.flows, best)
		if r.Gap <= o.Gap || r.Steps == o.MaxSteps {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("assign trips: %w", err)
		}
		d.step(best)
		r.Steps++
	}
	for i := range n.links {
		r.Objective += n.links[i].total(r.Flows[i])
	}
	return r, nil
}

// times are the driving times at some flows.
func (n *Network) times(flows []float64) []float64 {
	times := make([]float64, len(flows))
	for i := range times {
		times[i] = n.links[i].Time(flows[i])
	}
	return times
}

// gap compares flows with the best that all could do at the same times.
func gap(times, flows, best []float64) float64 {
	total := dot(times, flows)
	if total == 0 {
		return 0
	}
	return max(0, (total-dot(times, best))/total)
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// A descent walks down Beckmann's function.
type descent struct {
	n     *Network
	flows []float64
	// last and older are the flows that the last two steps led towards, length is how
	// far the last one went, 0 to 1.
	last, older []float64
	length      float64
}

// step goes from the flows towards a blend of best, the fastest ways at present, and the
// aims of the two steps before, such that the directions are conjugate: they do not undo
// each other.
func (d *descent) step(best []float64) {
	aim := d.blend(best)
	length := d.search(aim)
	if length == 0 && d.last != nil { // the blend leads nowhere: start anew
		d.last, d.older = nil, nil
		aim = best
		length = d.search(aim)
	}
	next := make([]float64, len(aim))
	for i := range next {
		next[i] = max(0, d.flows[i]+length*(aim[i]-d.flows[i]))
	}
	d.flows, d.older, d.last, d.length = next, d.last, aim, length
}

// tooFar is a step after which the aim before says nothing of the present place.
const tooFar = 0.99

func (d *descent) blend(best []float64) []float64 {
	switch {
	case d.last == nil || d.length >= tooFar:
		d.older = nil
		return slices.Clone(best)
	case d.older == nil:
		return d.conjugate(best)
	default:
		return d.biconjugate(best)
	}
}

// conjugate blends with the aim of the last step.
func (d *descent) conjugate(best []float64) []float64 {
	var over, under float64
	for i := range best {
		h := d.n.links[i].slope(d.flows[i])
		toLast, toBest := d.last[i]-d.flows[i], best[i]-d.flows[i]
		over += toLast * h * toBest
		under += toLast * h * (toBest - toLast)
	}
	share := 0.0
	if under != 0 {
		share = min(tooFar, max(0, over/under))
	}
	aim := make([]float64, len(best))
	for i := range aim {
		aim[i] = share*d.last[i] + (1-share)*best[i]
	}
	return aim
}

// biconjugate blends with the aims of the last two steps.
func (d *descent) biconjugate(best []float64) []float64 {
	var overOlder, underOlder, overLast, underLast float64
	for i := range best {
		h, x := d.n.links[i].slope(d.flows[i]), d.flows[i]
		toLast, toBest := d.last[i]-x, best[i]-x
		toOlder := d.length*d.last[i] - x + (1-d.length)*d.older[i]
		overOlder += toOlder * h * toBest
		underOlder += toOlder * h * (d.older[i] - d.last[i])
		overLast += toLast * h * toBest
		underLast += toLast * h * toLast
	}
	if underOlder == 0 || underLast == 0 {
		return slices.Clone(best)
	}
	mu := max(0, -overOlder/underOlder)
	nu := max(0, -overLast/underLast+mu*d.length/(1-d.length))
	whole := 1 + mu + nu
	aim := make([]float64, len(best))
	for i := range aim {
		aim[i] = (best[i] + nu*d.last[i] + mu*d.older[i]) / whole
	}
	return aim
}

// search finds how far towards aim Beckmann's function falls, 0 to 1, by halving.
func (d *descent) search(aim []float64) float64 {
	slope := func(length float64) float64 {
		sum := 0.0
		for i, x := range d.flows {
			to := aim[i] - x
			sum += to * d.n.links[i].Time(max(0, x+length*to))
		}
		return sum
	}
	if slope(1) <= 0 {
		return 1
	}
	low, high := 0.0, 1.0
	for range 40 {
		if middle := (low + high) / 2; slope(middle) <= 0 {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
