package dissect

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

const (
	// directions is how many are tried for each cut.
	directions = 8
	// outer is which part of the nodes at either end is source and sink.
	outer = 0.25
)

// A cut is a way to separate a piece.
type cut struct {
	side []uint8
	// score is the separator's size over that of the smaller half: less is better.
	score float64
}

// separate finds the best cut of a piece over all directions.
func (d *dissection) separate(p *piece) []uint8 {
	rev := p.reverses()
	best := &bestCut{nodes: len(p.nodes), least: math.Inf(1)}
	var group sync.WaitGroup
	for k := 1; k < directions; k++ {
		try := func() { d.cutAlong(p, rev, k, best) }
		if len(p.nodes) < parallelSize || !d.beside(&group, try) {
			try()
		}
	}
	d.cutAlong(p, rev, 0, best)
	group.Wait()
	winner := slices.MinFunc(best.cuts[:], func(a, b cut) int { return cmp.Compare(a.rank(), b.rank()) })
	return winner.side
}

func (c cut) rank() float64 {
	if c.side == nil {
		return math.Inf(1)
	}
	return c.score
}

// beside runs do on another processor, if one is free, and lets group wait for it.
func (d *dissection) beside(group *sync.WaitGroup, do func()) bool {
	group.Add(1)
	if d.inParallel(func() { defer group.Done(); do() }) {
		return true
	}
	group.Done()
	return false
}

// A bestCut collects the cuts of one piece. Which cuts are given up depends on what
// finished first, but a cut that could be the best never is.
type bestCut struct {
	nodes int
	mu    sync.Mutex
	least float64 // the least score so far
	cuts  [directions]cut
}

// limit is how large a flow may be that can still win: its separator can be smaller
// than the flow only where edges share a node, so the flow is allowed twice as much.
func (b *bestCut) limit() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if math.IsInf(b.least, 1) {
		return math.MaxInt
	}
	return 2 * int(b.least*float64(b.nodes)/2+1)
}

func (b *bestCut) put(direction int, c cut) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cuts[direction] = c
	b.least = min(b.least, c.score)
}

// cutAlong cuts a piece across one direction.
func (d *dissection) cutAlong(p *piece, rev []int32, direction int, best *bestCut) {
	sorted := d.sorted(p, direction)
	f := newFlow(p, rev)
	n := max(1, int(outer*float64(len(sorted))))
	for i := range n {
		f.role[sorted[i]], f.role[sorted[len(sorted)-1-i]] = source, sink
	}
	if _, ok := f.run(best.limit); !ok {
		return
	}
	a, b := p.cover(f.sourceSide()), p.cover(f.sinkSide())
	if b.score < a.score {
		a = b
	}
	best.put(direction, a)
}

// sorted lists a piece's nodes along a direction.
func (d *dissection) sorted(p *piece, direction int) []int32 {
	type key struct {
		at   float64
		node int32
	}
	sin, cos := math.Sincos(d.turn + float64(direction)*math.Pi/directions)
	keys := make([]key, len(p.nodes))
	for n, whole := range p.nodes {
		at := d.points[whole]
		keys[n] = key{cos*at.X + sin*at.Y, int32(n)}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.node, b.node))
	})
	nodes := make([]int32, len(keys))
	for i, k := range keys {
		nodes[i] = k.node
	}
	return nodes
}
