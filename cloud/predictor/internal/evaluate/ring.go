package evaluate

// none marks a cell without a forecast; unit is the value 1.
const (
	none = 0xFFFF
	unit = 0xFFFE
)

// A cell is a forecast in 6 bytes: exact to 1/65534, far below any error worth counting.
type cell struct{ mean, lower, upper uint16 }

func pack(f Forecast) cell { return cell{squeeze(f.Mean), squeeze(f.Lower), squeeze(f.Upper)} }

// squeeze makes 0 of what is no number.
func squeeze(v float32) uint16 {
	if !(v > 0) {
		return 0
	}
	return uint16(min(v, 1)*unit + 0.5)
}

func (c cell) unpack() Forecast {
	return Forecast{float32(c.mean) / unit, float32(c.lower) / unit, float32(c.upper) / unit}
}

// compare is how a forecast did.
func (c cell) compare(truth float32) outcome {
	f := c.unpack()
	return outcome{err: float64(f.Mean - truth), bounded: f.Bounded(), covered: f.Lower <= truth && truth <= f.Upper}
}

// A ring keeps the forecasts of one model and horizon for the steps that are to come.
type ring struct {
	cells   [][]cell
	targets []int64
}

func newRing(n int) ring { return ring{make([][]cell, n), make([]int64, n)} }

// open makes room for the forecasts for a step, in the place of the oldest ones.
func (r *ring) open(target int64, roads int) []cell {
	i := int(target % int64(len(r.cells)))
	if cap(r.cells[i]) < roads {
		r.cells[i] = make([]cell, roads)
	}
	r.cells[i], r.targets[i] = r.cells[i][:roads], target
	for k := range r.cells[i] {
		r.cells[i][k].mean = none
	}
	return r.cells[i]
}

// find is the forecasts for a step; nil when there are none.
func (r *ring) find(target int64) []cell {
	i := int(target % int64(len(r.cells)))
	if r.targets[i] != target {
		return nil
	}
	return r.cells[i]
}
