package roadnet_test

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// parisFile finds a file of the Paris reference beside the repository.
func parisFile(t testing.TB, name string) string { return dataFile(t, "paris-referentiel", name) }

// dataFile finds a file of the data sets that lie beside the repository.
func dataFile(t testing.TB, folder, name string) string {
	t.Helper()
	return realdata.Path(t, folder, name)
}

const (
	parisGeoJSON = "referentiel-comptages-routiers.geojson.gz"
	parisCSV     = "referentiel-comptages-routiers.labels-fr.csv.gz"
)

// The figures are those measured independently when the data set was collected.
func TestParisReferenceIsReadWhole(t *testing.T) {
	for _, file := range []string{parisGeoJSON, parisCSV} {
		t.Run(file, func(t *testing.T) {
			n, rep, err := roadnet.Import(t.Context(), parisFile(t, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				what      string
				got, want int
			}{
				{"rows", rep.Rows, 3739},
				{"roads", rep.Roads, 3348},
				{"roads in the network", len(n.Roads), 3348},
				{"junctions", rep.Nodes, 1811},
				{"placed junctions", len(n.Nodes), 1811},
				{"core junctions", rep.CoreNodes, 1717},
				{"core roads", rep.CoreRoads, 3214},
				{"roads outside the core", rep.Count(roadnet.KindOutsideCore), 3348 - 3214},
				{"parallel", rep.Count(roadnet.KindParallel), 13},
				{"self loops", rep.Count(roadnet.KindSelfLoop), 0},
				{"junctions without exit", rep.Count(roadnet.KindNoExit), 21},
				{"junctions without entry", rep.Count(roadnet.KindNoEntry), 24},
				{"unchained", rep.Count(roadnet.KindUnchained), 15},
				{"clearly reversed", rep.Count(roadnet.KindReversed), 3},
				{"islands", rep.Count(roadnet.KindIsland), 8 + 2},
				{"bad rows", rep.Count(roadnet.KindBadRow), 0},
				{"zero length", rep.Count(roadnet.KindZeroLength), 0},
				{"dangling", rep.Count(roadnet.KindDangling), 0},
			} {
				if c.got != c.want {
					t.Errorf("%s: got %d, want %d", c.what, c.got, c.want)
				}
			}
			if want := []int{1801, 8, 2}; !reflect.DeepEqual(rep.Components, want) {
				t.Errorf("components: got %v, want %v", rep.Components, want)
			}
			if math.Abs(rep.LengthM-658.2e3) > 100 {
				t.Errorf("total length: got %.1f km, want 658.2", rep.LengthM/1000)
			}
		})
	}
}

func TestParisFormatsGiveTheSameNetwork(t *testing.T) {
	geo, _, err := roadnet.Import(t.Context(), parisFile(t, parisGeoJSON))
	if err != nil {
		t.Fatal(err)
	}
	csv, _, err := roadnet.Import(t.Context(), parisFile(t, parisCSV))
	if err != nil {
		t.Fatal(err)
	}
	for i := range geo.Roads {
		if !reflect.DeepEqual(geo.Roads[i], csv.Roads[i]) {
			t.Fatalf("road %s differs:\n%+v\n%+v", geo.Roads[i].ID, geo.Roads[i], csv.Roads[i])
		}
	}
	geo.Source, csv.Source = roadnet.Source{}, roadnet.Source{} // two files
	if !reflect.DeepEqual(geo, csv) {
		t.Error("the junctions differ")
	}
}

func TestParisRoadsRunInDrivingDirection(t *testing.T) {
	n, _, err := roadnet.Import(t.Context(), parisFile(t, parisGeoJSON))
	if err != nil {
		t.Fatal(err)
	}
	var against int
	for _, r := range n.Roads {
		first := r.Geometry[0][0]
		end := r.Geometry[len(r.Geometry)-1]
		last := end[len(end)-1]
		from, to := n.Nodes[r.FromNode], n.Nodes[r.ToNode]
		asIs := roadnet.DistanceM(first, from) + roadnet.DistanceM(last, to)
		turned := roadnet.DistanceM(first, to) + roadnet.DistanceM(last, from)
		if turned < asIs {
			against++
		}
	}
	if against > 3 {
		t.Errorf("%d of %d roads fit their junctions better the other way round", against, len(n.Roads))
	}
}

func TestParisLabelsGiveClasses(t *testing.T) {
	n, _, err := roadnet.Import(t.Context(), parisFile(t, parisCSV))
	if err != nil {
		t.Fatal(err)
	}
	class := make(map[string]traffic.Class)
	for _, r := range n.Roads {
		class[r.Label] = r.Class
		if ff, ok := r.FreeFlowKMH.Get(); !ok || ff < 30 || ff > 70 {
			t.Errorf("%s: free flow %v", r.ID, r.FreeFlowKMH)
		}
		if c, ok := r.CapacityVPH.Get(); !ok || c < 700 || c > 6000 {
			t.Errorf("%s: capacity %v", r.ID, r.CapacityVPH)
		}
	}
	for label, want := range map[string]traffic.Class{
		"PE Quai Issy":              traffic.ClassTrunk,
		"PI A6B":                    traffic.ClassTrunk,
		"VGP Cours la Reine":        traffic.ClassTrunk,
		"A6A W":                     traffic.ClassMotorway,
		"Bd Voltaire":               traffic.ClassPrimary,
		"Quai d'Orsay":              traffic.ClassPrimary,
		"Av de l'Opera":             traffic.ClassSecondary,
		"SE Quai d'Ivry bretelle 3": traffic.ClassSecondary,
		"Avron":                     traffic.ClassTertiary,
		"Monge":                     traffic.ClassTertiary,
	} {
		if class[label] != want {
			t.Errorf("%q: got class %q, want %q", label, class[label], want)
		}
	}
}

func TestSavedParisLoadsEqualAndFast(t *testing.T) {
	n, rep, err := roadnet.Import(t.Context(), parisFile(t, parisCSV))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "paris.roads")
	if err := roadnet.Save(path, n); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	back, backRep, err := roadnet.Import(t.Context(), path)
	took := time.Since(begin)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(n, back) {
		t.Error("the network changed on its way through the file")
	}
	if backRep.CoreRoads != rep.CoreRoads || backRep.Roads != rep.Roads {
		t.Errorf("report changed: %v", backRep)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, loaded in %v", info.Size(), took)
	if took > time.Second || info.Size() > 300_000 {
		t.Errorf("%d bytes, loaded in %v: want it small and under a second", info.Size(), took)
	}
}

func BenchmarkImportParis(b *testing.B) {
	for _, file := range []string{parisGeoJSON, parisCSV} {
		b.Run(file, func(b *testing.B) {
			path := parisFile(b, file)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := roadnet.Import(b.Context(), path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
