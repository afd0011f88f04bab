package emission_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/emission"
)

// Worked by hand from the coefficients of the guidebook.
func TestGramsPerKM(t *testing.T) {
	for _, c := range []struct{ speed, want float64 }{
		{10, (174 + 3.64 + 0.874) / (1 + 0.685 - 0.0247) * 3.16944},
		{50, (174 + 18.2 + 21.85) / (1 + 3.425 - 0.6175) * 3.16944},
		{100, (174 + 36.4 + 87.4) / (1 + 6.85 - 2.47) * 3.16944},
	} {
		if got := emission.GramsPerKM(c.speed); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%g km/h: %g g/km, want %g", c.speed, got, c.want)
		}
	}
	// What everybody knows of cars: a crawl takes twice as much as a free road, and a
	// petrol car of the time about 170 g/km.
	if ratio := emission.GramsPerKM(10) / emission.GramsPerKM(50); ratio < 1.7 || ratio > 2.2 {
		t.Errorf("10 against 50 km/h: %.2f times", ratio)
	}
	if g := emission.GramsPerKM(70); g < 140 || g > 200 {
		t.Errorf("70 km/h: %g g/km", g)
	}
}

func TestGramsOutsideTheMeasuredSpeeds(t *testing.T) {
	for _, c := range []struct{ asked, answered float64 }{{0, 10}, {-3, 10}, {3, 10}, {200, 130}} {
		if got, want := emission.GramsPerKM(c.asked), emission.GramsPerKM(c.answered); got != want {
			t.Errorf("%g km/h: %g, want that of %g: %g", c.asked, got, c.answered, want)
		}
	}
}

// Up to the best speed faster is cleaner, and the amount grows with the length.
func TestGramsAreMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(10, 60).Draw(t, "v")
		w := rapid.Float64Range(10, 60).Draw(t, "w")
		if v < w && emission.GramsPerKM(v) < emission.GramsPerKM(w) {
			t.Fatalf("%g km/h is cleaner than %g", v, w)
		}
		l := rapid.Float64Range(0, 5000).Draw(t, "l")
		if got, want := emission.Grams(2*l, v), 2*emission.Grams(l, v); math.Abs(got-want) > 1e-9*want {
			t.Fatalf("twice %g m gives %g, want %g", l, got, want)
		}
	})
}
