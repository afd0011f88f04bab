package routing

// A heap gives the least entry first. It has four children a node, which is faster
// than two for the small entries here.
type heap struct {
	items []entry
}

// An entry orders by key and, for the same answer each time, by node.
type entry struct {
	key  Weight
	node int32
}

func (e entry) less(o entry) bool { return e.key < o.key || (e.key == o.key && e.node < o.node) }

func (h *heap) len() int { return len(h.items) }

func (h *heap) push(e entry) {
	h.items = append(h.items, e)
	i := len(h.items) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.less(h.items[up]) {
			break
		}
		h.items[i] = h.items[up]
		i = up
	}
	h.items[i] = e
}

func (h *heap) pop() entry {
	top := h.items[0]
	last := len(h.items) - 1
	e := h.items[last]
	h.items = h.items[:last]
	if last > 0 {
		h.sink(e)
	}
	return top
}

// sink puts e where it belongs, beginning at the top, which is free.
func (h *heap) sink(e entry) {
	n := len(h.items)
	i := 0
	for {
		least := 4*i + 1
		if least >= n {
			break
		}
		for c := least + 1; c < min(4*i+5, n); c++ {
			if h.items[c].less(h.items[least]) {
				least = c
			}
		}
		if !h.items[least].less(e) {
			break
		}
		h.items[i] = h.items[least]
		i = least
	}
	h.items[i] = e
}
