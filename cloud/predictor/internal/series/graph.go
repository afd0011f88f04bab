package series

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// A Graph says which roads lie beside which, by index into the roads of a Grid or a
// Window. The zero Graph knows no neighbours.
type Graph struct {
	// Neighbours are, for each road, the roads up- and downstream of it, nearest first.
	// It is empty, or has one entry per road.
	Neighbours [][]int32
}

// Of is the neighbours of a road; nil when none are known.
func (g Graph) Of(road int) []int32 {
	if road >= len(g.Neighbours) {
		return nil
	}
	return g.Neighbours[road]
}

// Validate refuses a graph that does not fit so many roads.
func (g Graph) Validate(roads int) error {
	if len(g.Neighbours) != 0 && len(g.Neighbours) != roads {
		return fmt.Errorf("graph: neighbours of %d roads, want %d or none", len(g.Neighbours), roads)
	}
	for i, ns := range g.Neighbours {
		for _, n := range ns {
			if n < 0 || int(n) >= roads || int(n) == i {
				return fmt.Errorf("graph: road %d has neighbour %d; must be another one of 0 to %d", i, n, roads-1)
			}
		}
	}
	return nil
}

// Hash names the graph among roads: it does not depend on the order of the roads, and
// edges to other roads do not count.
func (g Graph) Hash(all, roads []string) string {
	among := make(map[string]bool, len(roads))
	for _, r := range roads {
		among[r] = true
	}
	var lines []string
	for i, r := range all {
		if !among[r] {
			continue
		}
		lines = append(lines, fmt.Sprintf("%q", r))
		for _, n := range g.Of(i) {
			if among[all[n]] {
				lines = append(lines, fmt.Sprintf("%q>%q", r, all[n]))
			}
		}
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		fmt.Fprintln(h, l)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
