package roadnet

import (
	"cmp"
	"slices"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// joinWithinM is how far apart the ends of two parts may lie to be the same point:
// digitising noise. In Paris the parts that chain meet exactly, and those that do not
// are metres apart.
const joinWithinM = 1.0

// maxChainSteps bounds the search for a chain. A part rarely has two continuations, so
// that real arcs take a step a part; parts that all meet in one point could take
// factorially many.
const maxChainSteps = 10_000

// chain joins lines head to tail into one, each used once. It turns lines round only
// when they do not chain as they are. The answer is false when no chain was found.
func chain(lines [][]traffic.Point) ([]traffic.Point, bool) {
	for _, mayTurn := range []bool{false, true} {
		c := chainer{mayTurn: mayTurn, steps: maxChainSteps}
		for i := range lines {
			if line, ok := c.extend(nil, lines, i); ok {
				return line, true
			}
		}
	}
	return nil, false
}

type chainer struct {
	mayTurn bool
	steps   int // left
}

// extend appends rest[i] to line where it fits, and then all others of rest.
func (c *chainer) extend(line []traffic.Point, rest [][]traffic.Point, i int) ([]traffic.Point, bool) {
	if c.steps--; c.steps < 0 {
		return nil, false
	}
	others := slices.Delete(slices.Clone(rest), i, i+1)
	ways := [][]traffic.Point{rest[i]}
	if c.mayTurn {
		ways = append(ways, reversed(rest[i]))
	}
	for _, way := range ways {
		if len(line) > 0 && DistanceM(line[len(line)-1], way[0]) > joinWithinM {
			continue
		}
		longer := joined(line, way)
		if len(others) == 0 {
			return longer, true
		}
		for next := range others {
			if all, ok := c.extend(longer, others, next); ok {
				return all, true
			}
		}
	}
	return nil, false
}

// joined is a followed by b without repeating the point where they meet.
func joined(a, b []traffic.Point) []traffic.Point {
	if len(a) == 0 {
		return b
	}
	return slices.Concat(a, b[1:])
}

func reversed(line []traffic.Point) []traffic.Point {
	r := slices.Clone(line)
	slices.Reverse(r)
	return r
}

// nearestOrder puts lines that do not chain into the order in which the gaps between
// the end of one and the beginning of the next are short: the best of the orders that
// start with any line and go on to the nearest. The answer does not depend on the
// order of lines.
func nearestOrder(lines [][]traffic.Point) [][]traffic.Point {
	lines = slices.SortedFunc(slices.Values(lines), func(a, b []traffic.Point) int {
		return slices.CompareFunc(a, b, func(p, q traffic.Point) int {
			return cmp.Or(cmp.Compare(p.Lat, q.Lat), cmp.Compare(p.Lng, q.Lng))
		})
	})
	var best [][]traffic.Point
	bestGap := 0.0
	for i := range lines {
		order, gap := nearestFrom(lines, i)
		if best == nil || gap < bestGap {
			best, bestGap = order, gap
		}
	}
	return best
}

func nearestFrom(lines [][]traffic.Point, first int) (order [][]traffic.Point, gap float64) {
	rest := slices.Clone(lines)
	for next := first; ; {
		order = append(order, rest[next])
		rest = slices.Delete(rest, next, next+1)
		if len(rest) == 0 {
			return order, gap
		}
		last := order[len(order)-1]
		dist := make([]float64, len(rest))
		for i, line := range rest {
			dist[i] = DistanceM(last[len(last)-1], line[0])
		}
		nearest := slices.Min(dist)
		next, gap = slices.Index(dist, nearest), gap+nearest
	}
}

// orient turns round the arcs that were clearly digitised against their driving
// direction. Each arc is compared with where the other arcs put its two junctions;
// arcs that the comparison cannot decide stay as they are, because nearly all of the
// reference is digitised in driving direction.
func orient(arcs []*arc, rep *Report) {
	ends := make(map[traffic.NodeID][]arcEnd)
	for i, a := range arcs {
		first, last := a.ends()
		ends[a.from] = append(ends[a.from], arcEnd{i, first})
		ends[a.to] = append(ends[a.to], arcEnd{i, last})
	}
	var turn []int
	for i, a := range arcs {
		if a.from == a.to {
			continue
		}
		from, okFrom := positionWithout(ends[a.from], i)
		to, okTo := positionWithout(ends[a.to], i)
		if a.from != "" && a.to != "" && okFrom && okTo && against(a, from, to) {
			turn = append(turn, i)
		}
	}
	for _, i := range turn {
		arcs[i].reverse()
		rep.add(Issue{Kind: KindReversed, Road: arcs[i].id, Where: arcs[i].where, Detail: "digitised against its driving direction, turned round"})
	}
}

type arcEnd struct {
	arc int
	at  traffic.Point
}

// positionWithout is the median of the ends at a junction, those of one arc left out.
func positionWithout(ends []arcEnd, arc int) (traffic.Point, bool) {
	var ps []traffic.Point
	for _, e := range ends {
		if e.arc != arc {
			ps = append(ps, e.at)
		}
	}
	if len(ps) == 0 {
		return traffic.Point{}, false
	}
	return medianPoint(ps), true
}

// against reports whether a fits its junctions clearly better the other way round:
// its ends come at least twice as near to them, and by a good part of its own length.
func against(a *arc, from, to traffic.Point) bool {
	first, last := a.ends()
	keep := DistanceM(first, from) + DistanceM(last, to)
	turned := DistanceM(first, to) + DistanceM(last, from)
	return turned < keep/2 && keep-turned > DistanceM(first, last)
}
