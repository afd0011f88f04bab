package nn

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// A Shape is the sizes of a network, all above 0 but Blocks.
type Shape struct {
	// Inputs is the length of a row without the vector of the road.
	Inputs int
	// Roads and Embed are the number of learned vectors and their length.
	Roads, Embed int
	// Width is the length of the hidden rows.
	Width int
	// Blocks is the number of residual layers.
	Blocks int
	// Outputs is the length of a result.
	Outputs int
}

// A Net is weights of some Shape. While nobody changes Params, any number of
// goroutines may use it, each with its own Scratch.
type Net struct {
	Shape Shape
	// Params are all weights, one part after the other; see parts.
	Params []float32
}

// parts are views of one vector of the length of Params: weights or gradients.
type parts struct {
	embed        blas32.General // Roads × Embed
	first        blas32.General // Inputs+Embed × Width
	firstBias    []float32
	blocks       []blas32.General // Width × Width
	blockBiases  [][]float32
	last         blas32.General // Width × Outputs
	lastBias     []float32
	beforeBlocks int // index of the first value that is no road's vector
}

func (s Shape) parts(v []float32) parts {
	var p parts
	take := func(n int) []float32 {
		out := v[:n:n]
		v = v[n:]
		return out
	}
	matrix := func(r, c int) blas32.General {
		return blas32.General{Rows: r, Cols: c, Stride: c, Data: take(r * c)}
	}
	p.embed = matrix(s.Roads, s.Embed)
	p.beforeBlocks = s.Roads * s.Embed
	p.first, p.firstBias = matrix(s.Inputs+s.Embed, s.Width), take(s.Width)
	for range s.Blocks {
		p.blocks = append(p.blocks, matrix(s.Width, s.Width))
		p.blockBiases = append(p.blockBiases, take(s.Width))
	}
	p.last, p.lastBias = matrix(s.Width, s.Outputs), take(s.Outputs)
	return p
}

// Size is the number of weights.
func (s Shape) Size() int {
	return s.Roads*s.Embed + (s.Inputs+s.Embed+1)*s.Width + s.Blocks*(s.Width+1)*s.Width + (s.Width+1)*s.Outputs
}

// New draws weights: He's normal ones before a ReLU, and a last layer that says zero.
func New(s Shape, seed uint64) *Net {
	n := &Net{Shape: s, Params: make([]float32, s.Size())}
	p := s.parts(n.Params)
	rng := rand.New(rand.NewPCG(seed, 0x6d6c70))
	draw := func(m blas32.General, deviation float64) {
		for i := range m.Data {
			m.Data[i] = float32(rng.NormFloat64() * deviation)
		}
	}
	draw(p.embed, 0.1)
	draw(p.first, math.Sqrt(2/float64(s.Inputs+s.Embed)))
	for _, b := range p.blocks {
		draw(b, math.Sqrt(1/float64(s.Width)))
	}
	return n
}

// A Scratch is the memory of one goroutine for up to so many rows.
type Scratch struct {
	rows int
	in   blas32.General
	// hidden[0] is after the first layer, hidden[k] after block k-1. dropped is what
	// went into the blocks, inner what the blocks added.
	hidden, dropped, inner []blas32.General
	out                    blas32.General
	// For gradients.
	dOut, dHidden, dInner, dIn blas32.General
	turned                     []float32
}

// NewScratch makes memory for batches of at most rows rows.
func (s Shape) NewScratch(rows int) *Scratch {
	matrix := func(c int) blas32.General {
		return blas32.General{Rows: rows, Cols: c, Stride: c, Data: make([]float32, rows*c)}
	}
	c := &Scratch{rows: rows, in: matrix(s.Inputs + s.Embed), out: matrix(s.Outputs)}
	for range s.Blocks {
		c.hidden = append(c.hidden, matrix(s.Width))
		c.dropped = append(c.dropped, matrix(s.Width))
		c.inner = append(c.inner, matrix(s.Width))
	}
	c.hidden = append(c.hidden, matrix(s.Width))
	return c
}

// Rows is how many rows fit.
func (c *Scratch) Rows() int { return c.rows }

// Input is where the inputs of row i go.
func (c *Scratch) Input(i int) []float32 {
	return c.in.Data[i*c.in.Stride : (i+1)*c.in.Stride]
}

// Forward computes the outputs of the first len(roads) rows of Input, for those roads.
// Row i is at i·Outputs; the result lasts until the next call with the same Scratch.
func (n *Net) Forward(c *Scratch, roads []int32) []float32 {
	p := n.Shape.parts(n.Params)
	return n.forward(c, &p, roads, nil)
}

func (n *Net) forward(c *Scratch, p *parts, roads []int32, d *dropout) []float32 {
	for i, r := range roads {
		copy(c.Input(i)[n.Shape.Inputs:], p.embed.Data[int(r)*n.Shape.Embed:(int(r)+1)*n.Shape.Embed])
	}
	rows := len(roads)
	linear(c.in, p.first, p.firstBias, c.hidden[0], rows)
	relu(c.hidden[0], rows)
	for k := range p.blocks {
		from := c.hidden[k]
		if d != nil {
			d.apply(top(c.dropped[k], rows).Data, from.Data)
			from = c.dropped[k]
		}
		linear(from, p.blocks[k], p.blockBiases[k], c.inner[k], rows)
		relu(c.inner[k], rows)
		sum(top(c.hidden[k+1], rows).Data, c.hidden[k].Data, c.inner[k].Data)
	}
	linear(c.hidden[len(p.blocks)], p.last, p.lastBias, c.out, rows)
	return top(c.out, rows).Data
}

// top is the first rows of a matrix.
func top(m blas32.General, rows int) blas32.General {
	m.Rows, m.Data = rows, m.Data[:rows*m.Stride]
	return m
}

// linear is out = x·w + bias for the first rows.
func linear(x, w blas32.General, bias []float32, out blas32.General, rows int) {
	x, out = top(x, rows), top(out, rows)
	for i := range rows {
		copy(out.Data[i*out.Stride:], bias)
	}
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, x, w, 1, out)
}

func relu(m blas32.General, rows int) {
	for i, v := range m.Data[:rows*m.Stride] {
		m.Data[i] = max(v, 0)
	}
}

func sum(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}
