//go:build !race

package roadnet_test

// The race detector makes these slow and sees nothing in them: they have one goroutine.

import (
	"reflect"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
)

// Whatever map lies beside the repository imports with a report, and is the same after
// a way through a saved file. The figures of Paris were measured independently.
func TestMapsBesideTheRepositoryImport(t *testing.T) {
	for _, c := range []struct {
		folder, file                        string
		roads, junctions, core, turns, bare int // bare: roads that tags leave out
	}{
		{"osm-extracts", "berlin-siegessaeule.osm.gz", 39, 37, 14, 0, 110},
		{"osm-extracts", "most-monaco-network.osm.gz", 3012, 1540, 2360, 16, 511},
		{"osm-extracts", "andorra.osm.pbf", 3457, 1730, 3433, 0, 436 + 15},
		{"osm-extracts", "monaco.osm.gz", 1067, 575, 998, 0, 357 + 7},
		{"paris-road-graph", "paris_54000.txt.gz", 22924, 11348, 22924, 0, 0},
		{"paris-road-graph", "streets.csv.gz", 22924, 11348, 22924, 0, 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			n, rep, err := roadnet.Import(t.Context(), dataFile(t, c.folder, c.file))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []struct {
				what      string
				got, want int
			}{
				{"roads", len(n.Roads), c.roads},
				{"junctions", rep.Nodes, c.junctions},
				{"placed junctions", len(n.Nodes), c.junctions},
				{"core roads", rep.CoreRoads, c.core},
				{"forbidden turns", len(n.Forbidden), c.turns},
				{"left out", rep.Count(roadnet.KindNotForCars) + rep.Count(roadnet.KindNoAccess), c.bare},
				{"self loops", rep.Count(roadnet.KindSelfLoop), 0},
				{"dangling", rep.Count(roadnet.KindDangling), 0},
			} {
				if f.got != f.want {
					t.Errorf("%s: %d, want %d", f.what, f.got, f.want)
				}
			}
			for i := range n.Roads {
				r := &n.Roads[i]
				if v, ok := r.FreeFlowKMH.Get(); !(r.LengthM.Or(0) >= 0.1) || !ok || v < 5 || v > 130 {
					t.Fatalf("road %s: length %v, free flow %v", r.ID, r.LengthM, r.FreeFlowKMH)
				}
			}
			back, _, err := saveAndImport(t, n)
			if err != nil || !reflect.DeepEqual(n, back) {
				t.Errorf("%v: the network changed on its way through a file", err)
			}
		})
	}
}

func TestBothFormsOfTheStreetGraphAreTheSame(t *testing.T) {
	text, _, err := roadnet.Import(t.Context(), dataFile(t, "paris-road-graph", "paris_54000.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	csv, _, err := roadnet.Import(t.Context(), dataFile(t, "paris-road-graph", "streets.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(text.Roads, csv.Roads) {
		t.Error("the roads differ")
	}
}
