package dissect

// cover turns a cut through edges into one through nodes: the fewest nodes that touch
// every cut edge (Kőnig: as many as a maximum matching has edges). inside says for each
// node on which side of the cut it lies.
func (p *piece) cover(inside []bool) cut {
	m := &matching{p: p, inside: inside, mate: make(map[int32]int32)}
	var border []int32
	for n := range p.nodes {
		if inside[n] && m.onBorder(int32(n)) {
			border = append(border, int32(n))
		}
	}
	for _, n := range border {
		m.seen = make(map[int32]bool)
		m.match(n)
	}
	// Kőnig: from the unmatched nodes along alternating ways, what is reached on the
	// far side and what is not reached on this one.
	m.seen = make(map[int32]bool)
	reached := make(map[int32]bool)
	for _, n := range border {
		if _, matched := m.mate[n]; !matched {
			m.alternate(n, reached)
		}
	}
	side := make([]uint8, len(p.nodes))
	sizes := [3]int{}
	for n := range p.nodes {
		side[n] = right
		if inside[n] {
			side[n] = left
		}
		_, matched := m.mate[int32(n)]
		if matched && inside[n] != reached[int32(n)] {
			side[n] = middle
		}
		sizes[side[n]]++
	}
	return cut{side: side, score: (float64(sizes[middle]) + 1e-9) / float64(max(1, min(sizes[left], sizes[right])))}
}

// A matching pairs the ends of cut edges.
type matching struct {
	p      *piece
	inside []bool
	mate   map[int32]int32
	seen   map[int32]bool
}

func (m *matching) onBorder(n int32) bool {
	for _, o := range m.p.neighbours(n) {
		if !m.inside[o] {
			return true
		}
	}
	return false
}

// match finds a mate for n, moving others where it must.
func (m *matching) match(n int32) bool {
	for _, o := range m.p.neighbours(n) {
		if m.inside[o] || m.seen[o] {
			continue
		}
		m.seen[o] = true
		other, taken := m.mate[o]
		if !taken || m.match(other) {
			m.mate[o], m.mate[n] = n, o
			return true
		}
	}
	return false
}

// alternate marks what n reaches by an edge, then the mate's edge, and so on.
func (m *matching) alternate(n int32, reached map[int32]bool) {
	if reached[n] {
		return
	}
	reached[n] = true
	for _, o := range m.p.neighbours(n) {
		if m.inside[o] || reached[o] {
			continue
		}
		reached[o] = true
		if other, ok := m.mate[o]; ok {
			m.alternate(other, reached)
		}
	}
}
