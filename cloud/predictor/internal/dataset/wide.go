package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// rows is a wide file as it stands.
type rows struct {
	roads  []string
	times  []time.Time
	values [][]float32
}

// readWide reads a column per sensor. Rows may be out of order and some may be missing
// when there are times.
func readWide(path string, head []string, o Options) (*Set, error) {
	all, err := readRows(path, head, o)
	if err != nil {
		return nil, err
	}
	s := &Set{}
	if all.times == nil {
		s.Grid = withoutTimes(all, o, s)
	} else if s.Grid, err = withTimes(all, o); err != nil {
		return nil, err
	}
	return s, beside(path, s)
}

func readRows(path string, head []string, o Options) (*rows, error) {
	r, closer, err := records(path, ',')
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, err
	}
	all := &rows{}
	timed := false
	line := 0
	for rec, err := range lines(r) {
		line++
		if err != nil {
			return nil, err
		}
		if line == 1 {
			if isHeader(head) {
				all.roads = slices.Clone(head)
				continue
			}
			all.roads = numbered(len(head))
		}
		if all.values == nil {
			_, err := parseTime(rec[0], zone)
			if timed = err == nil; timed {
				all.roads = all.roads[1:]
			}
		}
		if err := all.add(rec, timed, zone); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	return all, nil
}

func (a *rows) add(rec []string, timed bool, zone *time.Location) error {
	if timed {
		t, err := parseTime(rec[0], zone)
		if err != nil {
			return err
		}
		a.times = append(a.times, t)
		rec = rec[1:]
	}
	if len(rec) != len(a.roads) {
		return fmt.Errorf("%d values for %d sensors", len(rec), len(a.roads))
	}
	row := make([]float32, len(rec))
	for i, s := range rec {
		row[i] = number(s)
	}
	a.values = append(a.values, row)
	return nil
}

// isHeader tells ids from values. Ids may be numbers: then they are distinct whole
// ones, and either large or counted from 0.
func isHeader(cells []string) bool {
	seen := make(map[string]bool, len(cells))
	counted, large := true, true
	for i, c := range cells {
		n, err := strconv.Atoi(c)
		if err != nil {
			return !numeric(c) && (i > 0 || !dated(c))
		}
		counted = counted && n == i
		large = large && n >= 1000
		if seen[c] {
			return false
		}
		seen[c] = true
	}
	return counted || large
}

func dated(s string) bool {
	_, err := parseTime(s, time.UTC)
	return err == nil
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// withoutTimes makes up the times from Options.
func withoutTimes(all *rows, o Options, s *Set) *series.Grid {
	start, step := o.Start, o.Step
	if step <= 0 {
		step = 5 * time.Minute
	}
	cal := series.Calendar{NoDates: start.IsZero()}
	if start.IsZero() {
		start = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		s.Notes = append(s.Notes, "no times in the file: the first row is taken for midnight of an unknown day")
	}
	g := series.NewGrid(series.Speed(o.Unit), start, step, all.roads, len(all.values))
	g.Calendar = cal
	for i, row := range all.values {
		copy(g.Row(i), row)
	}
	return g
}

// withTimes sorts the rows into steps; the step is the most frequent difference.
func withTimes(all *rows, o Options) (*series.Grid, error) {
	cal, err := series.NewCalendar(o.Zone, o.Holidays)
	if err != nil {
		return nil, err
	}
	start, step, steps, err := extent(all.times)
	if err != nil {
		return nil, err
	}
	g := series.NewGrid(series.Speed(o.Unit), start, step, all.roads, steps)
	g.Calendar = cal
	for i, row := range all.values {
		copy(g.Row(int(all.times[i].Sub(start)/step)), row)
	}
	return g, nil
}

// commonStep is the most frequent positive difference of times that follow each other.
func commonStep(times []time.Time) time.Duration {
	sorted := slices.Clone(times)
	slices.SortFunc(sorted, time.Time.Compare)
	count := make(map[time.Duration]int)
	var best time.Duration
	for i := 1; i < len(sorted); i++ {
		d := sorted[i].Sub(sorted[i-1])
		if d <= 0 {
			continue
		}
		if count[d]++; count[d] > count[best] {
			best = d
		}
	}
	return best
}

// number is the value of a cell; what is no number is missing.
func number(s string) float32 {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
	if err != nil || math.IsInf(v, 0) {
		return series.NaN()
	}
	return float32(v)
}

func numeric(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}

// layouts are the forms of times, zoned ones first.
func layouts() []string {
	return []string{
		time.RFC3339, "2006-01-02 15:04:05-07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04",
		"2006-01-02 15:04", "2/1/2006 15:04:05", "2/1/2006 15:04", "2006/01/02 15:04",
	}
}

// parseTime reads a time; one without an offset is by the clock of zone.
func parseTime(s string, zone *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, l := range layouts() {
		if t, err := time.ParseInLocation(l, s, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", s)
}
