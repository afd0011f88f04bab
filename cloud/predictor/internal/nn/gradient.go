package nn

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// A Loss is sqrt(e² + Round²) − Round of each error e: half a square where e is small
// against Round, its amount where it is large.
type Loss struct {
	Round float32
}

// at is the loss of an error and its derivative.
func (l Loss) at(e float32) (loss, slope float32) {
	root := float32(math.Sqrt(float64(e*e + l.Round*l.Round)))
	return root - l.Round, e / root
}

// Examples are what goes with the inputs of a Scratch.
type Examples struct {
	Roads []int32
	// Targets and Weights are rows of Outputs values. A target of weight 0 may be NaN.
	Targets, Weights []float32
	// Random begins the choice of what dropout leaves out, Dropout is its share.
	Random  uint64
	Dropout float32
}

// Gradient adds the gradient of the weighted sum of losses to grad, which is as long
// as Params, and returns that sum.
func (n *Net) Gradient(c *Scratch, e Examples, l Loss, grad []float32) float64 {
	c.forGradients(n.Shape)
	p, g := n.Shape.parts(n.Params), n.Shape.parts(grad)
	var d *dropout
	if e.Dropout > 0 {
		d = &dropout{state: e.Random*2 + 1, share: e.Dropout}
	}
	out := n.forward(c, &p, e.Roads, d)
	rows := len(e.Roads)
	total := 0.0
	dOut := top(c.dOut, rows)
	for i, w := range e.Weights {
		dOut.Data[i] = 0
		if w != 0 {
			loss, slope := l.at(out[i] - e.Targets[i])
			total += float64(w * loss)
			dOut.Data[i] = w * slope
		}
	}
	n.backward(c, &p, &g, e)
	return total
}

// forGradients makes the memory that Forward alone does not need.
func (c *Scratch) forGradients(s Shape) {
	if c.turned != nil {
		return
	}
	matrix := func(cols int) blas32.General {
		return blas32.General{Rows: c.rows, Cols: cols, Stride: cols, Data: make([]float32, c.rows*cols)}
	}
	c.dOut, c.dHidden, c.dInner = matrix(s.Outputs), matrix(s.Width), matrix(s.Width)
	c.dIn = matrix(s.Inputs + s.Embed)
	c.turned = make([]float32, c.rows*max(s.Width, s.Inputs+s.Embed))
}

func (n *Net) backward(c *Scratch, p, g *parts, e Examples) {
	rows := len(e.Roads)
	dOut, dHidden, dInner, dIn := top(c.dOut, rows), top(c.dHidden, rows), top(c.dInner, rows), top(c.dIn, rows)
	c.weights(c.hidden[n.Shape.Blocks], dOut, g.last, g.lastBias)
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, dOut, p.last, 0, dHidden)
	for k := n.Shape.Blocks - 1; k >= 0; k-- {
		through(dInner.Data, dHidden.Data, c.inner[k].Data)
		from := c.hidden[k]
		if e.Dropout > 0 {
			from = c.dropped[k]
		}
		c.weights(from, dInner, g.blocks[k], g.blockBiases[k])
		// What was dropped is 0 in dropped, as is what the ReLU before stopped; neither
		// passes a gradient to the block's input.
		into := top(c.out2(n.Shape.Width), rows)
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, dInner, p.blocks[k], 0, into)
		scale := 1 / (1 - e.Dropout)
		for i, v := range from.Data[:len(into.Data)] {
			if v != 0 {
				dHidden.Data[i] += scale * into.Data[i]
			}
		}
	}
	through(dHidden.Data, dHidden.Data, c.hidden[0].Data)
	c.weights(c.in, dHidden, g.first, g.firstBias)
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, dHidden, p.first, 0, dIn)
	for i, r := range e.Roads {
		row := g.embed.Data[int(r)*n.Shape.Embed : (int(r)+1)*n.Shape.Embed]
		for j := range row {
			row[j] += dIn.Data[i*dIn.Stride+n.Shape.Inputs+j]
		}
	}
}

// out2 is memory of the shape of a hidden row that backward needs for a moment.
func (c *Scratch) out2(width int) blas32.General {
	return blas32.General{Rows: c.rows, Cols: width, Stride: width, Data: c.turned[:c.rows*width]}
}

// weights adds xᵀ·d and the column sums of d to a layer's gradient. Turning x first is
// three times as fast as a product with it turned.
func (c *Scratch) weights(x, d, grad blas32.General, bias []float32) {
	rows, cols := d.Rows, x.Cols
	turned := blas32.General{Rows: cols, Cols: rows, Stride: rows, Data: c.turned[:cols*rows]}
	for i := range rows {
		for j, v := range x.Data[i*cols : (i+1)*cols] {
			turned.Data[j*rows+i] = v
		}
	}
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, turned, d, 1, grad)
	for i := range rows {
		for j, v := range d.Data[i*d.Stride : i*d.Stride+d.Cols] {
			bias[j] += v
		}
	}
}

// through passes a gradient where the ReLU let the value pass.
func through(dst, d, after []float32) {
	after = after[:len(dst)]
	for i, v := range d {
		if after[i] <= 0 {
			v = 0
		}
		dst[i] = v
	}
}

// dropout is a stream of random choices (xorshift64).
type dropout struct {
	state uint64
	share float32
}

// apply leaves out a share of src and scales the rest, so that the mean stays.
func (d *dropout) apply(dst, src []float32) {
	limit := uint64(float64(d.share) * (1 << 32))
	scale := 1 / (1 - d.share)
	for i := range dst {
		d.state ^= d.state << 13
		d.state ^= d.state >> 7
		d.state ^= d.state << 17
		dst[i] = 0
		if d.state>>32 >= limit {
			dst[i] = src[i] * scale
		}
	}
}
