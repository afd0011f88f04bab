package synth

import (
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A graph is the street network while it is cleaned up. Edges that were taken out
// stay in the list, dead.
type graph struct {
	nodes []node
	edges []edge
}

type node struct {
	at    vec
	edges []int // also dead ones
	// gate is the index of the arterial that leaves the city here plus one.
	gate int
}

// An edge is a piece of street between two junctions.
type edge struct {
	a, b   int
	line   line // from a to b
	street street
	dead   bool
	// oneWay is 1 for a to b only, -1 for b to a only.
	oneWay int
}

func (g *graph) addEdge(e edge) int {
	i := len(g.edges)
	g.edges = append(g.edges, e)
	g.nodes[e.a].edges = append(g.nodes[e.a].edges, i)
	g.nodes[e.b].edges = append(g.nodes[e.b].edges, i)
	return i
}

// at lists the living edges of a junction.
func (g *graph) at(n int) []int {
	var out []int
	for _, e := range g.nodes[n].edges {
		if !g.edges[e].dead {
			out = append(out, e)
		}
	}
	return out
}

func (g *graph) edgeBetween(a, b int) int {
	for _, e := range g.at(a) {
		if g.edges[e].a == b || g.edges[e].b == b {
			return e
		}
	}
	return -1
}

// other is the junction at the other end of an edge.
func (g *graph) other(e, n int) int {
	if g.edges[e].a == n {
		return g.edges[e].b
	}
	return g.edges[e].a
}

// leaving is the direction in which edge e leaves junction n.
func (g *graph) leaving(e, n int) vec {
	l := g.edges[e].line
	if g.edges[e].b == n {
		l = l.reversed()
	}
	p, _ := l.at(25)
	return p.sub(l[0]).unit()
}

// clean takes out what no street plan has: edges that leave a junction side by side,
// dead ends, and corners that are no junctions.
func (g *graph) clean() {
	g.dropSlivers()
	g.dropDeadEnds()
	g.dropDetached()
	g.dissolve()
}

// rank orders classes: what matters most is dropped last.
func rank(c traffic.Class) int {
	return slices.Index([]traffic.Class{
		traffic.ClassMotorway, traffic.ClassTrunk, traffic.ClassPrimary, traffic.ClassSecondary, traffic.ClassTertiary, traffic.ClassResidential,
	}, c)
}

func (g *graph) dropSlivers() {
	for n := range g.nodes {
		on := g.at(n)
		for i, e := range on {
			for _, f := range on[:i] {
				if g.edges[e].dead || g.edges[f].dead || g.leaving(e, n).dot(g.leaving(f, n)) < 0.88 {
					continue
				}
				drop := e
				if rank(g.edges[f].street.class) > rank(g.edges[e].street.class) {
					drop = f
				}
				g.edges[drop].dead = true
			}
		}
	}
}

func (g *graph) dropDeadEnds() {
	var queue []int
	for n := range g.nodes {
		queue = append(queue, n)
	}
	for len(queue) > 0 {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if on := g.at(n); len(on) == 1 && g.nodes[n].gate == 0 {
			g.edges[on[0]].dead = true
			queue = append(queue, g.other(on[0], n))
		}
	}
}

// dropDetached keeps the largest connected part.
func (g *graph) dropDetached() {
	part := make([]int, len(g.nodes))
	sizes := []int{0}
	for root := range g.nodes {
		if part[root] != 0 {
			continue
		}
		id := len(sizes)
		sizes = append(sizes, 0)
		part[root] = id
		for stack := []int{root}; len(stack) > 0; {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			sizes[id]++
			for _, e := range g.at(n) {
				if m := g.other(e, n); part[m] == 0 {
					part[m] = id
					stack = append(stack, m)
				}
			}
		}
	}
	main := slices.Index(sizes, slices.Max(sizes))
	for i := range g.edges {
		if part[g.edges[i].a] != main {
			g.edges[i].dead = true
		}
	}
}

// dissolve joins the two edges of a junction where nothing meets, unless the join
// would run beside another edge, be a loop, or be very long.
func (g *graph) dissolve() {
	for n := range g.nodes {
		on := g.at(n)
		if len(on) != 2 || g.nodes[n].gate > 0 {
			continue
		}
		a, b := g.other(on[0], n), g.other(on[1], n)
		e, f := g.edges[on[0]], g.edges[on[1]]
		if a == b || g.edgeBetween(a, b) >= 0 || e.line.length()+f.line.length() > 900 || rank(e.street.class) != rank(f.street.class) {
			continue
		}
		first, second := e.line, f.line
		if e.a == n {
			first = first.reversed()
		}
		if f.b == n {
			second = second.reversed()
		}
		longer := e.street
		if f.line.length() > e.line.length() {
			longer = f.street
		}
		g.edges[on[0]].dead, g.edges[on[1]].dead = true, true
		g.addEdge(edge{a: a, b: b, line: append(slices.Clone(first), second[1:]...), street: longer})
	}
}

// thin makes junctions with four arms into ones with three here and there: where a
// street just ends. share is the part of small streets that goes.
func (g *graph) thin(share float64, random func() float64) {
	for i := range g.edges {
		e := &g.edges[i]
		small := rank(e.street.class) >= rank(traffic.ClassTertiary)
		if e.dead || !small || random() > share {
			continue
		}
		if len(g.at(e.a)) > 3 && len(g.at(e.b)) > 3 {
			e.dead = true
		}
	}
}

// connected reports whether every junction with edges can be reached from every
// other by driving.
func (g *graph) connected() bool {
	start := -1
	for i := range g.edges {
		if !g.edges[i].dead {
			start = g.edges[i].a
			break
		}
	}
	if start < 0 {
		return true
	}
	forward, back := g.reach(start, 1), g.reach(start, -1)
	for n := range g.nodes {
		if (!forward[n] || !back[n]) && len(g.at(n)) > 0 {
			return false
		}
	}
	return true
}

// reach marks the junctions that can be reached from start; against the driving
// direction for -1.
func (g *graph) reach(start, direction int) []bool {
	seen := make([]bool, len(g.nodes))
	seen[start] = true
	for stack := []int{start}; len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, i := range g.nodes[n].edges {
			e := &g.edges[i]
			way := 1 // the edge is used from a to b
			if e.b == n {
				way = -1
			}
			m := g.other(i, n)
			if e.dead || seen[m] || (e.oneWay != 0 && e.oneWay != way*direction) {
				continue
			}
			seen[m] = true
			stack = append(stack, m)
		}
	}
	return seen
}
