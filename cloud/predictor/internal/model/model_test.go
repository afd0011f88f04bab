package model

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"time"

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
	g := daily([]string{"a", "b", "c"}, 3, 15*time.Minute)
	graph := series.Graph{Neighbours: [][]int32{{1}, {0, 2}, {}}}
	for _, tr := range []Trainer{Persistence{}, Profile{}} {
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
			equalForecasts(t, m, back, window(t, g, m.Info().Depth, 200))
			for name, bad := range map[string]Want{
				"step":  {Step: time.Minute, Roads: g.Roads, Graph: graph},
				"graph": {Step: g.Step, Roads: g.Roads},
				"roads": {Step: g.Step, Roads: []string{"a", "b"}, Graph: series.Graph{Neighbours: [][]int32{{1}, {0}}}},
			} {
				if _, err := Load(bytes.NewReader(file.Bytes()), bad); !errors.Is(err, ErrOther) {
					t.Errorf("other %s: %v", name, err)
				}
			}
			for cut := range file.Len() {
				if _, err := Load(bytes.NewReader(file.Bytes()[:cut]), want); !errors.Is(err, ErrDamaged) {
					t.Fatalf("cut at %d: %v", cut, err)
				}
			}
			for i := 0; i < file.Len(); i += 17 {
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
	g := daily([]string{"a", "b", "c"}, 3, 15*time.Minute)
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
