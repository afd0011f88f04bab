package score

import "slices"

// A quantile estimates one quantile of a stream without keeping it: the P² algorithm
// of Jain and Chlamtac, "The P² algorithm for dynamic calculation of quantiles and
// histograms without storing observations", Communications of the ACM 28(10), 1985.
//
// Five markers follow the minimum, the maximum, the wanted quantile p and the
// quantiles halfway to both ends. Each observation moves the markers' positions by
// one at most; a marker that lags its wanted position is moved along a parabola
// through its neighbours.
type quantile struct {
	// n counts the observations.
	n int64
	// height holds the markers' values, in order; the first n observations as
	// they came while n < 5.
	height [5]float64
	// pos holds the markers' positions, counted from 1.
	pos [5]int64
}

// observe takes x in. The caller names the same p, 0 to 1, with every observation.
func (q *quantile) observe(p, x float64) {
	if q.n < 5 {
		q.height[q.n] = x
		q.n++
		if q.n == 5 {
			slices.Sort(q.height[:])
			q.pos = [5]int64{1, 2, 3, 4, 5}
		}
		return
	}
	q.n++
	for i := q.cell(x) + 1; i < 5; i++ {
		q.pos[i]++
	}
	for i := 1; i <= 3; i++ {
		q.adjust(p, i)
	}
}

// cell finds the marker at or below x, widening the range where x leaves it.
func (q *quantile) cell(x float64) int {
	switch {
	case x < q.height[0]:
		q.height[0] = x
		return 0
	case x >= q.height[4]:
		q.height[4] = x
		return 3
	}
	k := 0
	for k < 3 && x >= q.height[k+1] {
		k++
	}
	return k
}

// adjust moves marker i by one position when it is one or more off its wanted one.
func (q *quantile) adjust(p float64, i int) {
	off := q.wanted(p, i) - float64(q.pos[i])
	var d int64
	switch {
	case off >= 1 && q.pos[i+1]-q.pos[i] > 1:
		d = 1
	case off <= -1 && q.pos[i-1]-q.pos[i] < -1:
		d = -1
	default:
		return
	}
	h := q.parabolic(i, d)
	if !(q.height[i-1] < h && h < q.height[i+1]) {
		h = q.linear(i, d)
	}
	q.height[i] = h
	q.pos[i] += d
}

// wanted is where marker i (1 to 3) would stand in a sorted list of all observations.
func (q *quantile) wanted(p float64, i int) float64 {
	share := [5]float64{0, p / 2, p, (1 + p) / 2, 1}[i]
	return 1 + float64(float64(q.n-1)*share)
}

func (q *quantile) parabolic(i int, d int64) float64 {
	left, here, right := float64(q.pos[i-1]), float64(q.pos[i]), float64(q.pos[i+1])
	step := float64(d)
	up := float64((here - left + step) * (q.height[i+1] - q.height[i]) / (right - here))
	down := float64((right - here - step) * (q.height[i] - q.height[i-1]) / (here - left))
	return q.height[i] + float64(step/(right-left)*(up+down))
}

func (q *quantile) linear(i int, d int64) float64 {
	j := i + int(d)
	return q.height[i] + float64(d)*(q.height[j]-q.height[i])/float64(q.pos[j]-q.pos[i])
}

// value is the estimate; exact (nearest rank) below five observations, 0 with none.
func (q *quantile) value(p float64) float64 {
	switch {
	case q.n == 0:
		return 0
	case q.n >= 5:
		return q.height[2]
	}
	sorted := q.height
	slices.Sort(sorted[:q.n])
	return sorted[int(float64(q.n-1)*p+0.5)]
}
