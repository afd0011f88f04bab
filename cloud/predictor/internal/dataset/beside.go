package dataset

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

const (
	// mostNeighbours bounds the neighbours of a road.
	mostNeighbours = 8
	// near is how far a sensor may be away to count as a neighbour by its place, metres.
	near = 3000
)

// beside looks for neighbours in the folder of a file.
func beside(path string, s *Set) error {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, want := range []struct {
		part string
		read func(string, *Set) (bool, error)
	}{{"adj", readAdjacency}, {"location", readPlaces}} {
		for _, e := range entries {
			name := strings.ToLower(e.Name())
			if !strings.Contains(name, want.part) || !strings.Contains(name, ".csv") {
				continue
			}
			found, err := want.read(filepath.Join(dir, e.Name()), s)
			if err != nil {
				return fmt.Errorf("read %s: %w", e.Name(), err)
			}
			if found {
				s.Notes = append(s.Notes, "neighbours from "+e.Name())
				return nil
			}
		}
	}
	return nil
}

type weighted struct {
	road   int
	weight float64
}

// nearest keeps the neighbours with the largest weights.
func nearest(all []weighted) []int32 {
	slices.SortStableFunc(all, func(a, b weighted) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return 0
	})
	var out []int32
	for _, w := range all[:min(len(all), mostNeighbours)] {
		out = append(out, int32(w.road))
	}
	return out
}

// readAdjacency reads a square of weights without a header. It is false when the
// square is not of the size of the set.
func readAdjacency(path string, s *Set) (bool, error) {
	r, closer, err := records(path, ',')
	if err != nil {
		return false, err
	}
	defer closer.Close()
	n := len(s.Grid.Roads)
	g := series.Graph{}
	for rec, err := range lines(r) {
		if err != nil {
			return false, err
		}
		if len(rec) != n || len(g.Neighbours) == n {
			return false, nil
		}
		var all []weighted
		for i, cell := range rec {
			if w := number(cell); w > 0 && i != len(g.Neighbours) {
				all = append(all, weighted{i, float64(w)})
			}
		}
		g.Neighbours = append(g.Neighbours, nearest(all))
	}
	if len(g.Neighbours) != n {
		return false, nil
	}
	s.Graph = g
	return true, nil
}

// readPlaces makes neighbours of sensors that are near each other, from a file with
// id, latitude and longitude. It is false when it does not know the sensors.
func readPlaces(path string, s *Set) (bool, error) {
	r, closer, err := records(path, ',')
	if err != nil {
		return false, err
	}
	defer closer.Close()
	places := make(map[string][2]float64)
	for rec, err := range lines(r) {
		if err != nil {
			return false, err
		}
		if n := len(rec); n >= 3 {
			lat, lon := number(rec[n-2]), number(rec[n-1])
			if !series.Missing(lat) && !series.Missing(lon) {
				places[strings.TrimSpace(rec[n-3])] = [2]float64{float64(lat), float64(lon)}
			}
		}
	}
	return s.byPlace(places), nil
}

// byPlace is false when fewer than half of the roads have a place.
func (s *Set) byPlace(places map[string][2]float64) bool {
	known := 0
	g := series.Graph{Neighbours: make([][]int32, len(s.Grid.Roads))}
	for i, a := range s.Grid.Roads {
		p, ok := places[a]
		if !ok {
			continue
		}
		known++
		var all []weighted
		for j, b := range s.Grid.Roads {
			if q, ok := places[b]; ok && i != j {
				if d := metres(p, q); d <= near {
					all = append(all, weighted{j, -d})
				}
			}
		}
		g.Neighbours[i] = nearest(all)
	}
	if 2*known < len(s.Grid.Roads) {
		return false
	}
	s.Graph = g
	return true
}

// metres is the distance of two places that are not far from each other.
func metres(p, q [2]float64) float64 {
	const perDegree = 111195
	x := (p[1] - q[1]) * math.Cos((p[0]+q[0])/2*math.Pi/180)
	return perDegree * math.Hypot(p[0]-q[0], x)
}
