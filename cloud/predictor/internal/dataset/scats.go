package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	scatsStep  = 15 * time.Minute
	scatsSlots = 96
)

// readSCATS reads a row per approach and day. Two detectors may have one name; the
// authority's internal number tells them apart. Clock times stay as they are.
func readSCATS(path string, _ []string, o Options) (*Set, error) {
	r, closer, err := records(path, ',')
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	var all []reading
	var site, name, inner, date, first int
	line := 0
	for rec, err := range lines(r) {
		line++
		if err != nil {
			return nil, err
		}
		if line <= 2 {
			site, name = slices.Index(rec, "SCATS Number"), slices.Index(rec, "Location")
			inner, date, first = slices.Index(rec, "HF VicRoads Internal"), slices.Index(rec, "Date"), slices.Index(rec, "V00")
			continue
		}
		if min(site, name, inner, date, first) < 0 || len(rec) < first+scatsSlots {
			return nil, fmt.Errorf("line %d: %d cells without the columns of a SCATS file", line, len(rec))
		}
		day, err := time.Parse("2/1/06", rec[date])
		if err != nil {
			return nil, fmt.Errorf("line %d: date: %w", line, err)
		}
		road := strings.TrimLeft(rec[site], "0") + " " + rec[name] + " #" + rec[inner]
		for k := range scatsSlots {
			all = append(all, reading{day.Add(time.Duration(k) * scatsStep), road, number(rec[first+k])})
		}
	}
	if o.Unit == "" {
		o.Unit = "veh/15 min"
	}
	s := &Set{}
	if s.Grid, err = grid(all, series.Flow(o.Unit), series.Calendar{}); err != nil {
		return nil, err
	}
	return s, scatsNeighbours(path, s)
}

// scatsNeighbours reads which junctions lie beside which, when that file is there. The
// neighbours of an approach are those of its junction and of the ones beside it.
func scatsNeighbours(path string, s *Set) error {
	name := filepath.Join(filepath.Dir(path), "neighbouring_intersections.csv")
	r, closer, err := records(name, ',')
	if err != nil {
		return nil //nolint:nilerr // it need not be there
	}
	defer closer.Close()
	beside := make(map[string][]string)
	for rec, err := range lines(r) {
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if n := len(rec); n > 2 {
			beside[strings.Clone(rec[0])] = strings.Split(strings.Clone(rec[n-1]), ";")
		}
	}
	approaches := make(map[string][]int)
	site := func(road string) string { before, _, _ := strings.Cut(road, " "); return before }
	for i, road := range s.Grid.Roads {
		approaches[site(road)] = append(approaches[site(road)], i)
	}
	s.Graph.Neighbours = make([][]int32, len(s.Grid.Roads))
	for i, road := range s.Grid.Roads {
		for _, other := range append([]string{site(road)}, beside[site(road)]...) {
			for _, j := range approaches[other] {
				if j != i && !slices.Contains(s.Graph.Neighbours[i], int32(j)) {
					s.Graph.Neighbours[i] = append(s.Graph.Neighbours[i], int32(j))
				}
			}
		}
	}
	s.Notes = append(s.Notes, "neighbours from "+filepath.Base(name))
	return nil
}
