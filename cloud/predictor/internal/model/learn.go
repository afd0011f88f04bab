package model

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// manyRoads is up to how many roads every one is a candidate for every other's
	// correlates; beyond, only those near it in the graph are.
	manyRoads = 1500
	// correlateSteps bounds the steps that correlations are measured on.
	correlateSteps = 6000
)

// newInputs learns from a history what inputs need.
func newInputs(info Info, h History) (*inputs, *sums) {
	s := newSums(h.Grid)
	in := &inputs{Head: info, Scale: newScale(h.Grid), Means: s.table(), Neighbours: h.Graph.Neighbours}
	in.Long = info.Step >= longFrom
	in.Head.Depth = in.depth()
	in.Ahead = spread(info.Horizons, mostAhead)
	in.Others = findCorrelates(in, h, s)
	return in, s
}

// spread picks at most n of the horizons, evenly, with the last.
func spread(horizons []int, n int) []int {
	n = min(n, len(horizons))
	var out []int
	for i := 1; i <= n; i++ {
		out = append(out, horizons[i*len(horizons)/n-1])
	}
	return out
}

// newScale centres each road on its mean. The width is the same for all roads where
// their values compare, as speeds do. Flows differ too much: there it is the geometric
// mean of the road's deviation and that of all roads, so that an error counts for more
// on a road with more traffic, but not in proportion.
func newScale(g *series.Grid) scale {
	n := len(g.Roads)
	mean, dev := make([]float64, n), make([]float64, n)
	count := make([]float64, n)
	for t := range g.Steps() {
		for r, v := range g.Row(t) {
			if !series.Missing(v) {
				count[r]++
				d := float64(v) - mean[r]
				mean[r] += d / count[r]
				dev[r] += d * (float64(v) - mean[r])
			}
		}
	}
	var all, seen, centre float64
	for r := range n {
		if count[r] > 0 {
			dev[r] = math.Sqrt(dev[r] / count[r])
			all, centre, seen = all+dev[r], centre+mean[r], seen+1
		}
	}
	s := scale{make([]float32, n), make([]float32, n)}
	if seen > 0 {
		all, centre = all/seen, centre/seen
	}
	all = max(all, 1e-6*math.Abs(centre), 1e-9)
	for r := range n {
		s.Center[r], s.Width[r] = float32(mean[r]), float32(all)
		if g.Quantity.Name == "flow" {
			s.Width[r] = float32(math.Sqrt(all * max(dev[r], 0.05*all)))
		}
		if count[r] == 0 {
			s.Center[r] = float32(centre)
		}
	}
	return s
}

// findCorrelates finds for each road those whose difference from the usual goes with
// its later change, beyond what its own difference says.
func findCorrelates(in *inputs, h History, s *sums) [][]int32 {
	n := len(h.Grid.Roads)
	out := make([][]int32, n)
	ahead := in.Ahead[(len(in.Ahead)-1)/2]
	steps := h.Grid.Steps() - ahead
	if n < 2 || steps < 24 {
		return out
	}
	if n > manyRoads {
		for r := range out {
			out[r] = firstOf(h.Graph.Of(r), correlates)
		}
		return out
	}
	every := max(1, steps/correlateSteps)
	now, later := differences(in, h.Grid, s, ahead, every)
	rho := product(now, now)
	cross := product(now, later) // [road now][road later]
	for i := range n {
		own := float64(cross.Data[i*n+i])
		score := make([]float64, n)
		for j := range n {
			with := float64(rho.Data[i*n+j])
			if j != i && with*with < 0.999 {
				score[j] = math.Abs((float64(cross.Data[j*n+i]) - own*with) / math.Sqrt(1-with*with))
			}
		}
		out[i] = best(score, correlates)
	}
	return out
}

func firstOf(all []int32, n int) []int32 { return slices.Clone(all[:min(n, len(all))]) }

// best is the indexes of the n largest scores above 0, largest first.
func best(score []float64, n int) []int32 {
	var out []int32
	for range n {
		top := -1
		for j, v := range score {
			if v > 0 && (top < 0 || v > score[top]) {
				top = j
			}
		}
		if top < 0 {
			break
		}
		out = append(out, int32(top))
		score[top] = 0
	}
	return out
}

// differences are from the usual now, and the change until later, of all roads, in
// columns of mean 0 and length 1. Missing values are 0.
func differences(in *inputs, g *series.Grid, s *sums, ahead, every int) (now, later blas32.General) {
	n := len(g.Roads)
	rows := (g.Steps() - ahead + every - 1) / every
	now = blas32.General{Rows: rows, Cols: n, Stride: n, Data: make([]float32, rows*n)}
	later = blas32.General{Rows: rows, Cols: n, Stride: n, Data: make([]float32, rows*n)}
	usual := make([]float32, n)
	for i := range rows {
		t := i * every
		s.without(usual, g.Time(t))
		a, b := g.Row(t), g.Row(t+ahead)
		for r := range n {
			if v := a[r] - usual[r]; !series.Missing(v) {
				now.Data[i*n+r] = v
			}
			if v := b[r] - a[r]; !series.Missing(v) {
				later.Data[i*n+r] = v
			}
		}
	}
	standard(now)
	standard(later)
	return now, later
}

func standard(m blas32.General) {
	for c := range m.Cols {
		var sum, squares float64
		for i := c; i < len(m.Data); i += m.Stride {
			sum += float64(m.Data[i])
		}
		mean := sum / float64(m.Rows)
		for i := c; i < len(m.Data); i += m.Stride {
			d := float64(m.Data[i]) - mean
			squares += d * d
		}
		scale := 1 / math.Sqrt(max(squares, 1e-12))
		for i := c; i < len(m.Data); i += m.Stride {
			m.Data[i] = float32((float64(m.Data[i]) - mean) * scale)
		}
	}
}

func product(a, b blas32.General) blas32.General {
	out := blas32.General{Rows: a.Cols, Cols: b.Cols, Stride: b.Cols, Data: make([]float32, a.Cols*b.Cols)}
	blas32.Gemm(blas.Trans, blas.NoTrans, 1, a, b, 0, out)
	return out
}

// A trainingFrame is a frame with what came after it.
type trainingFrame struct {
	*frame
	// targets are the changes from the base at each horizon, in scale;
	// [horizon][road], NaN when not measured.
	targets [][]float32
}

// training makes the frame of a step of the history that in was learned from.
func (in *inputs) training(g *series.Grid, s *sums, step int) trainingFrame {
	f := trainingFrame{frame: in.frame(g.Window(step, in.Head.Depth), func(dst []float32, t time.Time) { s.without(dst, t) })}
	for _, h := range in.Head.Horizons {
		row := make([]float32, len(g.Roads))
		for r := range row {
			row[r] = series.NaN()
			if step+h < g.Steps() {
				if v := g.Row(step + h)[r]; !series.Missing(v) {
					row[r] = in.Scale.norm(r, v) - f.base(r, h)
				}
			}
		}
		f.targets = append(f.targets, row)
	}
	return f
}
