package model

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"
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

// seed is the seed's cycle for one road, its functions put together.
func seed(points []Point, minute float64, hour int) (score, confidence float64) {
	var xs, ys []float64
	var total int64
	for _, p := range points {
		xs, ys, total = append(xs, p.Minute), append(ys, p.Score), total+p.Samples
	}
	currentScore := ys[len(ys)-1]
	var finalScore, trendStability float64
	if len(points) >= 2 {
		intercept, slope := stat.LinearRegression(xs, ys, nil, false)
		predicted := float64(slope*minute) + intercept
		alpha := ewmaAlpha
		blended := float64(alpha*predicted) + float64((1-alpha)*currentScore)
		finalScore = blended * seedFactor(hour)
		trendStability = math.Max(0.3, 1.0-float64(math.Abs(slope)*10))
	} else {
		finalScore = currentScore * seedFactor(hour)
		trendStability = 0.5
	}
	finalScore = math.Max(0.0, math.Min(1.0, finalScore))
	confidence = math.Min(1.0, float64(total)/50.0) * trendStability
	return math.Round(finalScore*1000) / 1000, math.Round(confidence*100) / 100
}

var ewmaAlpha = 0.7

func seedFactor(hour int) float64 {
	switch {
	case (hour >= 7 && hour < 9) || (hour >= 17 && hour < 19):
		return 1.15
	case hour >= 21 || hour < 6:
		return 0.85
	default:
		return 1.0
	}
}

// bySums is the line at minute another way: least squares from sums.
func bySums(points []Point, minute float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for _, p := range points {
		n, sx, sy = n+1, sx+p.Minute, sy+p.Score
		sxx, sxy = sxx+p.Minute*p.Minute, sxy+p.Minute*p.Score
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return (sy-slope*sx)/n + slope*minute
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
		if got := trend.Score(minute, hour); got != score {
			t.Fatalf("score %v, want %v", got, score)
		}
		if got := trend.Confidence(); got != confidence {
			t.Fatalf("confidence %v, want %v", got, confidence)
		}
		if len(points) > 1 {
			want := (0.7*bySums(points, minute) + 0.3*points[len(points)-1].Score) * seedFactor(hour)
			if want = min(1, max(0, want)); math.Abs(score-want) > 0.00051 {
				t.Fatalf("score %v, by sums %v", score, want)
			}
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
