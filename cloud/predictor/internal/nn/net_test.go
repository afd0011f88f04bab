package nn

import (
	"math"
	"math/rand/v2"
	"testing"
)

func small() (Shape, Examples, *Scratch) {
	s := Shape{Inputs: 3, Roads: 4, Embed: 2, Width: 6, Blocks: 2, Outputs: 2}
	e := Examples{Roads: []int32{0, 3, 3, 1, 2}, Targets: make([]float32, 10), Weights: make([]float32, 10)}
	c := s.NewScratch(8)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range e.Roads {
		for j := range 3 {
			c.Input(i)[j] = float32(rng.NormFloat64())
		}
	}
	for i := range e.Targets {
		e.Targets[i], e.Weights[i] = float32(rng.NormFloat64()), 0.5+float32(i%3)
	}
	e.Weights[3], e.Targets[3] = 0, float32(math.NaN())
	return s, e, c
}

// TestGradient holds the gradient against finite differences, for every weight, with
// and without dropout.
func TestGradient(t *testing.T) {
	for _, share := range []float32{0, 0.3} {
		s, e, c := small()
		e.Dropout, e.Random = share, 77
		n := New(s, 5)
		rng := rand.New(rand.NewPCG(3, 4))
		for i := range n.Params { // the last layer begins as zero
			n.Params[i] += float32(0.3 * rng.NormFloat64())
		}
		l := Loss{Round: 0.5}
		grad := make([]float32, len(n.Params))
		n.Gradient(c, e, l, grad)
		wrong := 0
		for i := range n.Params {
			const h = 2e-3
			at := func(d float32) float64 {
				old := n.Params[i]
				n.Params[i] += d
				defer func() { n.Params[i] = old }()
				return n.Gradient(c, e, l, make([]float32, len(n.Params)))
			}
			want := (at(h) - at(-h)) / (2 * h)
			if math.Abs(want-float64(grad[i])) > 0.01+0.02*math.Abs(want) {
				wrong++
				t.Logf("dropout %v weight %d: %v, by differences %v", share, i, grad[i], want)
			}
		}
		// A ReLU that turns within the difference spoils single weights.
		if wrong > len(n.Params)/50 {
			t.Errorf("dropout %v: %d of %d gradients are wrong", share, wrong, len(n.Params))
		}
	}
}

// TestLearns fits a function that no linear model can.
func TestLearns(t *testing.T) {
	s := Shape{Inputs: 2, Roads: 1, Embed: 1, Width: 16, Blocks: 1, Outputs: 1}
	n := New(s, 1)
	a := NewAdam(n)
	c := s.NewScratch(32)
	rng := rand.New(rand.NewPCG(9, 9))
	grad := make([]float32, len(n.Params))
	var loss float64
	for step := range 600 {
		e := Examples{Roads: make([]int32, 32), Targets: make([]float32, 32), Weights: make([]float32, 32)}
		for i := range e.Roads {
			x, y := rng.Float32()*2-1, rng.Float32()*2-1
			c.Input(i)[0], c.Input(i)[1] = x, y
			e.Targets[i], e.Weights[i] = x*y, 1.0/32
		}
		clear(grad)
		loss = n.Gradient(c, e, Loss{Round: 0.1}, grad)
		a.Update(n, grad, Rates{Learning: Cosine(0.02, float64(step)/600), Keep: 0.9})
	}
	if loss > 0.02 {
		t.Errorf("loss %v after training", loss)
	}
}
