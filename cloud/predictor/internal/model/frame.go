package model

import (
	"math"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// recent is how many of the last values a road's features hold, and patience how
	// many steps a value may stand in for missing ones after it.
	recent   = 12
	patience = 12
	// longFrom is the shortest step with which windows hold weeks: with shorter ones
	// that would be too much memory for a city.
	longFrom = 15 * time.Minute
	// weeksBack is how many weeks such a window holds.
	weeksBack = 4
	// mostAhead is for how many of the horizons the inputs hold what is usual then.
	mostAhead = 4
	// correlates is how many other roads the inputs of a road hold.
	correlates = 4
	// farOut is how many deviations from the mean a value counts for at most.
	farOut = 30
	// straight is how many steps in a row must lie on a line, to a thousandth of a
	// deviation, to be taken for filled in instead of measured, and steepest how far such
	// a line is followed at most, in deviations.
	straight      = 3
	straightWidth = 1e-3
	steepest      = 4
	// clockInputs is the number of inputs that say what time it is.
	clockInputs = 4 + 7 + 1
)

// A scale makes the values of a road comparable with those of others.
type scale struct{ Center, Width []float32 }

// norm is v of a road in its scale; a missing one is 0.
func (s *scale) norm(road int, v float32) float32 {
	if series.Missing(v) {
		return 0
	}
	return min(max((v-s.Center[road])/s.Width[road], -farOut), farOut)
}

// inputs is what turns a window into rows of numbers. It is learned once, and then the
// same for training and forecasting.
type inputs struct {
	Head  Info
	Scale scale
	Means *table
	// Ahead are the steps ahead for which the rows hold what is usual.
	Ahead []int
	// Long says that windows hold weeks.
	Long bool
	// Neighbours are those of the graph; Others the roads that tell most of each one's
	// future.
	Neighbours [][]int32
	Others     [][]int32
}

// depth is how many steps of the window are looked at.
func (in *inputs) depth() int {
	if in.Long {
		return weeksBack*7*in.day() + 1
	}
	return recent + patience
}

func (in *inputs) day() int { return int(series.Day / in.Head.Step) }

// width is the length of a row.
func (in *inputs) width() int {
	n := recent + 4 + 2*correlates + 1 + len(in.Ahead) + clockInputs + 2 + 2 + 4
	if in.Long {
		n += 3 * (1 + len(in.Ahead))
	}
	return n
}

// A frame is the inputs of all roads at one moment, in their scales and with nothing
// missing but where a road has no history at all.
type frame struct {
	in *inputs
	// rows are the last values, newest first; age how many steps ago the newest one
	// was measured.
	rows [][]float32
	age  []float32
	// line is how many of the last steps lie on a straight line with the two before
	// them, slope how much that changes with a step: 0 where too few do. lines is the
	// share of roads on one.
	line, slope []float32
	lines       float32
	// usual is the table now and at each of Ahead. weeks, lastWeek and yesterday are
	// what was measured at those moments earlier.
	usual                      [][]float32
	weeks, lastWeek, yesterday [][]float32
	clock                      [clockInputs]float32
	// city is the mean difference from what is usual, now and half an hour of steps ago.
	city [2]float32
}

// frame looks at a window. usual gives what is usual at a step; it is in.typical but
// in training, where the day itself must not count.
func (in *inputs) frame(w *series.Window, usual func(dst []float32, t time.Time)) *frame {
	f := &frame{in: in}
	n := len(in.Head.Roads)
	row := func() []float32 { return make([]float32, n) }
	at := func(ahead int) time.Time { return w.Newest().Add(time.Duration(ahead) * in.Head.Step) }
	for _, ahead := range append([]int{0}, in.Ahead...) {
		u := row()
		usual(u, at(ahead))
		in.normRow(u)
		f.usual = append(f.usual, u)
		if in.Long {
			f.earlier(w, ahead, u)
		}
	}
	for k := range recent {
		u := f.usual[0]
		if k > 0 {
			u = row()
			usual(u, at(-k))
			in.normRow(u)
		}
		f.rows = append(f.rows, in.filled(w, k, u))
		if k == 0 || k == 6 {
			f.city[min(k, 1)] = meanDifference(f.rows[k], u)
		}
	}
	f.age = ages(w, n)
	f.findLines()
	f.tell(&in.Head.Calendar, at(0))
	return f
}

// typical is what is usual by the table.
func (in *inputs) typical(dst []float32, t time.Time) {
	in.Means.row(dst, &in.Head.Calendar, t, in.Head.Step)
}

func (in *inputs) normRow(row []float32) {
	for r, v := range row {
		row[r] = in.Scale.norm(r, v)
	}
}

// filled is the row at lag k in scale; a missing value is the one before it, at most
// patience steps back, or else the usual one.
func (in *inputs) filled(w *series.Window, k int, usual []float32) []float32 {
	out := make([]float32, len(usual))
	for r, v := range w.Lag(k) {
		for back := 1; series.Missing(v) && back < patience && k+back < w.Depth(); back++ {
			v = w.Lag(k + back)[r]
		}
		if series.Missing(v) {
			out[r] = usual[r]
		} else {
			out[r] = in.Scale.norm(r, v)
		}
	}
	return out
}

// earlier looks up what was measured some days before the step that is ahead.
func (f *frame) earlier(w *series.Window, ahead int, usual []float32) {
	in := f.in
	n := len(usual)
	weeks, lastWeek, yesterday := make([]float32, n), make([]float32, n), make([]float32, n)
	day := in.day()
	lag := func(days int) []float32 { return w.Lag(days*day - ahead) }
	for r := range n {
		lastWeek[r], yesterday[r] = usual[r], usual[r]
		if v := lag(1)[r]; !series.Missing(v) {
			yesterday[r] = in.Scale.norm(r, v)
		}
		if v := lag(7)[r]; !series.Missing(v) {
			lastWeek[r] = in.Scale.norm(r, v)
		}
		var sum, count float32
		for k := 1; k <= weeksBack; k++ {
			if v := lag(7 * k)[r]; !series.Missing(v) {
				sum, count = sum+in.Scale.norm(r, v), count+1
			}
		}
		// One usual value stands for the weeks that are not there.
		if count < weeksBack {
			sum, count = sum+usual[r], count+1
		}
		weeks[r] = sum / count
	}
	f.weeks, f.lastWeek, f.yesterday = append(f.weeks, weeks), append(f.lastWeek, lastWeek), append(f.yesterday, yesterday)
}

func meanDifference(row, usual []float32) float32 {
	sum, count := 0.0, 0.0
	for r, v := range row {
		if d := v - usual[r]; !series.Missing(d) {
			sum, count = sum+float64(d), count+1
		}
	}
	if count == 0 {
		return 0
	}
	return float32(sum / count)
}

// ages is how many steps ago each road was measured, at most patience.
func ages(w *series.Window, n int) []float32 {
	out := make([]float32, n)
	for r := range out {
		k := 0
		for k < min(patience, w.Depth()) && series.Missing(w.Lag(k)[r]) {
			k++
		}
		out[r] = float32(k)
	}
	return out
}

// findLines looks for values that somebody filled in between two measured ones, or a
// sensor that is stuck: they go on like that until it is repaired.
func (f *frame) findLines() {
	n := len(f.age)
	f.line, f.slope = make([]float32, n), make([]float32, n)
	for r := range n {
		k := 0
		for k < recent-2 {
			bend := f.rows[k][r] - 2*f.rows[k+1][r] + f.rows[k+2][r]
			if bend > straightWidth || bend < -straightWidth {
				break
			}
			k++
		}
		f.line[r] = float32(k)
		if k >= straight {
			f.slope[r] = f.rows[0][r] - f.rows[1][r]
			f.lines += 1 / float32(n)
		}
	}
}

// base is what the change forecast is added to: the present value, or the line that
// it is on.
func (f *frame) base(road, ahead int) float32 {
	return f.rows[0][road] + min(max(f.slope[road]*float32(ahead), -steepest), steepest)
}

// moving is true for a road on a line that is not level. No sensor measures such a line,
// so it is followed as it is. A level one can be a quiet street: that is left to the
// model.
func (f *frame) moving(road int) bool {
	return f.slope[road] > straightWidth || f.slope[road] < -straightWidth
}

// tell writes the time: two harmonics of the day, the day of the week, and whether it
// is a weekend or a holiday.
func (f *frame) tell(c *series.Calendar, t time.Time) {
	weekday, clock := c.Slot(t)
	x := 2 * math.Pi * float64(clock) / float64(series.Day)
	for i := range 2 {
		f.clock[2*i] = float32(math.Sin(x * float64(i+1)))
		f.clock[2*i+1] = float32(math.Cos(x * float64(i+1)))
	}
	if f.in.Means.Layout.Kinds == 7 {
		f.clock[4+weekday] = 1
	}
	if f.in.Means.Layout.Kinds > 1 && c.Weekend(weekday) {
		f.clock[4+7] = 1
	}
}

// write puts the inputs of a road into dst, which is in.width long.
func (f *frame) write(dst []float32, road int) {
	i := 0
	put := func(v float32) { dst[i] = v; i++ }
	now := f.rows[0][road]
	put(now)
	for k := 1; k < recent; k++ {
		put(f.rows[k][road] - now)
	}
	for _, k := range [4]int{0, 1, 3, 6} {
		put(f.mean(f.in.Neighbours, road, k))
	}
	for k := range correlates {
		if k < len(f.in.Others[road]) {
			o := f.in.Others[road][k]
			put(f.rows[0][o] - f.usual[0][o])
			put(f.rows[0][o] - f.rows[3][o])
		} else {
			put(0)
			put(0)
		}
	}
	for _, u := range f.usual {
		put(u[road] - now)
	}
	if f.in.Long {
		for a := range f.weeks {
			put(f.weeks[a][road] - now)
			put(f.lastWeek[a][road] - now)
			put(f.yesterday[a][road] - now)
		}
	}
	i += copy(dst[i:], f.clock[:])
	put(f.city[0])
	put(f.city[1])
	put(min(f.age[road], 1))
	put(f.age[road] / patience)
	put(f.line[road] / recent)
	put(flag(f.line[road] >= straight))
	put(f.slope[road])
	put(f.lines)
}

func flag(yes bool) float32 {
	if yes {
		return 1
	}
	return 0
}

// mean is that of the roads beside a road at lag k, 0 without any.
func (f *frame) mean(beside [][]int32, road, k int) float32 {
	if road >= len(beside) || len(beside[road]) == 0 {
		return 0
	}
	var sum float32
	for _, o := range beside[road] {
		sum += f.rows[k][o]
	}
	return sum / float32(len(beside[road]))
}
