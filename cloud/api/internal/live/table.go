package live

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// A row is the newest value of one key.
type row[K comparable, V any] struct {
	key   K
	value V
	// seq is that of the tick that announced the value; dirty until then.
	seq   uint64
	dirty bool
	// touched is the picture's revision when the value was set from the bus.
	touched uint64
	// text is the value's JSON, made when somebody first asks. Readers that
	// race make the same bytes, so the last may win.
	text atomic.Pointer[[]byte]
}

// A table holds rows by key and in the order of their keys. The picture's lock
// guards it.
type table[K comparable, V any] struct {
	compare func(a, b K) int
	at      func(*V) time.Time
	encode  func(*V) any

	rows  map[K]*row[K, V]
	order []*row[K, V] // sorted by key
	dirty []*row[K, V] // since the last tick
}

func newTable[K comparable, V any](compare func(a, b K) int, at func(*V) time.Time, encode func(*V) any) table[K, V] {
	return table[K, V]{compare: compare, at: at, encode: encode, rows: map[K]*row[K, V]{}}
}

// put takes over values that are not older than what is there. It keeps the order;
// the caller marks the revision.
func (t *table[K, V]) put(rev uint64, keys []K, values []V) {
	added := false
	for i, k := range keys {
		r := t.rows[k]
		if r == nil {
			r = &row[K, V]{key: k}
			t.rows[k] = r
			t.order = append(t.order, r)
			added = true
		} else if t.at(&values[i]).Before(t.at(&r.value)) {
			continue
		}
		r.value, r.touched = values[i], rev
		r.text.Store(nil)
		t.mark(r)
	}
	if added {
		t.sort()
	}
}

func (t *table[K, V]) mark(r *row[K, V]) {
	if !r.dirty {
		r.dirty = true
		t.dirty = append(t.dirty, r)
	}
}

func (t *table[K, V]) sort() {
	slices.SortFunc(t.order, func(a, b *row[K, V]) int { return t.compare(a.key, b.key) })
}

// reconcile makes the table agree with what the store held when the revision was
// since: rows that the bus changed later stay. It reports whether rows vanished.
func (t *table[K, V]) reconcile(since uint64, keys []K, values []V, equal func(a, b *V) bool) (vanished bool) {
	known := make(map[K]struct{}, len(keys))
	for i, k := range keys {
		known[k] = struct{}{}
		r := t.rows[k]
		if r == nil {
			r = &row[K, V]{key: k}
			t.rows[k] = r
			t.order = append(t.order, r)
		} else if r.touched > since || equal(&values[i], &r.value) {
			continue
		}
		r.value = values[i]
		r.text.Store(nil)
		t.mark(r)
	}
	gone := func(r *row[K, V]) bool {
		_, ok := known[r.key]
		return !ok && r.touched <= since
	}
	n := len(t.order)
	t.order = slices.DeleteFunc(t.order, func(r *row[K, V]) bool {
		if gone(r) {
			delete(t.rows, r.key)
			return true
		}
		return false
	})
	t.dirty = slices.DeleteFunc(t.dirty, gone)
	t.sort()
	return len(t.order) < n
}

// announce gives the changed rows the seq of this tick and returns them.
func (t *table[K, V]) announce(seq uint64) []*row[K, V] {
	changed := t.dirty
	t.dirty = nil
	for _, r := range changed {
		r.seq, r.dirty = seq, false
	}
	return changed
}

// json is the row's value as JSON.
func (t *table[K, V]) json(r *row[K, V]) ([]byte, error) {
	if b := r.text.Load(); b != nil {
		return *b, nil
	}
	b, err := json.Marshal(t.encode(&r.value))
	if err != nil {
		return nil, fmt.Errorf("encode %v: %w", r.key, err)
	}
	r.text.Store(&b)
	return b, nil
}

// after is the index of the first row whose key comes after k.
func (t *table[K, V]) after(k K) int {
	i, found := slices.BinarySearchFunc(t.order, k, func(r *row[K, V], k K) int { return t.compare(r.key, k) })
	if found {
		i++
	}
	return i
}
