package model

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// city makes a bundle of full size for so many roads without training it: what a
// forecast costs does not depend on what was learned.
func city(roads int) (*Bundle, *series.Grid) {
	names := make([]string, roads)
	graph := series.Graph{Neighbours: make([][]int32, roads)}
	for i := range names {
		names[i] = "road-" + strconv.Itoa(i)
		graph.Neighbours[i] = []int32{int32((i + 1) % roads), int32((i + 2) % roads), int32((i + roads - 1) % roads)}
	}
	g := series.NewGrid(series.Speed("km/h"), monday, 5*time.Minute, names, 288)
	for i := range g.Values {
		g.Values[i] = float32(30 + (i*7919)%40)
	}
	o := Options{Horizons: []int{1, 3, 6, 12}}
	h := History{Grid: g, Graph: graph}
	info, err := begin(EnsembleName, h, &o)
	if err != nil {
		panic(err)
	}
	b := &Bundle{Head: info}
	for _, t := range []Trainer{Persistence{}, Profile{}, EWMA{}} {
		m, err := t.Train(context.Background(), h, o)
		if err != nil {
			panic(err)
		}
		b.Simple = append(b.Simple, m)
	}
	in, _ := newInputs(info, h)
	// Weekly tables, as after some weeks.
	in.Means.Layout.Kinds = 7
	in.Means.Means = make([]float32, 7*in.Means.Layout.Slots*roads)
	for i := range in.Means.Means {
		in.Means.Means[i] = 50
	}
	b.Learned = &learned{In: in, Known: known(g), Ridge: make([]blas32.General, roads)}
	c := MLP{}.withDefaults()
	for i := range c.Nets {
		b.Learned.Nets = append(b.Learned.Nets, nn.New(nn.Shape{Inputs: in.width(), Roads: roads, Embed: c.Embed, Width: c.Width, Blocks: c.Blocks, Outputs: 4}, uint64(i)))
	}
	p := in.width() + 1
	for r := range b.Learned.Ridge {
		b.Learned.Ridge[r] = blas32.General{Rows: p, Cols: 4, Stride: 4, Data: make([]float32, 4*p)}
	}
	b.finish()
	for range b.Names() {
		b.Bands = append(b.Bands, newBands(nil, roads, 4))
	}
	return b, g
}

// cycle is the work of one boundary: a new row, all forecasts, their intervals.
func cycle(b *Bundle, g *series.Grid, w *series.Window, out []*Batch, widths []*Widths, step int) error {
	if _, err := w.Push(g.Time(step), g.Row(step%g.Steps())); err != nil {
		return err
	}
	if err := b.ForecastAll(w, out); err != nil {
		return err
	}
	for i := range out {
		widths[i].Observe(0, out[i], g.Row((step+1)%g.Steps()))
		widths[i].Apply(out[i], b.Head.Quantity)
	}
	return nil
}

// BenchmarkPredict measures the models' part of a cycle, all models of one quantity
// with intervals, and prints lines for `make bench-predict`. Twice the roads must take
// about twice as long, and a window that has run for long no longer than a new one.
func BenchmarkPredict(b *testing.B) {
	for b.Loop() {
		half := measure(b, 50_000, 12)
		whole := measure(b, 100_000, 12)
		later := measure(b, 100_000, 400)
		fmt.Printf("BENCH predict_models_100k_roads_s %.3f s\n", whole)
		fmt.Printf("BENCH predict_models_linear %.2f x\n", whole/half)
		fmt.Printf("BENCH predict_models_flat %.2f x\n", later/whole)
	}
}

// measure is the seconds of a cycle after so many others.
func measure(b *testing.B, roads, before int) float64 {
	bundle, g := city(roads)
	w := series.NewWindow(roads, bundle.Info().Depth, g.Step)
	out := bundle.NewBatches()
	var widths []*Widths
	for range out {
		widths = append(widths, NewWidths(4))
	}
	for s := range before {
		if _, err := w.Push(g.Time(s), g.Row(s%g.Steps())); err != nil {
			b.Fatal(err)
		}
	}
	const cycles = 3
	began := time.Now()
	for i := range cycles {
		if err := cycle(bundle, g, w, out, widths, before+i); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(began).Seconds() / cycles
	if roads == 100_000 && before < 100 {
		// The grid is the benchmark's own, a live predictor has none.
		g.Values = nil
		runtime.GC()
		fmt.Printf("BENCH predict_models_100k_peak_mib %.0f MiB\n", peakMiB())
		b.StopTimer()
		netAlone(b, bundle)
		b.StartTimer()
	}
	return took
}

// netAlone measures the mlp on one core: inputs and all networks.
func netAlone(b *testing.B, bundle *Bundle) {
	m := &mlp{In: bundle.Learned.In, Nets: bundle.Learned.Nets, Known: bundle.Learned.Known}
	w := series.NewWindow(len(m.In.Head.Roads), m.In.Head.Depth, m.In.Head.Step)
	row := make([]float32, len(m.In.Head.Roads))
	for s := range 24 {
		if _, err := w.Push(monday.Add(time.Duration(s)*m.In.Head.Step), row); err != nil {
			b.Fatal(err)
		}
	}
	out := NewBatch(len(row), 4)
	f := m.In.frame(w, m.In.typical)
	roads := make([]int32, 20_000)
	for i := range roads {
		roads[i] = int32(i)
	}
	began := time.Now()
	m.some(f, roads, out)
	us := float64(time.Since(began).Microseconds()) / float64(len(roads))
	fmt.Printf("BENCH predict_mlp_us_per_road %.1f us\n", us)
}

// peakMiB is the most memory that this process ever had; 0 where that is not known.
func peakMiB() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kib, _ := strconv.ParseFloat(strings.Fields(after + " 0")[0], 64)
	return kib / 1024
}
