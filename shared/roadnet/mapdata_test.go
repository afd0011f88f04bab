package roadnet_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/internal/race"
)

// Whatever map lies beside the repository imports with a report, and is the same after
// a way through a saved file. The figures of Paris were measured independently.
func TestMapsBesideTheRepositoryImport(t *testing.T) {
	for _, c := range []struct {
		folder, file                        string
		roads, junctions, core, turns, bare int // bare: roads that tags leave out
		slow                                bool
	}{
		{"osm-extracts", "berlin-siegessaeule.osm.gz", 39, 37, 14, 0, 110, false},
		{"osm-extracts", "most-monaco-network.osm.gz", 3012, 1540, 2360, 16, 511, false},
		{"osm-extracts", "andorra.osm.pbf", 3457, 1730, 3433, 0, 436 + 15, true},
		{"osm-extracts", "monaco.osm.gz", 1067, 575, 998, 0, 357 + 7, true},
		{"paris-road-graph", "paris_54000.txt.gz", 22924, 11348, 22924, 0, 0, true},
		{"paris-road-graph", "streets.csv.gz", 22924, 11348, 22924, 0, 0, true},
	} {
		t.Run(c.file, func(t *testing.T) {
			if c.slow && race.Enabled {
				t.Skip("slow with the race detector; its like is tested")
			}
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
	if race.Enabled {
		t.Skip("slow with the race detector")
	}
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

// An extract that was cut short is an error wherever it was cut, except that a PBF cut
// between two blocks cannot be told from a whole one.
func TestTruncatedExtractsAreRefused(t *testing.T) {
	pbf, err := os.ReadFile(dataFile(t, "osm-extracts", "andorra.osm.pbf"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dataFile(t, "osm-extracts", "berlin-siegessaeule.osm.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	xml, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(pbf)
	for i := len(damaged) / 2; i < len(damaged)/2+100; i++ {
		damaged[i] ^= 0x55
	}
	for name, content := range map[string][]byte{
		"part.osm": xml[:len(xml)/20], "half.osm.pbf": pbf[:len(pbf)/2],
		"head.osm.pbf": pbf[:40], "tail.osm.pbf": pbf[:len(pbf)-1], "flipped.osm.pbf": damaged,
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := roadnet.Import(t.Context(), path); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: %v: want an error that names the file", name, err)
		}
	}
}
