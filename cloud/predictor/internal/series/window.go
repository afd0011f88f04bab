package series

import (
	"errors"
	"fmt"
	"time"
)

// A Window is the last Depth steps of all roads. One goroutine pushes; while nobody
// pushes, any number may read.
type Window struct {
	step  time.Duration
	roads int
	// rows is a ring; head is the newest row.
	rows [][]float32
	head int
	// newest is the begin of the newest step, zero before the first push.
	newest time.Time
	// view is set in a window that is a part of a grid: rows is one missing row then.
	view *view
}

// view is depth steps of a grid that end with at.
type view struct {
	grid      *Grid
	at, depth int
}

// NewWindow makes an empty window. Steps begin at multiples of step since the zero
// time. It takes 4·roads·depth bytes.
func NewWindow(roads, depth int, step time.Duration) *Window {
	w := &Window{step: step, roads: roads, rows: make([][]float32, max(1, depth))}
	all := make([]float32, roads*len(w.rows))
	for i := range all {
		all[i] = NaN()
	}
	for i := range w.rows {
		w.rows[i] = all[i*roads : (i+1)*roads : (i+1)*roads]
	}
	return w
}

// Depth is how many steps the window holds.
func (w *Window) Depth() int {
	if w.view != nil {
		return w.view.depth
	}
	return len(w.rows)
}

// Roads is the number of roads.
func (w *Window) Roads() int { return w.roads }

// Step is the length of a step.
func (w *Window) Step() time.Duration { return w.step }

// Newest is the begin of the newest step; zero before the first push.
func (w *Window) Newest() time.Time { return w.newest }

// Lag is the row k steps before the newest, 0 ≤ k < Depth. It is shared: read only.
func (w *Window) Lag(k int) []float32 {
	if v := w.view; v != nil {
		if v.at < k {
			return w.rows[0]
		}
		return v.grid.Row(v.at - k)
	}
	i := w.head - k
	if i < 0 {
		i += len(w.rows)
	}
	return w.rows[i]
}

// Push brings the values of the step that begins at start. A later step moves the
// window on, with missing rows for the steps between. The newest step, or one within
// the window, takes those values of row that are not missing: late data. It is false
// when the step is older than the window and was ignored. An error means that row or
// start do not fit, and nothing was changed.
func (w *Window) Push(start time.Time, row []float32) (bool, error) {
	if w.view != nil {
		return false, errors.New("push to window: it is a part of a grid")
	}
	if len(row) != w.roads {
		return false, fmt.Errorf("push to window: %d values for %d roads", len(row), w.roads)
	}
	if !start.Truncate(w.step).Equal(start) {
		return false, fmt.Errorf("push to window: %s is not a multiple of %s", start.Format(time.RFC3339Nano), w.step)
	}
	back := w.advance(start)
	if back >= len(w.rows) {
		return false, nil
	}
	to := w.Lag(back)
	for i, v := range row {
		if !Missing(v) {
			to[i] = v
		}
	}
	return true, nil
}

// advance makes room for the step at start and says how far before the newest it is.
func (w *Window) advance(start time.Time) int {
	if w.newest.IsZero() {
		w.newest = start
		return 0
	}
	ahead := int(start.Sub(w.newest) / w.step)
	if ahead <= 0 {
		return -ahead
	}
	for range min(ahead, len(w.rows)) {
		w.head = (w.head + 1) % len(w.rows)
		for i := range w.rows[w.head] {
			w.rows[w.head][i] = NaN()
		}
	}
	w.newest = start
	return 0
}

// Gather copies the newest depth steps of other roads into a new window: road i of it
// is road from[i] of w, or missing for good when that is negative.
func (w *Window) Gather(from []int32, depth int) *Window {
	out := NewWindow(len(from), depth, w.step)
	out.newest = w.newest
	for k := range min(out.Depth(), w.Depth()) {
		src, dst := w.Lag(k), out.Lag(k)
		for i, f := range from {
			if f >= 0 {
				dst[i] = src[f]
			}
		}
	}
	return out
}
