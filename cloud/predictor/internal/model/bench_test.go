package model

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
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

// BenchmarkPredict measures the models' part of a cycle: all models of two quantities,
// speed and score, with intervals, at four horizons. It prints lines for `make
// bench-predict`. Twice the roads must take about twice as long, and windows that have
// run for long no longer than new ones.
func BenchmarkPredict(b *testing.B) {
	for b.Loop() {
		half, _ := measure(b, 50_000, 12)
		whole, later := measure(b, 100_000, 12)
		fmt.Printf("BENCH predict_models_100k_roads_s %.3f s\n", whole)
		fmt.Printf("BENCH predict_models_linear %.2f x\n", whole/half)
		fmt.Printf("BENCH predict_models_flat %.2f x\n", later/whole)
	}
}

// A live is what a predictor keeps of one quantity.
type live struct {
	bundle *Bundle
	window *series.Window
	out    []*Batch
	widths []*Widths
}

// measure is the seconds of a cycle after so many others, and after a day.
func measure(b *testing.B, roads, before int) (soon, later float64) {
	var both []*live
	rows := make([][]float32, 7)
	for range 2 {
		bundle, g := city(roads)
		for i := range rows {
			rows[i] = slices.Clone(g.Row(i * 31))
		}
		l := &live{bundle: bundle, window: series.NewWindow(roads, bundle.Info().Depth, g.Step), out: bundle.NewBatches()}
		for range l.out {
			l.widths = append(l.widths, NewWidths(4))
		}
		both = append(both, l)
	}
	debug.FreeOSMemory()
	at := func(step int) time.Time { return monday.Add(time.Duration(step) * 5 * time.Minute) }
	push := func(from, to int) {
		for s := from; s < to; s++ {
			for _, l := range both {
				if _, err := l.window.Push(at(s), rows[s%len(rows)]); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	timed := func(from int) float64 {
		const cycles = 3
		began := time.Now()
		for s := from; s < from+cycles; s++ {
			push(s, s+1)
			for _, l := range both {
				l.cycle(b, rows[(s+1)%len(rows)])
			}
		}
		return time.Since(began).Seconds() / cycles
	}
	push(0, before)
	soon = timed(before)
	if roads == 100_000 {
		fmt.Printf("BENCH predict_models_100k_rss_mib %.0f MiB\n", residentMiB())
		netAlone(b, both[0].bundle)
		push(before+3, 288)
		later = timed(288)
	}
	return soon, later
}

// cycle makes all forecasts with their intervals, and scores one horizon.
func (l *live) cycle(b *testing.B, truth []float32) {
	if err := l.bundle.ForecastAll(l.window, l.out); err != nil {
		b.Fatal(err)
	}
	for i := range l.out {
		l.widths[i].Observe(0, l.out[i], truth)
		l.widths[i].Apply(l.out[i], l.bundle.Head.Quantity)
	}
}

// BenchmarkTrain trains all models for 207 roads on the share of a made-up week that
// T-GCN's protocol trains with.
func BenchmarkTrain(b *testing.B) {
	names := make([]string, 207)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	g := series.NewGrid(series.Speed("mph"), monday, 5*time.Minute, names, 1612)
	rng := rand.New(rand.NewPCG(1, 2))
	jam := make([]float64, len(names))
	for s := range g.Steps() {
		_, clock := g.Calendar.Slot(g.Time(s))
		rush := math.Exp(-math.Pow(clock.Hours()-8, 2)) + math.Exp(-math.Pow(clock.Hours()-17, 2)/4)
		for r := range names {
			jam[r] = 0.95*jam[r] + 0.3*rng.NormFloat64()
			g.Row(s)[r] = float32(max(3, 65-30*rush*float64(r%5)/4-3*math.Abs(jam[r])))
		}
	}
	for b.Loop() {
		began := time.Now()
		if _, err := (Suite{}).Train(context.Background(), History{Grid: g}, Options{Horizons: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}); err != nil {
			b.Fatal(err)
		}
		fmt.Printf("BENCH predict_train_s %.1f s\n", time.Since(began).Seconds())
	}
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

// residentMiB is the memory of this process now; 0 where that is not known.
func residentMiB() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kib, _ := strconv.ParseFloat(strings.Fields(after + " 0")[0], 64)
	return kib / 1024
}
