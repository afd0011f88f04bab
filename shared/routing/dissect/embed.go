package dissect

import "github.com/2zrhun/city-flow/shared/routing"

// embed invents positions for a piece whose nodes have none, by the number of edges to
// three nodes that lie far apart. Parts that are not connected to each other are laid
// beside each other. The answer has a point for each of the whole graph's nodes.
func embed(p *piece, nodes int) []routing.Point {
	points := make([]routing.Point, nodes)
	s := &spreading{p: p, round: make([]int32, len(p.nodes))}
	placed := make([]bool, len(p.nodes))
	fromA, fromB, fromC := make([]int32, len(p.nodes)), make([]int32, len(p.nodes)), make([]int32, len(p.nodes))
	offset := 0.0
	for n := range p.nodes {
		if placed[n] {
			continue
		}
		a := last(s.from(int32(n), fromA))
		b := last(s.from(a, fromA))
		part := s.from(b, fromB)
		c := part[0] // far from both
		for _, m := range part {
			if min(fromA[m], fromB[m]) > min(fromA[c], fromB[c]) {
				c = m
			}
		}
		width := 0.0
		for _, m := range s.from(c, fromC) {
			placed[m] = true
			x := float64(fromA[m])
			points[p.nodes[m]] = routing.Point{X: offset + x, Y: float64(fromC[m]) - float64(fromA[m]+fromB[m])/2}
			width = max(width, x)
		}
		offset += width + 1
	}
	return points
}

func last(nodes []int32) int32 { return nodes[len(nodes)-1] }

// A spreading visits what is connected to a node, step by step.
type spreading struct {
	p     *piece
	round []int32 // the last round in which a node was visited
	now   int32
	list  []int32
}

// from lists the nodes that can be reached from n, the nearest first, and writes how many
// edges away each lies. The list is good until the next call.
func (s *spreading) from(n int32, edges []int32) []int32 {
	s.now++
	s.round[n], edges[n] = s.now, 0
	s.list = append(s.list[:0], n)
	for i := 0; i < len(s.list); i++ {
		at := s.list[i]
		for _, m := range s.p.neighbours(at) {
			if s.round[m] != s.now {
				s.round[m], edges[m] = s.now, edges[at]+1
				s.list = append(s.list, m)
			}
		}
	}
	return s.list
}
