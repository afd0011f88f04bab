package nn

import "math"

// Adam is Kingma and Ba's optimiser with decoupled weight decay, and a running mean of
// the weights. All fields are written to checkpoints.
type Adam struct {
	// Step counts the updates.
	Step int
	// First and Second are the running moments of the gradient.
	First, Second []float32
	// Mean is the running mean of the weights: what forecasts are made with.
	Mean []float32
}

const (
	firstDecay  = 0.9
	secondDecay = 0.999
	tiny        = 1e-8
)

// NewAdam begins with the weights of a net.
func NewAdam(n *Net) *Adam {
	a := &Adam{First: make([]float32, len(n.Params)), Second: make([]float32, len(n.Params))}
	a.Mean = append(a.Mean, n.Params...)
	return a
}

// Rates are what an update depends on.
type Rates struct {
	// Learning is the step width, Decay the share of it that weights lose.
	Learning, Decay float64
	// Keep is the share of the old mean in the new one.
	Keep float64
}

// Update changes the weights of n by a gradient.
func (a *Adam) Update(n *Net, grad []float32, r Rates) {
	a.Step++
	width := float32(r.Learning * math.Sqrt(1-math.Pow(secondDecay, float64(a.Step))) / (1 - math.Pow(firstDecay, float64(a.Step))))
	lose := float32(r.Learning * r.Decay)
	// The mean is of few weights at the begin.
	keep := float32(min(r.Keep, float64(a.Step)/float64(a.Step+9)))
	first, second, mean, params := a.First[:len(grad)], a.Second[:len(grad)], a.Mean[:len(grad)], n.Params[:len(grad)]
	for i, g := range grad {
		first[i] += (1 - firstDecay) * (g - first[i])
		second[i] += (1 - secondDecay) * (g*g - second[i])
		w := params[i]
		w -= width*first[i]/(float32(math.Sqrt(float64(second[i])))+tiny) + lose*w
		params[i] = w
		mean[i] = keep*mean[i] + (1-keep)*w
	}
}

// Cosine is the learning rate at a share 0 to 1 of the training: it rises over the
// first twentieth and falls along a cosine to a hundredth.
func Cosine(peak, done float64) float64 {
	const warm = 0.05
	if done < warm {
		return peak * (0.1 + 0.9*done/warm)
	}
	return peak * (0.01 + 0.99*0.5*(1+math.Cos(math.Pi*(done-warm)/(1-warm))))
}
