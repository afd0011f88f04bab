package detour

import "slices"

// connected reports whether any way answers a query, however long it takes. It looks
// from both ends by turns, so that a dead end shows soon on whichever side it lies.
func (s *search) connected(q query) bool {
	if q.from == q.to {
		return false
	}
	forth, back := flood{seen: make(map[int32]bool)}, flood{seen: make(map[int32]bool)}
	for _, r := range s.g.top.Out(q.from) {
		if q.before == none || !s.g.turnsBack(q.before, r) {
			forth.add(s, q, r)
		}
	}
	for _, r := range s.g.top.In(q.to) {
		if q.after == none || !s.g.turnsBack(r, q.after) {
			back.add(s, q, r)
		}
	}
	for len(forth.todo) > 0 && len(back.todo) > 0 {
		r := forth.next()
		if back.seen[r] {
			return true
		}
		if end := s.g.top.To[r]; end != q.to {
			for _, o := range s.g.top.Out(end) {
				if !s.g.turnsBack(r, o) {
					forth.add(s, q, o)
				}
			}
		}
		r = back.next()
		if forth.seen[r] {
			return true
		}
		for _, o := range s.g.top.In(s.g.top.From[r]) {
			if !s.g.turnsBack(o, r) && s.g.top.To[o] != q.to {
				back.add(s, q, o)
			}
		}
	}
	return false
}

// A flood is what was reached from one end.
type flood struct {
	seen map[int32]bool
	todo []int32
}

// add notes a road, unless a way may not use it; see search.reach.
func (f *flood) add(s *search, q query, r int32) {
	if f.seen[r] || s.g.top.To[r] == q.from || slices.Contains(q.avoid, r) {
		return
	}
	f.seen[r] = true
	f.todo = append(f.todo, r)
}

func (f *flood) next() int32 {
	r := f.todo[0]
	f.todo = f.todo[1:]
	return r
}
