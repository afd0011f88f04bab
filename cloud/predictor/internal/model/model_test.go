package model

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/nn"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// monday is a begin of day and week, in UTC.
var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// daily makes a grid of speeds with a daily swing that differs by road, and a share of
// values missing.
func daily(roads []string, days int, step time.Duration) *series.Grid {
	g := series.NewGrid(series.Speed("km/h"), monday, step, roads, days*int(series.Day/step))
	for t := range g.Steps() {
		row := g.Row(t)
		_, clock := g.Calendar.Slot(g.Time(t))
		for r := range row {
			if (t*7+r*3)%23 != 0 {
				row[r] = float32(50 + 10*r + int(20*math.Sin(2*math.Pi*clock.Hours()/24)))
			}
		}
	}
	return g
}

// window is the window of depth steps that ends with a step of g.
func window(t testing.TB, g *series.Grid, depth, newest int) *series.Window {
	t.Helper()
	w := series.NewWindow(len(g.Roads), depth, g.Step)
	for s := max(0, newest-depth+1); s <= newest; s++ {
		if _, err := w.Push(g.Time(s), g.Row(s)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestSaveLoad(t *testing.T) {
	g := daily([]string{"a", "b", "c"}, 4, 30*time.Minute)
	graph := series.Graph{Neighbours: [][]int32{{1}, {0, 2}, {}}}
	for _, tr := range []Trainer{Persistence{}, Profile{}, EWMA{}, ProfileAR{}, tiny(), Suite{Net: tiny()}} {
		t.Run(tr.Name(), func(t *testing.T) {
			m, err := tr.Train(context.Background(), History{g, graph}, Options{Horizons: []int{1, 4}})
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if err := Save(&file, m); err != nil {
				t.Fatal(err)
			}
			want := Want{Step: g.Step, Roads: g.Roads, Graph: graph}
			back, err := Load(bytes.NewReader(file.Bytes()), want)
			if err != nil {
				t.Fatal(err)
			}
			equalForecasts(t, m, back, window(t, g, m.Info().Depth, 150))
			for name, bad := range map[string]Want{
				"step":  {Step: time.Minute, Roads: g.Roads, Graph: graph},
				"graph": {Step: g.Step, Roads: g.Roads},
				"roads": {Step: g.Step, Roads: []string{"a", "b"}, Graph: series.Graph{Neighbours: [][]int32{{1}, {0}}}},
			} {
				if _, err := Load(bytes.NewReader(file.Bytes()), bad); !errors.Is(err, ErrOther) {
					t.Errorf("other %s: %v", name, err)
				}
			}
			for cut := 0; cut < file.Len(); cut += 1 + file.Len()/20 {
				if _, err := Load(bytes.NewReader(file.Bytes()[:cut]), want); !errors.Is(err, ErrDamaged) {
					t.Fatalf("cut at %d: %v", cut, err)
				}
			}
			for i := 0; i < file.Len(); i += 1 + file.Len()/20 {
				b := bytes.Clone(file.Bytes())
				b[i] ^= 0x40
				if _, err := Load(bytes.NewReader(b), want); !errors.Is(err, ErrDamaged) {
					t.Fatalf("changed at %d: %v", i, err)
				}
			}
		})
	}
}

func equalForecasts(t *testing.T, a, b Model, w *series.Window) {
	t.Helper()
	x := NewBatch(len(a.Info().Roads), len(a.Info().Horizons))
	y := NewBatch(len(a.Info().Roads), len(a.Info().Horizons))
	if err := errors.Join(a.Forecast(w, x), b.Forecast(w, y)); err != nil {
		t.Fatal(err)
	}
	some := false
	for r := range x.Roads() {
		for h := range x.Horizons() {
			v, ok := x.At(r, h)
			u, also := y.At(r, h)
			if ok != also || ok && v != u {
				t.Fatalf("road %d horizon %d: %v %v, then %v %v", r, h, v, ok, u, also)
			}
			some = some || ok
		}
	}
	if !some {
		t.Fatal("no forecast at all")
	}
}

func TestRebind(t *testing.T) {
	g := daily([]string{"a", "b", "c"}, 4, 30*time.Minute)
	m, err := Profile{}.Train(context.Background(), History{Grid: g}, Options{Horizons: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	r := Rebind(m, []string{"new", "c", "a"})
	out, plain := NewBatch(3, 1), NewBatch(3, 1)
	other := series.NewWindow(3, 1, g.Step)
	if _, err := other.Push(g.Time(100), []float32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Forecast(other, out), m.Forecast(window(t, g, 1, 100), plain)); err != nil {
		t.Fatal(err)
	}
	if _, ok := out.At(0, 0); ok {
		t.Error("a forecast for a road that is new")
	}
	for i, k := range map[int]int{1: 2, 2: 0} {
		got, _ := out.At(i, 0)
		want, _ := plain.At(k, 0)
		if got != want {
			t.Errorf("road %d: %v, want %v", i, got, want)
		}
	}
}

// tiny is an mlp that trains in a moment.
func tiny() MLP { return MLP{Width: 8, Embed: 2, Nets: 2, Epochs: 30, MaxSamples: 10_240} }

// TestResume stops a training again and again; the end is the same as without.
func TestResume(t *testing.T) {
	g := daily([]string{"a", "b", "c"}, 4, 30*time.Minute)
	h := History{Grid: g}
	whole, err := tiny().Train(context.Background(), h, Options{Horizons: []int{1, 4}, Seed: 3, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	c := tiny().withDefaults()
	info, _ := begin(MLPName, h, &Options{Horizons: []int{1, 4}})
	in, s := newInputs(info, h)
	path := filepath.Join(t.TempDir(), "mlp.checkpoint")
	var done [][]float32
	for i, stops := 0, 0; i < c.Nets; {
		l := newLearner(c, in, g, s, 3*1000+uint64(i))
		l.workers, l.log = 2, slog.New(slog.DiscardHandler)
		cp, err := openCheckpoint(path, c.key(in, g, 3))
		if err != nil {
			t.Fatal(err)
		}
		cp.State.restore(l)
		cp.saved = time.Time{} // save at once
		ctx := &rounds{Context: context.Background(), left: 3}
		if err := l.run(ctx, cp); errors.Is(err, context.Canceled) {
			stops++
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if i++; stops < 2 {
			t.Fatalf("stopped %d times", stops)
		}
		done = append(done, l.best)
		cp.State = progress{Key: cp.State.Key, Done: done}
		if err := cp.save(); err != nil {
			t.Fatal(err)
		}
	}
	back := &mlp{In: in, Known: known(g)}
	for _, p := range done {
		back.Nets = append(back.Nets, &nn.Net{Shape: whole.(*mlp).Nets[0].Shape, Params: p})
	}
	equalForecasts(t, whole, back, window(t, g, whole.Info().Depth, 150))

	// What is finished is not trained again, and the file goes.
	again, err := tiny().Train(&rounds{Context: context.Background()}, h, Options{Horizons: []int{1, 4}, Seed: 3, Checkpoint: path})
	if err != nil {
		t.Fatal(err)
	}
	equalForecasts(t, whole, again, window(t, g, whole.Info().Depth, 150))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the checkpoint is still there: %v", err)
	}
}

// rounds is a context that is cancelled after so many looks.
type rounds struct {
	context.Context
	left int
}

func (r *rounds) Err() error {
	if r.left--; r.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestFuture changes everything after a moment: no forecast of that moment may change,
// and neither may training on what came before.
func TestFuture(t *testing.T) {
	g := daily([]string{"a", "b", "c", "d"}, 6, 30*time.Minute)
	graph := series.Graph{Neighbours: [][]int32{{1}, {0}, {3}, {2}}}
	const cut = 200
	other := *g
	other.Values = slices.Clone(g.Values)
	rng := rand.New(rand.NewPCG(1, 1))
	after := other.Values[cut*4:]
	rng.Shuffle(len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
	var models []Model
	for _, from := range []*series.Grid{g, &other} {
		m, err := Suite{Net: tiny()}.Train(context.Background(), History{from.Slice(0, cut), graph}, Options{Horizons: []int{1, 2, 4}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	a, b := models[0].(*Bundle), models[1].(*Bundle)
	x, y := a.NewBatches(), b.NewBatches()
	live := series.NewWindow(4, a.Info().Depth, g.Step)
	for s := range cut {
		if _, err := live.Push(g.Time(s), g.Row(s)); err != nil {
			t.Fatal(err)
		}
	}
	// One looks at the grid as back-tests do, the other was pushed to as live ones are.
	if err := errors.Join(a.ForecastAll(other.Window(cut-1, a.Info().Depth), x), b.ForecastAll(live, y)); err != nil {
		t.Fatal(err)
	}
	for i, name := range a.Names() {
		for r := range 4 {
			for h := range 3 {
				v, ok := x[i].At(r, h)
				u, also := y[i].At(r, h)
				if v != u || ok != also {
					t.Errorf("%s: %v %v, with another future %v %v", name, v, ok, u, also)
				}
			}
		}
	}
}

// TestBadInput trains and forecasts on what sensors do: no model may fail, or say
// anything that is not finite and within bounds.
func TestBadInput(t *testing.T) {
	const days, step = 4, time.Hour
	fill := func(value func(t, road int) float32) *series.Grid {
		g := series.NewGrid(series.Speed("km/h"), monday, step, []string{"a", "b", "c"}, days*24)
		for s := range g.Steps() {
			for r := range g.Roads {
				g.Row(s)[r] = value(s, r)
			}
		}
		return g
	}
	nan := series.NaN()
	for name, g := range map[string]*series.Grid{
		"constant":    fill(func(int, int) float32 { return 50 }),
		"zeros":       fill(func(int, int) float32 { return 0 }),
		"all missing": fill(func(int, int) float32 { return nan }),
		"one is dead": fill(func(t, r int) float32 { return []float32{float32(t % 7), nan, 30}[r] }),
		"dies, starts": fill(func(t, r int) float32 {
			if r == 0 && t > 70 || r == 1 && t < 70 {
				return nan
			}
			return float32(40 + t%5)
		}),
		"infinities and huge": fill(func(t, r int) float32 {
			return []float32{float32(math.Inf(1 - 2*(t%2))), 1e37, float32(t % 3)}[r]
		}),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Suite{Net: tiny()}.Train(context.Background(), History{Grid: g}, Options{Horizons: []int{1, 2}})
			if err != nil {
				t.Fatal(err)
			}
			b := m.(*Bundle)
			out := b.NewBatches()
			for _, newest := range []int{0, 1, 70, g.Steps() - 1} {
				if err := b.ForecastAll(g.Window(newest, b.Info().Depth), out); err != nil {
					t.Fatal(err)
				}
				for i := range out {
					sane(t, b.Names()[i], out[i])
				}
			}
		})
	}
}

func sane(t *testing.T, name string, b *Batch) {
	t.Helper()
	for r := range b.Roads() {
		for h := range b.Horizons() {
			v, ok := b.At(r, h)
			if !ok {
				continue
			}
			if series.Missing(v.Mean) || series.Missing(v.Lower) || series.Missing(v.Upper) || !(0 <= v.Lower && v.Lower <= v.Mean && v.Mean <= v.Upper) {
				t.Fatalf("%s: road %d horizon %d: %+v", name, r, h, v)
			}
		}
	}
}

// TestTooLittle wants simple models alone, and from the learning ones the right error.
func TestTooLittle(t *testing.T) {
	g := daily([]string{"a"}, 1, time.Hour).Slice(0, 20)
	for _, tr := range []Trainer{Profile{}, ProfileAR{}, MLP{}} {
		if _, err := tr.Train(context.Background(), History{Grid: g}, Options{Horizons: []int{1}}); !errors.Is(err, ErrTooLittle) {
			t.Errorf("%s: %v", tr.Name(), err)
		}
	}
	m, err := Suite{}.Train(context.Background(), History{Grid: g}, Options{Horizons: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.(*Bundle).Names(); !slices.Equal(got, []string{PersistenceName, EWMALR}) {
		t.Errorf("models %v", got)
	}
}
