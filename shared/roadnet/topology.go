package roadnet

import (
	"slices"

	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Topology is a network in dense integers: a road is its index in Network.Roads, a
// junction its index in Nodes. It is made once, never changes, and takes about 20
// bytes a road and 24 a junction.
type Topology struct {
	// Nodes are the junctions' ids, sorted.
	Nodes []traffic.NodeID
	// From and To are the junctions of each road, -1 where the road names none.
	From, To []int32

	// The roads leaving junction n are out[outStart[n]:outStart[n+1]].
	outStart, out []int32
	inStart, in   []int32
}

// NewTopology numbers the junctions of roads. Roads that lack one of their junctions
// are not connected to anything.
func NewTopology(roads []traffic.Road) *Topology {
	t := &Topology{Nodes: nodeIDs(roads), From: make([]int32, len(roads)), To: make([]int32, len(roads))}
	for i := range roads {
		t.From[i], t.To[i] = -1, -1
		if from, to := roads[i].FromNode, roads[i].ToNode; from != "" && to != "" {
			t.From[i], t.To[i] = t.find(from), t.find(to)
		}
	}
	t.outStart, t.out = routing.Group(t.From, len(t.Nodes))
	t.inStart, t.in = routing.Group(t.To, len(t.Nodes))
	return t
}

// Topology numbers the network's junctions; its roads keep their index in Roads.
func (n *Network) Topology() *Topology { return NewTopology(n.Roads) }

func nodeIDs(roads []traffic.Road) []traffic.NodeID {
	var ids []traffic.NodeID
	for i := range roads {
		if roads[i].FromNode != "" && roads[i].ToNode != "" {
			ids = append(ids, roads[i].FromNode, roads[i].ToNode)
		}
	}
	slices.Sort(ids)
	return slices.Clip(slices.Compact(ids))
}

func (t *Topology) find(id traffic.NodeID) int32 {
	i, _ := slices.BinarySearch(t.Nodes, id)
	return int32(i)
}

// Out lists the roads that leave junction n. The caller changes nothing in it.
func (t *Topology) Out(n int32) []int32 { return t.out[t.outStart[n]:t.outStart[n+1]] }

// In lists the roads that enter junction n. The caller changes nothing in it.
func (t *Topology) In(n int32) []int32 { return t.in[t.inStart[n]:t.inStart[n+1]] }

// Components numbers the sets of junctions that are connected when one-ways are
// ignored: the number of each junction, and the size of each component.
func (t *Topology) Components() (of []int32, sizes []int) {
	of = fill(len(t.Nodes), -1)
	var stack []int32
	for root := range of {
		if of[root] >= 0 {
			continue
		}
		c := int32(len(sizes))
		sizes = append(sizes, 0)
		of[root] = c
		stack = append(stack[:0], int32(root))
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			sizes[c]++
			for _, r := range t.Out(n) {
				stack = visit(stack, of, t.To[r], c)
			}
			for _, r := range t.In(n) {
				stack = visit(stack, of, t.From[r], c)
			}
		}
	}
	return of, sizes
}

func visit(stack, of []int32, n, c int32) []int32 {
	if of[n] >= 0 {
		return stack
	}
	of[n] = c
	return append(stack, n)
}

// StrongComponents numbers the sets of junctions from each of which every other of
// the set can be reached by driving: the number of each junction, and the size of
// each set. (Kosaraju's two passes, without recursion.)
func (t *Topology) StrongComponents() (of []int32, sizes []int) {
	of = fill(len(t.Nodes), -1)
	var stack []int32
	finished := t.finishOrder()
	for i := len(finished) - 1; i >= 0; i-- {
		root := finished[i]
		if of[root] >= 0 {
			continue
		}
		c := int32(len(sizes))
		sizes = append(sizes, 0)
		of[root] = c
		stack = append(stack[:0], root)
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			sizes[c]++
			for _, r := range t.In(n) {
				stack = visit(stack, of, t.From[r], c)
			}
		}
	}
	return of, sizes
}

// finishOrder lists the junctions in the order in which a depth-first search along
// the driving direction leaves them.
func (t *Topology) finishOrder() []int32 {
	order := make([]int32, 0, len(t.Nodes))
	seen := make([]bool, len(t.Nodes))
	next := slices.Clone(t.outStart) // the next road to try, by junction
	var stack []int32
	for root := range t.Nodes {
		if seen[root] {
			continue
		}
		seen[root] = true
		stack = append(stack[:0], int32(root))
		for len(stack) > 0 {
			n := stack[len(stack)-1]
			if next[n] == t.outStart[n+1] {
				order = append(order, n)
				stack = stack[:len(stack)-1]
				continue
			}
			to := t.To[t.out[next[n]]]
			next[n]++
			if !seen[to] {
				seen[to] = true
				stack = append(stack, to)
			}
		}
	}
	return order
}

func fill(n int, v int32) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = v
	}
	return s
}
