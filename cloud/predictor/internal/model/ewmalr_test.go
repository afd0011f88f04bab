package model

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// line makes points of equal samples, five minutes apart.
func line(samples int64, scores ...float64) []Point {
	out := make([]Point, len(scores))
	for i, s := range scores {
		out[i] = Point{Minute: float64(5 * i), Score: s, Samples: samples}
	}
	return out
}

// TestGolden has values worked out by hand from the formula in the design.
func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		points     []Point
		minute     float64
		hour       int
		score      float64
		confidence float64
	}{
		// Slope 0.004 per minute, 0.44 at minute 60: 0.7·0.44 + 0.3·0.30 = 0.398.
		"rising, by day":   {line(6, 0.20, 0.22, 0.24, 0.26, 0.28, 0.30), 60, 12, 0.398, 0.69},
		"rising, in rush":  {line(6, 0.20, 0.22, 0.24, 0.26, 0.28, 0.30), 60, 8, 0.458, 0.69},
		"rising, at night": {line(6, 0.20, 0.22, 0.24, 0.26, 0.28, 0.30), 60, 23, 0.338, 0.69},
		// At minute 35: 0.34, blended 0.328.
		"five minutes ahead": {line(6, 0.20, 0.22, 0.24, 0.26, 0.28, 0.30), 35, 12, 0.328, 0.69},
		"one bucket":         {line(100, 0.5), 60, 18, 0.575, 0.5},
		"one bucket, few":    {line(7, 0.5), 60, 12, 0.5, 0.07},
		"flat":               {line(50, 0.4, 0.4), 60, 12, 0.4, 1},
		"a cliff":            {line(50, 0, 1), 60, 12, 1, 0.3},
		"falling below zero": {line(50, 0.3, 0.1), 90, 12, 0, 0.6},
		// Two points 25 minutes apart: slope 0.008, 0.58 at minute 60, blended 0.496.
		"a gap between": {[]Point{{0, 0.1, 2}, {25, 0.3, 2}}, 60, 12, 0.496, 0.07},
	} {
		t.Run(name, func(t *testing.T) {
			var f Fitter
			trend, ok := f.Fit(c.points)
			if !ok {
				t.Fatal("no trend")
			}
			if got := trend.Score(c.minute, c.hour); got != c.score {
				t.Errorf("score %v, want %v", got, c.score)
			}
			if got := trend.Confidence(); got != c.confidence {
				t.Errorf("confidence %v, want %v", got, c.confidence)
			}
		})
	}
	if _, ok := new(Fitter).Fit(nil); ok {
		t.Error("a trend of nothing")
	}
}

func TestRushFactor(t *testing.T) {
	want := map[int]float64{7: 1.15, 8: 1.15, 17: 1.15, 18: 1.15, 21: 0.85, 22: 0.85, 23: 0.85}
	for h := range 6 {
		want[h] = 0.85
	}
	for h := range 24 {
		w, ok := want[h]
		if !ok {
			w = 1
		}
		if got := rushFactor(h); got != w {
			t.Errorf("%d h: %v, want %v", h, got, w)
		}
	}
}

// seed computes the seed's cycle for one road another way: least squares from sums.
func seed(points []Point, minute float64, hour int) (score, confidence float64) {
	var n, sx, sy, sxx, sxy, samples float64
	for _, p := range points {
		n, sx, sy = n+1, sx+p.Minute, sy+p.Score
		sxx, sxy = sxx+p.Minute*p.Minute, sxy+p.Minute*p.Score
		samples += float64(p.Samples)
	}
	current := points[len(points)-1].Score
	score, stability := current, 0.5
	if n >= 2 {
		slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
		score = 0.7*(slope*minute+(sy-slope*sx)/n) + 0.3*current
		stability = math.Max(0.3, 1-10*math.Abs(slope))
	}
	factor := 1.0
	switch hour {
	case 7, 8, 17, 18:
		factor = 1.15
	case 21, 22, 23, 0, 1, 2, 3, 4, 5:
		factor = 0.85
	}
	score = math.Max(0, math.Min(1, score*factor))
	return math.Round(score*1000) / 1000, math.Round(math.Min(1, samples/50)*stability*100) / 100
}

func TestEqualsSeed(t *testing.T) {
	var f Fitter
	rapid.Check(t, func(t *rapid.T) {
		var points []Point
		for i := range 6 {
			if i == 5 && len(points) == 0 || rapid.IntRange(0, 3).Draw(t, "there") > 0 {
				points = append(points, Point{
					Minute:  float64(5 * i),
					Score:   rapid.Float64Range(0, 1).Draw(t, "score"),
					Samples: rapid.Int64Range(1, 30).Draw(t, "samples"),
				})
			}
		}
		minute := 30 + float64(rapid.SampledFrom([]int{5, 15, 30, 60}).Draw(t, "horizon"))
		hour := rapid.IntRange(0, 23).Draw(t, "hour")
		trend, _ := f.Fit(points)
		score, confidence := seed(points, minute, hour)
		// The two ways to sum may round to neighbouring thousandths.
		if got := trend.Score(minute, hour); math.Abs(got-score) > 0.00101 || got < 0 || got > 1 {
			t.Fatalf("score %v, want %v", got, score)
		}
		if got := trend.Confidence(); math.Abs(got-confidence) > 0.0101 {
			t.Fatalf("confidence %v, want %v", got, confidence)
		}
	})
}

func BenchmarkRoad(b *testing.B) {
	points := line(6, 0.20, 0.22, 0.24, 0.26, 0.28, 0.30)
	var f Fitter
	b.ReportAllocs()
	for b.Loop() {
		trend, _ := f.Fit(points)
		for _, h := range []float64{5, 15, 30, 60} {
			if trend.Score(30+h, 12) < 0 {
				b.Fatal()
			}
		}
	}
}

func ExampleFitter() {
	var f Fitter
	trend, _ := f.Fit([]Point{{Minute: 20, Score: 0.2, Samples: 25}, {Minute: 25, Score: 0.25, Samples: 25}})
	fmt.Println(trend.Score(30+15, 10), trend.Confidence())
	// Output: 0.39 0.9
}
