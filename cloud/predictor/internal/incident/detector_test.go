package incident

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/evaluate"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// line is a street of roads one after the other.
func line(n int) func(int) []int32 {
	return func(road int) []int32 {
		var out []int32
		for _, o := range []int{road - 1, road + 1} {
			if o >= 0 && o < n {
				out = append(out, int32(o))
			}
		}
		return out
	}
}

func usual(int) (evaluate.Forecast, bool) {
	return evaluate.Forecast{Mean: 0.2, Lower: 0.15, Upper: 0.25}, true
}

var nan = float32(math.NaN())

// feed gives steps of one street and returns what was told, by step.
func feed(d *Detector, from int64, rows ...[]float32) map[int64][]Incident {
	out := map[int64][]Incident{}
	for i, row := range rows {
		if got := d.Step(from+int64(i), row, usual); got != nil {
			out[from+int64(i)] = got
		}
	}
	return out
}

func TestBeginsGrowsAndEnds(t *testing.T) {
	calm, jam := []float32{0.2, 0.2, 0.2, 0.2}, []float32{0.2, 0.6, 0.5, 0.2}
	spread := []float32{0.2, 0.6, 0.6, 0.8}
	got := feed(New(line(4)), 100, calm, jam, jam, spread, spread, jam, calm, jam, calm, calm, calm, calm)
	begun := got[102]
	if len(begun) != 1 || begun[0].Road != 1 || begun[0].Start != 101 || begun[0].End != 0 || begun[0].Severity != traffic.SeverityMajor {
		t.Fatalf("at its second step: %+v", got)
	}
	if grown := got[104]; len(grown) != 1 || !slices.Equal(grown[0].Roads, []int32{2, 1, 3}) || grown[0].Severity != traffic.SeveritySevere {
		t.Errorf("after it spread: %+v", got)
	}
	// One calm step is not the end; the three from 108 on are, and it ended then.
	if end := got[110]; len(end) != 1 || end[0].End != 108 || end[0].Observed != 0.8 || end[0].Road != 1 {
		t.Errorf("end: %+v", got)
	}
	if len(got) != 3 {
		t.Errorf("told %d times: %+v", len(got), got)
	}
}

func TestOneOddReadingRaisesNothing(t *testing.T) {
	calm := []float32{0.2, 0.2, 0.2}
	odd := []float32{0.2, 0.9, 0.2}
	if got := feed(New(line(3)), 1, calm, odd, calm, odd, odd, odd, calm); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	// A road that stays out is believed without its neighbours.
	if got := feed(New(line(3)), 1, odd, odd, odd, odd); len(got[4]) != 1 {
		t.Errorf("%+v", got)
	}
	// And earlier where no neighbour measures.
	lonely := []float32{nan, 0.9, nan}
	if got := feed(New(line(3)), 1, lonely, lonely, lonely); len(got[3]) != 1 {
		t.Errorf("%+v", got)
	}
}

// A city that is out as a whole has a wrong forecast.
func TestGeneral(t *testing.T) {
	row := make([]float32, 40)
	for i := range row {
		row[i] = 0.2
		if i < 15 {
			row[i] = 0.7
		}
	}
	d := New(line(40))
	if got := feed(d, 1, row, row, row, row, row); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSilenceEnds(t *testing.T) {
	jam, silent := []float32{0.7, 0.7}, []float32{nan, nan}
	rows := [][]float32{jam, jam}
	for range silentSteps {
		rows = append(rows, silent)
	}
	got := feed(New(line(2)), 1, rows...)
	if end := got[int64(len(rows))]; len(end) != 1 || end[0].End == 0 {
		t.Errorf("%+v", got)
	}
}

func TestAdopt(t *testing.T) {
	d := New(line(3))
	d.Adopt(Incident{Road: 1, Start: 5, Roads: []int32{1, 2}, Observed: 0.8, Expected: 0.2, Severity: traffic.SeverityMajor})
	calm := []float32{0.2, 0.2, 0.2}
	got := feed(d, 9, []float32{0.2, 0.8, 0.6}, calm, calm, calm)
	if end := got[12]; len(end) != 1 || end[0].End != 10 || end[0].Start != 5 || end[0].Road != 1 {
		t.Errorf("%+v", got)
	}
}

// Whatever is measured, each incident begins once, ends once, and never has an end before
// its start.
func TestRandomly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	d := New(line(8))
	type name struct {
		road  int32
		start int64
	}
	open := map[name]bool{}
	ended := 0
	level := make([]float32, 8)
	for step := range int64(5000) {
		for i := range level {
			switch r.IntN(12) {
			case 0:
				level[i] = r.Float32()
			case 1:
				level[i] = nan
			case 2:
				level[i] = 0.2
			}
		}
		for _, in := range d.Step(step, level, usual) {
			n := name{in.Road, in.Start}
			if in.End == 0 {
				open[n] = true
				continue
			}
			if !open[n] || in.End <= in.Start || in.Updated != step {
				t.Fatalf("step %d: %+v", step, in)
			}
			delete(open, n)
			ended++
		}
	}
	if ended < 20 || len(open) > 8 || len(open) != len(d.open) {
		t.Errorf("%d ended, %d open, the detector has %d", ended, len(open), len(d.open))
	}
}
