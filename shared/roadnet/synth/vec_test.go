package synth

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// drawLine is a line of random steps, none shorter than a metre, that bends by less
// than a right angle at each point.
func drawLine(t *rapid.T) line {
	l := line{{rapid.Float64Range(-1e3, 1e3).Draw(t, "x"), rapid.Float64Range(-1e3, 1e3).Draw(t, "y")}}
	angle := rapid.Float64Range(0, 2*math.Pi).Draw(t, "heading")
	for range rapid.IntRange(1, 20).Draw(t, "steps") {
		angle += rapid.Float64Range(-0.7, 0.7).Draw(t, "turn")
		l = append(l, l[len(l)-1].add(polar(rapid.Float64Range(1, 80).Draw(t, "step"), angle)))
	}
	return l
}

func TestBetweenCutsByLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		total := l.length()
		a := rapid.Float64Range(0, total).Draw(t, "a")
		b := rapid.Float64Range(a, total).Draw(t, "b")
		if got := l.between(a, b).length(); math.Abs(got-(b-a)) > 0.05 {
			t.Fatalf("from %g to %g: %g m long", a, b, got)
		}
	})
}

func TestAtIsClamped(t *testing.T) {
	l := line{{0, 0}, {10, 0}, {10, 10}}
	for _, c := range []struct {
		along    float64
		want, to vec
	}{{-5, vec{0, 0}, vec{1, 0}}, {4, vec{4, 0}, vec{1, 0}}, {14, vec{10, 4}, vec{0, 1}}, {99, vec{10, 10}, vec{0, 1}}} {
		if p, dir := l.at(c.along); p.dist(c.want) > 1e-9 || dir.dist(c.to) > 1e-9 {
			t.Errorf("at %g: %v, towards %v", c.along, p, dir)
		}
	}
}

func TestResampledKeepsEndsAndSpacing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		step := rapid.Float64Range(5, 60).Draw(t, "step")
		r := l.resampled(step)
		if r[0] != l[0] || r[len(r)-1] != l[len(l)-1] {
			t.Fatal("the ends moved")
		}
		for i := 1; i < len(r); i++ {
			if d := r[i].dist(r[i-1]); d > 1.5*step+1 && len(r) > 2 {
				t.Fatalf("points %g m apart: want about %g", d, step)
			}
		}
	})
}

// What simplified drops lies within the tolerance of what it keeps.
func TestSimplifiedStaysNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		tol := rapid.Float64Range(0.1, 20).Draw(t, "tolerance")
		s := l.simplified(tol)
		if s[0] != l[0] || s[len(s)-1] != l[len(l)-1] || len(s) > len(l) {
			t.Fatalf("%v became %v", l, s)
		}
		for _, p := range l {
			near := math.Inf(1)
			for i := 1; i < len(s); i++ {
				near = min(near, segmentDistance(p, s[i-1], s[i]))
			}
			if near > tol+1e-9 {
				t.Fatalf("a point %g m off: want at most %g", near, tol)
			}
		}
	})
}

func TestShiftedGoesToTheRight(t *testing.T) {
	east := line{{0, 0}, {100, 0}, {200, 0}}
	for _, p := range east.shifted(7) {
		if math.Abs(p.y+7) > 1e-9 {
			t.Errorf("eastbound moved to %v: want 7 m south", p)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		s := l.shifted(5)
		for i, p := range s {
			if d := p.dist(l[i]); d < 5-1e-6 || d > 10+1e-6 {
				t.Fatalf("point %d moved by %g m: want 5, up to 10 in a bend", i, d)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	l := line{{0, 0}, {100, 0}, {100, 100}}
	if d, dir := l.nearest(vec{103, 104}); math.Abs(d-5) > 1e-9 || dir != (vec{0, 1}) {
		t.Errorf("%g m, %v", d, dir)
	}
}
