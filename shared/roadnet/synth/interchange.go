package synth

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An interchange is where an arterial passes the ring motorway.
type interchange struct {
	name string
	at   vec
	// inside and outside are the junctions of the arterial with the ramps of the
	// clockwise and of the counterclockwise carriageway.
	inside, outside int
}

// Dimensions of the motorway in metres.
const (
	carriagewayOffset = 13.0  // from the middle
	terminalDistance  = 105.0 // of the ramps' junction from the middle
	rampReach         = 260.0 // along the motorway, from crossing to nose
	stationDistance   = 700.0 // between detector stations at most
)

// buildRing adds the motorway, its interchanges with the arterials, and the roads
// that lead out of the city beyond it. Right-hand traffic: the inner carriageway
// runs clockwise, as that of Paris does, and its ramps lie inside.
func (g *graph) buildRing(c *plan, names *names) {
	var all []interchange
	for i, r := range c.radials {
		e := g.outermost(i + 1)
		if e < 0 {
			continue
		}
		town := names.take(&names.town, "de ")
		if x, ok := g.splitArterial(e, c.ring, r.trunk, town); ok {
			all = append(all, x)
		}
	}
	g.carriageway(c.ring, all, "Rocade extérieure", func(x interchange) int { return x.outside })
	g.carriageway(c.ring.reversed(), all, "Rocade intérieure", func(x interchange) int { return x.inside })
}

// outermost is the last edge of an arterial, which passes the ring; -1 when the
// arterial was lost.
func (g *graph) outermost(radial int) int {
	for n := range g.nodes {
		if on := g.at(n); g.nodes[n].gate == radial && len(on) == 1 {
			return on[0]
		}
	}
	return -1
}

// splitArterial puts the two ramp junctions on the arterial's last edge and changes
// the road beyond.
func (g *graph) splitArterial(i int, ring line, trunk bool, town string) (interchange, bool) {
	e := g.edges[i]
	if g.nodes[e.a].gate > 0 {
		e.a, e.b, e.line = e.b, e.a, e.line.reversed()
	}
	cross, ok := crossingAt(e.line, ring)
	if !ok || cross < terminalDistance+40 || cross+terminalDistance+200 > e.line.length() {
		return interchange{}, false
	}
	at, _ := e.line.at(cross)
	in, out := g.newNode(e.line, cross-terminalDistance), g.newNode(e.line, cross+terminalDistance)
	avenue, route := e.street, e.street
	avenue.label = "Avenue " + town
	route.label, route.class = "Route "+town, traffic.ClassSecondary
	if trunk {
		route.class = traffic.ClassTrunk
	}
	g.edges[i].dead = true
	g.rename(e.street.radial, avenue.label)
	end := e.line.length()
	g.addEdge(edge{a: e.a, b: in, line: e.line.between(0, cross-terminalDistance), street: avenue})
	g.addEdge(edge{a: in, b: out, line: e.line.between(cross-terminalDistance, cross+terminalDistance), street: avenue})
	g.addEdge(edge{a: out, b: e.b, line: e.line.between(cross+terminalDistance, end), street: route})
	return interchange{name: town, at: at, inside: in, outside: out}, true
}

// rename gives the whole of an arterial its name.
func (g *graph) rename(radial int, label string) {
	for i := range g.edges {
		if g.edges[i].street.radial == radial {
			g.edges[i].street.label = label
		}
	}
}

func (g *graph) newNode(l line, along float64) int {
	at, _ := l.at(along)
	g.nodes = append(g.nodes, node{at: at})
	return len(g.nodes) - 1
}

// crossingAt is how far along l it crosses the closed line other.
func crossingAt(l, other line) (float64, bool) {
	var along float64
	for i := 1; i < len(l); i++ {
		s := segment{a: l[i-1], b: l[i], from: along}
		for k := 1; k < len(other); k++ {
			if c := appendCrossing(nil, s, segment{a: other[k-1], b: other[k]}); c != nil {
				return c[0].along, true
			}
		}
		along += s.a.dist(s.b)
	}
	return 0, false
}

// A nose is where a ramp leaves or enters a carriageway.
type nose struct {
	along float64
	node  int
}

// carriageway adds one direction of the motorway with its ramps. Each interchange
// has an exit before and an entry after the arterial.
func (g *graph) carriageway(ring line, all []interchange, label string, terminal func(interchange) int) {
	l := ring.shifted(carriagewayOffset)
	total := l.length()
	var noses []nose
	for i, x := range all {
		along := alongOf(l, x.at)
		exit, entry := math.Mod(along-rampReach+total, total), math.Mod(along+rampReach, total)
		n := nose{exit, g.newNode(l, exit)}
		m := nose{entry, g.newNode(l, entry)}
		noses = append(noses, n, m)
		g.ramp(l, n, terminal(x), true, "Sortie "+strconv.Itoa(i+1)+" "+townOf(x.name))
		g.ramp(l, m, terminal(x), false, "Entrée "+strconv.Itoa(i+1)+" "+townOf(x.name))
	}
	slices.SortFunc(noses, func(a, b nose) int { return cmp.Compare(a.along, b.along) })
	for i, from := range noses {
		to := noses[(i+1)%len(noses)]
		length := math.Mod(to.along-from.along+total, total)
		g.mainline(l, from, to, length, label)
	}
}

// townOf is a town's name without the "de" that it has in a street's name.
func townOf(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "de "), "d'")
}

// mainline adds the carriageway between two noses, with a junction at each detector
// station.
func (g *graph) mainline(l line, from, to nose, length float64, label string) {
	pieces := int(math.Ceil(length / stationDistance))
	at := from.node
	for k := 1; k <= pieces; k++ {
		d0, d1 := from.along+length*float64(k-1)/float64(pieces), from.along+length*float64(k)/float64(pieces)
		next := to.node
		if k < pieces {
			next = g.newNode(l, math.Mod(d1, l.length()))
		}
		g.addEdge(edge{a: at, b: next, line: around(l, d0, d1), oneWay: 1, street: street{class: traffic.ClassMotorway, kind: kindMotorway, label: label}})
		at = next
	}
}

// around is the piece of a closed line from d0 to d1, which may pass its end.
func around(l line, d0, d1 float64) line {
	total := l.length()
	switch {
	case d0 >= total:
		return l.between(d0-total, d1-total)
	case d1 <= total:
		return l.between(d0, d1)
	}
	return append(l.between(d0, total), l.between(0, d1-total)[1:]...)
}

// alongOf is how far along l its point nearest to p lies.
func alongOf(l line, p vec) float64 {
	var along, best float64
	near := math.Inf(1)
	for i, q := range l {
		if i > 0 {
			along += q.dist(l[i-1])
		}
		if d := q.dist(p); d < near {
			near, best = d, along
		}
	}
	return best
}

// ramp joins a nose with the arterial's junction: along the motorway first, then
// aside, meeting the arterial at a right angle.
func (g *graph) ramp(l line, n nose, terminal int, exit bool, label string) {
	at, dir := l.at(n.along)
	end := g.nodes[terminal].at
	if !exit {
		dir = dir.mul(-1) // drawn from the nose too, then turned
	}
	reach := at.dist(end)
	c1, c2 := at.add(dir.mul(0.45*reach)), end.sub(dir.mul(0.4*reach))
	var ramp line
	for k := range 13 {
		t := float64(k) / 12
		s := 1 - t
		p := at.mul(s * s * s).add(c1.mul(3 * s * s * t)).add(c2.mul(3 * s * t * t)).add(end.mul(t * t * t))
		ramp = append(ramp, p)
	}
	from, to := n.node, terminal
	if !exit {
		from, to, ramp = terminal, n.node, ramp.reversed()
	}
	g.addEdge(edge{a: from, b: to, line: ramp, oneWay: 1, street: street{class: rampClass, kind: kindRamp, label: label}})
}

// rampClass is what a ramp counts as; the classes know no links.
const rampClass = traffic.ClassSecondary
