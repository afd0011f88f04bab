package model

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// TestBands learns intervals from errors whose spread differs by road and by how far
// the forecast is from the present, and looks at new ones of the same kind.
func TestBands(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	draw := func() outcome {
		o := outcome{road: int32(rng.IntN(3)), hour: int16(rng.IntN(24)), move: float32(rng.IntN(10)), calm: rng.Float32()}
		o.error = float32(rng.NormFloat64()) * float32(1+o.road) * (1 + o.move)
		return o
	}
	var seen []outcome
	for range 40_000 {
		seen = append(seen, draw())
	}
	b := newBands(seen, 3, 1)
	var in, near, far, nears, fars float64
	const n = 20_000
	for range n {
		o := draw()
		i := b.class(int(o.road), o.calm, o.move, int(o.hour))
		low, high := b.Road[o.road]*b.Low[0][i], b.Road[o.road]*b.High[0][i]
		if low <= o.error && o.error <= high {
			in++
		}
		switch o.move {
		case 0:
			near, nears = near+float64(high-low), nears+1
		case 9:
			far, fars = far+float64(high-low), fars+1
		}
	}
	if share := in / n; share < 0.78 || share > 0.82 {
		t.Errorf("%.3f are within their interval, want 0.8", share)
	}
	if far/fars < 2*near/nears {
		t.Errorf("width %.2f where errors are small, %.2f where they are ten times as large", near/nears, far/fars)
	}
}

// TestWidths gives out intervals that are far too narrow on one side and too wide on
// the other; the factors must mend that, and follow when the errors grow.
func TestWidths(t *testing.T) {
	const roads = 200
	rng := rand.New(rand.NewPCG(7, 8))
	w, b, q := NewWidths(1), NewBatch(roads, 1), series.Speed("km/h")
	truth := make([]float32, roads)
	for step := range 900 {
		spread := float32(1)
		if step >= 450 {
			spread = 1.7
		}
		b.Clear()
		for r := range truth {
			b.set(r, 0, Value{50, 50 - 0.5, 50 + 2.5}, &q)
			truth[r] = 50 + spread*float32(rng.NormFloat64())
		}
		w.Apply(b, q)
		if step == 449 || step == 899 {
			in := 0
			for r := range truth {
				if v, _ := b.At(r, 0); v.Lower <= truth[r] && truth[r] <= v.Upper {
					in++
				}
			}
			if in < 140 || in > 180 {
				t.Errorf("step %d: %d of %d within", step, in, roads)
			}
		}
		w.Observe(0, b, truth)
	}
	low, high := math.Exp(w.lower[0]), math.Exp(w.upper[0])
	if low < 3 || high > 1.2 {
		t.Errorf("factors %.2f and %.2f", low, high)
	}
}

// TestClockChange wants the profile to go by the clock on the wall: after the change
// to summer time the same local hour is one hour earlier in UTC.
func TestClockChange(t *testing.T) {
	cal, err := series.NewCalendar("Europe/Paris", "FR")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2024, 3, 3, 23, 0, 0, 0, time.UTC) // a Monday in Paris
	g := series.NewGrid(series.Flow("veh/h"), begin, time.Hour, []string{"a"}, 27*24)
	g.Calendar = cal
	for s := range g.Steps() {
		weekday, clock := cal.Slot(g.Time(s))
		g.Row(s)[0] = float32(100 * clock.Hours())
		if weekday == 0 {
			g.Row(s)[0] += 30
		}
	}
	m, err := Profile{}.Train(context.Background(), History{Grid: g}, Options{Horizons: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	out := NewBatch(1, 1)
	for _, c := range []struct {
		at   string
		want float32
	}{
		{"2024-04-02T05:00:00Z", 800}, // forecasts Tuesday 8 h, by summer time
		{"2024-04-01T05:00:00Z", 830}, // Easter Monday is like a Sunday
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		w := series.NewWindow(1, 1, time.Hour)
		if _, err := w.Push(at, []float32{1}); err != nil {
			t.Fatal(err)
		}
		if err := m.Forecast(w, out); err != nil {
			t.Fatal(err)
		}
		// Days of one kind are drawn a little towards all days.
		if v, ok := out.At(0, 0); !ok || abs(v.Mean-c.want) > 10 {
			t.Errorf("after %s: %v, want about %v", c.at, v.Mean, c.want)
		}
	}
}

func abs(v float32) float32 { return max(v, -v) }
