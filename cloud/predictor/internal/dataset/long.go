package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// A reading is one line of a long file.
type reading struct {
	at    time.Time
	road  string
	value float32
}

// readLong reads lines of time, sensor and value.
func readLong(path string, _ []string, o Options) (*Set, error) {
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, err
	}
	all, err := readings(path, func(rec []string) (reading, error) {
		if len(rec) < 3 {
			return reading{}, fmt.Errorf("%d cells, want 3", len(rec))
		}
		at, err := parseTime(rec[0], zone)
		return reading{at, rec[1], number(rec[2])}, err
	})
	if err != nil {
		return nil, err
	}
	cal, err := series.NewCalendar(o.Zone, o.Holidays)
	if err != nil {
		return nil, err
	}
	s := &Set{}
	if s.Grid, err = grid(all, series.Flow(o.Unit), cal); err != nil {
		return nil, err
	}
	return s, beside(path, s)
}

// readParis reads counts of the city of Paris: times are ends of hours, by the clock
// of Paris unless they bring an offset.
func readParis(path string, head []string, o Options) (*Set, error) {
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, err
	}
	find := func(names ...string) int {
		return slices.IndexFunc(head, func(h string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(h, n) })
		})
	}
	road, at, hour := find("iu_ac", "Identifiant arc"), find("t_1h", "Date et heure de comptage", "Date"), find("Heure")
	q := find("q", "Débit horaire", "Debit horaire")
	if road < 0 || at < 0 || q < 0 {
		return nil, fmt.Errorf("columns %q; need an arc, a time and a flow", head)
	}
	all, err := readings(path, func(rec []string) (reading, error) {
		if len(rec) <= max(road, at, q, hour) {
			return reading{}, fmt.Errorf("%d cells, want %d", len(rec), len(head))
		}
		text := rec[at]
		if hour >= 0 {
			text += " " + rec[hour]
		}
		end, err := parseTime(text, zone)
		return reading{end.Add(-time.Hour), strings.Trim(rec[road], `"`), number(rec[q])}, err
	})
	if err != nil {
		return nil, err
	}
	cal, err := series.NewCalendar("Europe/Paris", "FR")
	if err != nil {
		return nil, err
	}
	s := &Set{}
	if o.Unit == "" {
		o.Unit = "veh/h"
	}
	s.Grid, err = grid(all, series.Flow(o.Unit), cal)
	return s, err
}

// readings reads all lines after the header.
func readings(path string, parse func([]string) (reading, error)) ([]reading, error) {
	r, closer, err := records(path, 0)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	if _, err := r.Read(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	var all []reading
	for rec, err := range lines(r) {
		if err != nil {
			return nil, err
		}
		one, err := parse(rec)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// grid sorts readings into steps. Of several values of one road and step the last
// counts, but not when it is missing.
func grid(all []reading, q series.Quantity, cal series.Calendar) (*series.Grid, error) {
	if len(all) == 0 {
		return nil, errors.New("no lines")
	}
	times := make([]time.Time, len(all))
	index := make(map[string]int)
	for i, r := range all {
		times[i] = r.at
		index[strings.Clone(r.road)] = 0
	}
	roads := make([]string, 0, len(index))
	for r := range index {
		roads = append(roads, r)
	}
	slices.Sort(roads)
	for i, r := range roads {
		index[r] = i
	}
	start, step, steps, err := extent(times)
	if err != nil {
		return nil, err
	}
	g := series.NewGrid(q, start, step, roads, steps)
	g.Calendar = cal
	for _, r := range all {
		if !series.Missing(r.value) {
			g.Row(int(r.at.Sub(start) / step))[index[r.road]] = r.value
		}
	}
	return g, nil
}

// extent is the first step of times, the length of a step, and how many there are.
func extent(times []time.Time) (start time.Time, step time.Duration, steps int, err error) {
	if step = commonStep(times); step <= 0 {
		return start, 0, 0, errors.New("no two different times")
	}
	first, last := slices.MinFunc(times, time.Time.Compare), slices.MaxFunc(times, time.Time.Compare)
	start = first.Truncate(step)
	if steps = int(last.Sub(start)/step) + 1; steps > 100*len(times) {
		return start, step, steps, fmt.Errorf("%d times over %d steps of %s", len(times), steps, step)
	}
	return start, step, steps, nil
}
