package dissect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/2zrhun/city-flow/shared/routing"
)

// Options tune Order. The zero Options are good.
type Options struct {
	// Seed turns the directions along which the graph is cut.
	Seed uint64
	// Workers is how many processors are used; 0 is all.
	Workers int
}

var errPoints = errors.New("want one point a node, or none at all")

// Order returns the nodes of g, the first to be contracted first. points are the
// nodes' positions, nil when there are none. The error is ctx's, or says that points
// do not fit the graph.
func Order(ctx context.Context, g *routing.Graph, points []routing.Point, o Options) ([]int32, error) {
	if points != nil && len(points) != g.Nodes() {
		return nil, fmt.Errorf("order graph of %d nodes: %d points: %w", g.Nodes(), len(points), errPoints)
	}
	for n, p := range points {
		if !(math.Abs(p.X) < math.MaxFloat64/4) || !(math.Abs(p.Y) < math.MaxFloat64/4) {
			return nil, fmt.Errorf("order graph: node %d lies at %g, %g: want finite coordinates", n, p.X, p.Y)
		}
	}
	order, core := reduce(g)
	if len(core.nodes) == 0 {
		return order, nil
	}
	if points == nil {
		points = embed(core, g.Nodes())
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	d := &dissection{ctx: ctx, points: points, spare: make(chan struct{}, workers-1), turn: turnOf(o.Seed)}
	rest := make([]int32, len(core.nodes))
	d.split(core, rest)
	d.running.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("order graph: %w", err)
	}
	return append(order, rest...), nil
}

// turnOf is by how much the directions are turned, less than the angle between two.
func turnOf(seed uint64) float64 {
	return float64(seed*0x9E3779B97F4A7C15>>40) / (1 << 24) * math.Pi / directions
}

// A dissection is one run of Order.
type dissection struct {
	ctx    context.Context
	points []routing.Point
	turn   float64
	// spare holds a token for each worker that is busy beside the first.
	spare   chan struct{}
	running sync.WaitGroup
}

// leafSize is up to which size a piece is ordered by degree instead of cut. Least degree
// sees nothing of the separators around a piece: with pieces of 64 nodes, Paris had 6 %
// more arcs.
const leafSize = 8

// parallelSize is from which size a half is worth a goroutine.
const parallelSize = 2000

// split writes the order of piece p to out, which is as long as p has nodes.
func (d *dissection) split(p *piece, out []int32) {
	if d.ctx.Err() != nil {
		return
	}
	if len(p.nodes) <= leafSize {
		leastDegree(p, out)
		return
	}
	side := d.separate(p)
	var sizes [3]int
	for _, s := range side {
		sizes[s]++
	}
	last := out[sizes[left]+sizes[right]:]
	k := 0
	for n, s := range side {
		if s == middle {
			last[k] = p.nodes[n]
			k++
		}
	}
	a, b := p.part(side, left), p.part(side, right)
	outA, outB := out[:sizes[left]], out[sizes[left]:sizes[left]+sizes[right]]
	if len(b.nodes) >= parallelSize && d.inParallel(func() { d.split(b, outB) }) {
		d.split(a, outA)
		return
	}
	d.split(a, outA)
	d.split(b, outB)
}

// inParallel starts do when a processor is free.
func (d *dissection) inParallel(do func()) bool {
	select {
	case d.spare <- struct{}{}:
	default:
		return false
	}
	d.running.Go(func() {
		defer func() { <-d.spare }()
		do()
	})
	return true
}
