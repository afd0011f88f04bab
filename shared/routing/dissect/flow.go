package dissect

// A flow is a maximum flow through a piece whose every edge carries one unit in either
// direction (Dinic's algorithm).
type flow struct {
	p     *piece
	rev   []int32
	used  []int8  // the flow on each arc, -1 to 1
	role  []uint8 // what a node is to the flow
	level []int32 // steps from the source, -1 where it does not come
	next  []int32 // the next arc to try
	queue []int32
	path  []int32
}

// The roles of a node.
const (
	inner uint8 = iota
	source
	sink
)

func newFlow(p *piece, rev []int32) *flow {
	n := len(p.nodes)
	return &flow{
		p: p, rev: rev, used: make([]int8, len(p.adj)), role: make([]uint8, n),
		level: make([]int32, n), next: make([]int32, n), queue: make([]int32, 0, n),
	}
}

// run lets as much flow as possible through and returns how much; it gives up as soon
// as it is more than limit says, which may change meanwhile.
func (f *flow) run(limit func() int) (int, bool) {
	total := 0
	for f.layer() {
		copy(f.next, f.p.first)
		for n, role := range f.role {
			if role != source {
				continue
			}
			for f.augment(int32(n)) {
				total++
			}
			if total > limit() {
				return total, false
			}
		}
	}
	return total, true
}

// layer counts the steps from the source and reports whether the sink is reached.
func (f *flow) layer() bool {
	f.queue = f.queue[:0]
	for n, role := range f.role {
		f.level[n] = -1
		if role == source {
			f.level[n] = 0
			f.queue = append(f.queue, int32(n))
		}
	}
	reached := false
	for i := 0; i < len(f.queue); i++ {
		n := f.queue[i]
		for a := f.p.first[n]; a < f.p.first[n+1]; a++ {
			m := f.p.adj[a]
			if f.level[m] >= 0 || f.used[a] == 1 {
				continue
			}
			f.level[m] = f.level[n] + 1
			if f.role[m] == sink {
				reached = true
				continue // nothing begins at the sink
			}
			f.queue = append(f.queue, m)
		}
	}
	return reached
}

// augment sends one unit from node n to the sink along the layers.
func (f *flow) augment(n int32) bool {
	f.path = f.path[:0]
	for f.role[n] != sink {
		a, ok := f.step(n)
		if ok {
			f.path = append(f.path, a)
			n = f.p.adj[a]
			continue
		}
		if len(f.path) == 0 {
			return false
		}
		back := f.path[len(f.path)-1]
		f.path = f.path[:len(f.path)-1]
		n = f.p.adj[f.rev[back]]
		f.next[n]++
	}
	for _, a := range f.path {
		f.used[a]++
		f.used[f.rev[a]]--
	}
	return true
}

// step finds the next arc out of n that leads a layer on.
func (f *flow) step(n int32) (int32, bool) {
	for ; f.next[n] < f.p.first[n+1]; f.next[n]++ {
		a := f.next[n]
		m := f.p.adj[a]
		if f.used[a] < 1 && f.level[m] == f.level[n]+1 && f.role[m] != source {
			return a, true
		}
	}
	return 0, false
}

// sourceSide marks what the source still reaches after run: the smallest side of a
// least cut.
func (f *flow) sourceSide() []bool {
	side := make([]bool, len(f.role))
	for n, l := range f.level {
		side[n] = l >= 0
	}
	return side
}

// sinkSide marks what still reaches the sink.
func (f *flow) sinkSide() []bool {
	side := make([]bool, len(f.role))
	f.queue = f.queue[:0]
	for n, role := range f.role {
		if role == sink {
			side[n] = true
			f.queue = append(f.queue, int32(n))
		}
	}
	for i := 0; i < len(f.queue); i++ {
		n := f.queue[i]
		for a := f.p.first[n]; a < f.p.first[n+1]; a++ {
			if m := f.p.adj[a]; !side[m] && f.used[f.rev[a]] < 1 {
				side[m] = true
				f.queue = append(f.queue, m)
			}
		}
	}
	return side
}
