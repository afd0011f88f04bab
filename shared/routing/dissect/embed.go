package dissect

import "github.com/2zrhun/city-flow/shared/routing"

// embed invents positions for a piece whose nodes have none, by the number of edges to
// three nodes that lie far apart. Parts that are not connected to each other are laid
// beside each other. The answer has a point for each of the whole graph's nodes.
func embed(p *piece, nodes int) []routing.Point {
	points := make([]routing.Point, nodes)
	seen := make([]bool, len(p.nodes))
	offset := 0.0
	for n := range p.nodes {
		if seen[n] {
			continue
		}
		part := p.hops(int32(n), nil)
		a := part[len(part)-1].node
		fromA := p.hops(a, nil)
		b := fromA[len(fromA)-1].node
		da, db := make([]int32, len(p.nodes)), make([]int32, len(p.nodes))
		p.hops(a, da)
		p.hops(b, db)
		c := part[0].node // far from both
		for _, v := range part {
			if min(da[v.node], db[v.node]) > min(da[c], db[c]) {
				c = v.node
			}
		}
		dc := make([]int32, len(p.nodes))
		p.hops(c, dc)
		widest := 0.0
		for _, v := range part {
			m := v.node
			seen[m] = true
			x := float64(da[m])
			points[p.nodes[m]] = routing.Point{X: offset + x, Y: float64(dc[m]) - float64(da[m]+db[m])/2}
			widest = max(widest, x)
		}
		offset += widest + 1
	}
	return points
}

// A hop is a node and how many edges away it lies.
type hop struct {
	node, edges int32
}

// hops lists the nodes that can be reached from n, the nearest first, and writes the
// distances where dist is not nil.
func (p *piece) hops(n int32, dist []int32) []hop {
	seen := map[int32]bool{n: true}
	list := []hop{{n, 0}}
	for i := 0; i < len(list); i++ {
		h := list[i]
		if dist != nil {
			dist[h.node] = h.edges
		}
		for _, m := range p.neighbours(h.node) {
			if !seen[m] {
				seen[m] = true
				list = append(list, hop{m, h.edges + 1})
			}
		}
	}
	return list
}
