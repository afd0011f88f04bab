package synth

import (
	"cmp"
	"math"
	"slices"
)

// A segment is one straight piece of a street, while crossings are looked for.
type segment struct {
	street int
	a, b   vec
	from   float64 // metres along the street at a
}

// A crossing is a place on a street that belongs to a junction.
type crossing struct {
	street   int
	along    float64
	at       vec
	junction int
}

// mergeWithin is how near two crossings are for being one junction, in metres.
const mergeWithin = 34.0

// crossings finds where streets meet and joins near ones into junctions.
func crossings(streets []street) ([]crossing, int) {
	const cellSize = 60.0
	grid := make(map[[2]int][]int)
	var segs []segment
	var found []crossing
	for i, s := range streets {
		var along float64
		for k := 1; k < len(s.line); k++ {
			seg := segment{i, s.line[k-1], s.line[k], along}
			along += seg.a.dist(seg.b)
			for _, cell := range cellsOf(seg, cellSize) {
				for _, other := range grid[cell] {
					if segs[other].street != i {
						found = appendCrossing(found, seg, segs[other])
					}
				}
				grid[cell] = append(grid[cell], len(segs))
			}
			segs = append(segs, seg)
		}
	}
	// The outer end of an arterial is a junction too: the way to the next city.
	for i, s := range streets {
		if s.radial > 0 {
			found = append(found, crossing{street: i, along: s.line.length(), at: s.line[len(s.line)-1]})
		}
	}
	return found, joinCrossings(found)
}

// cellsOf lists the squares that the box around a segment touches.
func cellsOf(s segment, size float64) [][2]int {
	lowX, highX := math.Floor(min(s.a.x, s.b.x)/size), math.Floor(max(s.a.x, s.b.x)/size)
	lowY, highY := math.Floor(min(s.a.y, s.b.y)/size), math.Floor(max(s.a.y, s.b.y)/size)
	var cells [][2]int
	for x := lowX; x <= highX; x++ {
		for y := lowY; y <= highY; y++ {
			cells = append(cells, [2]int{int(x), int(y)})
		}
	}
	return cells
}

// appendCrossing adds the place where two segments cross to both their streets.
func appendCrossing(found []crossing, s, o segment) []crossing {
	d, e := s.b.sub(s.a), o.b.sub(o.a)
	det := d.cross(e)
	if math.Abs(det) < 1e-9 {
		return found
	}
	w := o.a.sub(s.a)
	u, v := w.cross(e)/det, w.cross(d)/det
	if u < 0 || u > 1 || v < 0 || v > 1 {
		return found
	}
	at := s.a.lerp(s.b, u)
	return append(found,
		crossing{street: s.street, along: s.from + u*d.len(), at: at},
		crossing{street: o.street, along: o.from + v*e.len(), at: at})
}

// joinCrossings numbers the junctions: crossings within mergeWithin of the first
// crossing of a junction belong to it.
func joinCrossings(found []crossing) int {
	grid := make(map[[2]int][]int) // crossings that began a junction
	cell := func(p vec, dx, dy int) [2]int {
		return [2]int{int(math.Floor(p.x/mergeWithin)) + dx, int(math.Floor(p.y/mergeWithin)) + dy}
	}
	var n int
	for i := range found {
		found[i].junction = -1
		nearest := mergeWithin
		for dx := -1; dx <= 1; dx++ {
			for dy := -1; dy <= 1; dy++ {
				for _, k := range grid[cell(found[i].at, dx, dy)] {
					if d := found[k].at.dist(found[i].at); d < nearest {
						nearest, found[i].junction = d, found[k].junction
					}
				}
			}
		}
		if found[i].junction < 0 {
			found[i].junction = n
			n++
			c := cell(found[i].at, 0, 0)
			grid[c] = append(grid[c], i)
		}
	}
	return n
}

// cut makes the graph: junctions, and an edge for each piece of street between two.
func cut(streets []street) *graph {
	found, n := crossings(streets)
	g := &graph{nodes: make([]node, n)}
	count := make([]float64, n)
	for _, c := range found {
		g.nodes[c.junction].at = g.nodes[c.junction].at.add(c.at)
		count[c.junction]++
	}
	for i := range g.nodes {
		g.nodes[i].at = g.nodes[i].at.mul(1 / count[i])
	}
	slices.SortStableFunc(found, func(a, b crossing) int {
		return cmp.Or(cmp.Compare(a.street, b.street), cmp.Compare(a.along, b.along))
	})
	for i, s := range streets {
		var on []crossing
		on, found = splitStreet(found, i)
		for k := 1; k < len(on); k++ {
			g.addPiece(s, on[k-1], on[k], s.line.between(on[k-1].along, on[k].along))
		}
		if s.closed && len(on) > 1 {
			last, first := on[len(on)-1], on[0]
			rest := append(s.line.between(last.along, s.line.length()), s.line.between(0, first.along)[1:]...)
			g.addPiece(s, last, first, rest)
		}
		if s.radial > 0 && len(on) > 0 {
			g.nodes[on[len(on)-1].junction].gate = s.radial
		}
	}
	return g
}

// splitStreet takes the crossings of street i off the front of the sorted list.
func splitStreet(found []crossing, i int) (on, rest []crossing) {
	n := 0
	for n < len(found) && found[n].street == i {
		n++
	}
	return found[:n], found[n:]
}

// addPiece adds an edge unless its ends are one junction, or are joined already.
func (g *graph) addPiece(s street, from, to crossing, l line) {
	if from.junction == to.junction || g.edgeBetween(from.junction, to.junction) >= 0 {
		return
	}
	g.addEdge(edge{a: from.junction, b: to.junction, line: pinned(l, g.nodes[from.junction].at, g.nodes[to.junction].at), street: s})
}

// pinned is the line with its ends moved to a and b, without the points that come
// too near to them.
func pinned(l line, a, b vec) line {
	const bare = 18.0
	out := line{a}
	for _, p := range l[1 : len(l)-1] {
		if p.dist(a) > bare && p.dist(b) > bare {
			out = append(out, p)
		}
	}
	return append(out, b)
}
