package tile_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/realdata"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/maptile"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/tile"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// paris has a road of each class side by side, 60 m apart and 1 km long.
func paris() *roadnet.Index {
	var roads []traffic.Road
	for i, c := range []traffic.Class{
		traffic.ClassMotorway, traffic.ClassTrunk, traffic.ClassPrimary, traffic.ClassSecondary, traffic.ClassTertiary, traffic.ClassResidential, "",
	} {
		lat := 48.86 + float64(i)*0.0005
		r := traffic.Road{ID: traffic.RoadID("road " + string(c)), Class: c, Label: "Rue " + string(c), Geometry: [][]traffic.Point{nil}}
		for k := range 21 { // with bends of a metre
			r.Geometry[0] = append(r.Geometry[0], traffic.Point{Lat: lat + float64(k%2)*0.00001, Lng: 2.35 + float64(k)*0.0007})
		}
		roads = append(roads, r)
	}
	roads[len(roads)-1].Label = ""
	return roadnet.NewIndex(roads)
}

// at is the tile that holds the beginning of the roads.
func at(z int) (x, y int) {
	t := maptile.At(orb.Point{2.351, 48.8602}, maptile.Zoom(z))
	return int(t.X), int(t.Y)
}

func open(t *testing.T, index *roadnet.Index, z int) (text []byte, layer *mvt.Layer) {
	t.Helper()
	x, y := at(z)
	text, err := tile.Make(index, z, x, y)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) == 0 {
		return nil, &mvt.Layer{}
	}
	layers, err := mvt.Unmarshal(text)
	if err != nil || len(layers) != 1 || layers[0].Name != tile.Layer || layers[0].Version != 2 {
		t.Fatalf("%v: %+v", err, layers)
	}
	return text, layers[0]
}

func TestTilesShowMoreTheNearerTheyAre(t *testing.T) {
	for z, want := range map[int]int{0: 0, 4: 0, 10: 4, 12: 5, 13: 7, 14: 7} {
		_, layer := open(t, paris(), z)
		if len(layer.Features) != want {
			t.Errorf("zoom %d: %d roads, want %d", z, len(layer.Features), want)
		}
	}
	_, layer := open(t, paris(), 14)
	var ids []string
	for _, f := range layer.Features {
		ids = append(ids, f.Properties.MustString("id"))
		if f.Properties.MustString("name", "none") != "Rue "+f.Properties.MustString("class") && f.Properties.MustString("class") != "" {
			t.Errorf("%v", f.Properties)
		}
	}
	if !slices.Contains(ids, "road motorway") || !slices.Contains(ids, "road ") {
		t.Errorf("%q", ids)
	}
}

func TestTilesAreClippedSimplifiedAndAlwaysTheSame(t *testing.T) {
	text, layer := open(t, paris(), 15)
	again, _ := open(t, paris(), 15)
	if !bytes.Equal(text, again) {
		t.Error("the same tile is not the same bytes")
	}
	for _, f := range layer.Features {
		line, ok := f.Geometry.(orb.LineString)
		if !ok || len(line) < 2 {
			t.Fatalf("%T", f.Geometry)
		}
		if b := line.Bound(); b.Min[0] < -65 || b.Max[0] > 4096+65 || b.Min[1] < -65 || b.Max[1] > 4096+65 {
			t.Errorf("%v leaves the tile by more than its buffer", b)
		}
	}
	_, far := open(t, paris(), 10)
	_, near := open(t, paris(), 16)
	points := func(l *mvt.Layer) int { return len(l.Features[0].Geometry.(orb.LineString)) }
	if points(far) != 2 || points(near) <= 2 {
		t.Errorf("%d points from afar, %d nearby: want 2, and the bends", points(far), points(near))
	}
}

// A tile that is decoded lies where the road lies.
func TestTilesKeepTheirPlace(t *testing.T) {
	_, layer := open(t, paris(), 16)
	x, y := at(16)
	layer.ProjectToWGS84(maptile.New(uint32(x), uint32(y), 16))
	index := paris()
	for _, f := range layer.Features {
		for _, p := range f.Geometry.(orb.LineString) {
			near, ok := index.Nearest(traffic.Point{Lat: p[1], Lng: p[0]}, 5)
			if !ok || string(index.Roads()[near.Road].ID) != f.Properties.MustString("id") || near.DistanceM > 1 {
				t.Fatalf("%v is %+v", p, near)
			}
		}
	}
}

func TestMakeRefusesWhatIsNoTile(t *testing.T) {
	for want, c := range map[string][3]int{
		"zoom 17 is not allowed: want 0 to 16":                   {17, 0, 0},
		"zoom -1 is not allowed":                                 {-1, 0, 0},
		"column 2, row 0 are not allowed at zoom 1: want 0 to 1": {1, 2, 0},
		"column 0, row -1":                                       {1, 0, -1},
	} {
		if _, err := tile.Make(paris(), c[0], c[1], c[2]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", c, err, want)
		}
	}
	if text, err := tile.Make(paris(), 3, 0, 0); err != nil || len(text) != 0 {
		t.Errorf("%v: the ocean has %d bytes", err, len(text))
	}
}

func BenchmarkMakeParis(b *testing.B) {
	n, _, err := roadnet.Import(b.Context(), realdata.Path(b, "paris-road-graph", "streets.csv.gz"))
	if err != nil {
		b.Fatal(err)
	}
	index := roadnet.NewIndex(n.Roads)
	for _, z := range []int{12, 13, 14, 16} {
		b.Run("zoom "+string(rune('0'+z/10))+string(rune('0'+z%10)), func(b *testing.B) {
			x, y := at(z)
			size := 0
			for b.Loop() {
				text, err := tile.Make(index, z, x, y)
				if err != nil {
					b.Fatal(err)
				}
				size = len(text)
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
