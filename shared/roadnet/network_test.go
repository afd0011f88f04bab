package roadnet_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"
	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func ExampleFromRoads() {
	n := roadnet.FromRoads([]traffic.Road{
		{ID: "there", FromNode: "A", ToNode: "B", Geometry: [][]traffic.Point{{{Lat: 48, Lng: 2}, {Lat: 48, Lng: 2.01}}}},
		{ID: "back", FromNode: "B", ToNode: "A", Geometry: [][]traffic.Point{{{Lat: 48, Lng: 2.01}, {Lat: 48, Lng: 2}}}},
	})
	t := n.Topology()
	_, sizes := t.StrongComponents()
	fmt.Println(n.Roads[0].ID, n.Nodes["B"].Lng, sizes)
	// Output: back 2.01 [2]
}

func TestFromRoadsTakesWhateverAStoreHas(t *testing.T) {
	n := roadnet.FromRoads([]traffic.Road{
		{ID: "b", FromNode: "2", ToNode: "0"},
		{ID: "a", Label: "first"},
		{ID: "a", Label: "second"},
		{ID: "c", FromNode: "2", Geometry: [][]traffic.Point{{}}},
	})
	if len(n.Roads) != 3 || n.Roads[0].Label != "first" || len(n.Nodes) != 0 {
		t.Errorf("got %+v", n)
	}
	top := n.Topology()
	if want := []traffic.NodeID{"0", "2"}; !slices.Equal(top.Nodes, want) || top.From[2] != -1 || top.To[1] != 0 {
		t.Errorf("topology %+v", top)
	}
	if _, ok := n.Find("bb"); ok {
		t.Error("found a road that is not there")
	}
	_, rep, err := saveAndImport(t, n)
	if err != nil || rep.Roads != 3 || rep.Count(roadnet.KindDangling) != 2 {
		t.Errorf("report %v, %v", rep, err)
	}
	empty := roadnet.FromRoads(nil).Topology()
	if _, sizes := empty.StrongComponents(); len(sizes) != 0 {
		t.Error("components of nothing")
	}
}

func saveAndImport(t *testing.T, n *roadnet.Network) (*roadnet.Network, *roadnet.Report, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.roads")
	if err := roadnet.Save(path, n); err != nil {
		t.Fatal(err)
	}
	return roadnet.Import(t.Context(), path)
}

func TestDistance(t *testing.T) {
	notreDame, eiffel := traffic.Point{Lat: 48.852968, Lng: 2.349902}, traffic.Point{Lat: 48.858370, Lng: 2.294481}
	if d := roadnet.DistanceM(notreDame, eiffel); math.Abs(d-4099) > 5 {
		t.Errorf("%g m", d)
	}
	quarter := roadnet.DistanceM(traffic.Point{}, traffic.Point{Lat: 90})
	if math.Abs(quarter-10_007_557) > 10 {
		t.Errorf("a quarter meridian is %g m", quarter)
	}
	if d := roadnet.DistanceM(traffic.Point{Lng: -180}, traffic.Point{Lng: 180}); d > 1e-6 {
		t.Errorf("across the date line: %g m", d)
	}
}

// Both component counts are checked against gonum on random graphs.
func TestComponentsAgreeWithGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(1, 12).Draw(t, "nodes")
		arcs := rapid.SliceOfN(rapid.IntRange(0, nodes*nodes-1), 1, 20).Draw(t, "arcs")
		directed, undirected := simple.NewDirectedGraph(), simple.NewUndirectedGraph()
		var roads []traffic.Road
		for i, a := range arcs {
			from, to := int64(a/nodes), int64(a%nodes)
			roads = append(roads, traffic.Road{
				ID:       traffic.RoadID(fmt.Sprint(i)),
				FromNode: traffic.NodeID(fmt.Sprint(from)), ToNode: traffic.NodeID(fmt.Sprint(to)),
			})
			if from != to {
				directed.SetEdge(simple.Edge{F: simple.Node(from), T: simple.Node(to)})
				undirected.SetEdge(simple.Edge{F: simple.Node(from), T: simple.Node(to)})
			} else if directed.Node(from) == nil {
				directed.AddNode(simple.Node(from))
			}
			if undirected.Node(from) == nil {
				undirected.AddNode(simple.Node(from))
			}
		}
		top := roadnet.NewTopology(roads)
		of, sizes := top.StrongComponents()
		var want []int
		for _, c := range topo.TarjanSCC(directed) {
			want = append(want, len(c))
		}
		slices.Sort(want)
		if got := slices.Sorted(slices.Values(sizes)); !slices.Equal(got, want) {
			t.Fatalf("strong components %v, want %v", got, want)
		}
		for _, c := range of {
			if c < 0 {
				t.Fatal("a junction belongs to no component")
			}
		}
		_, weak := top.Components()
		if want := topo.ConnectedComponents(undirected); len(weak) != len(want) {
			t.Fatalf("%d components, want %d", len(weak), len(want))
		}
		for n := range top.Nodes {
			for _, r := range top.Out(int32(n)) {
				if top.From[r] != int32(n) {
					t.Fatal("Out lists a road that begins elsewhere")
				}
			}
			for _, r := range top.In(int32(n)) {
				if top.To[r] != int32(n) {
					t.Fatal("In lists a road that ends elsewhere")
				}
			}
		}
	})
}

// randomNetwork has everything optional present and absent.
func randomNetwork(rng *rand.Rand, roads int) *roadnet.Network {
	value := func(limit float64) traffic.Value {
		if rng.IntN(4) == 0 {
			return traffic.Value{}
		}
		return traffic.Some(rng.Float64() * limit)
	}
	coord := func(limit float64) float64 { return math.Round((rng.Float64()*2-1)*limit*1e7) / 1e7 }
	var rs []traffic.Road
	for i := range roads {
		r := traffic.Road{
			ID: traffic.RoadID(fmt.Sprintf("r%d", i)), Label: fmt.Sprint("Rue ", rng.IntN(5)),
			LengthM: value(1000), FreeFlowKMH: value(130), CapacityVPH: value(8000), Lat: value(90), Lng: value(180),
			Class: []traffic.Class{"", traffic.ClassPrimary, "own"}[rng.IntN(3)],
		}
		if rng.IntN(5) > 0 {
			r.FromNode = traffic.NodeID(fmt.Sprint(rng.IntN(9)))
			r.ToNode = traffic.NodeID(fmt.Sprint(rng.IntN(9)))
		}
		for range rng.IntN(3) {
			var part []traffic.Point
			for range 2 + rng.IntN(3) {
				part = append(part, traffic.Point{Lat: coord(90), Lng: coord(180)})
			}
			r.Geometry = append(r.Geometry, part)
		}
		rs = append(rs, r)
	}
	n := roadnet.FromRoads(rs)
	for i := range rng.IntN(len(rs)) {
		n.Forbidden = append(n.Forbidden, roadnet.Turn{From: n.Roads[i].ID, To: n.Roads[rng.IntN(len(rs))].ID})
		if id := n.Roads[i].FromNode; id != "" {
			n.Signals = append(n.Signals, id)
		}
		if layer := int8(rng.IntN(256) - 128); layer != 0 {
			if n.Layers == nil {
				n.Layers = make(map[traffic.RoadID]int8)
			}
			n.Layers[n.Roads[i].ID] = layer
		}
	}
	slices.Sort(n.Signals)
	n.Signals = slices.Compact(n.Signals)
	n.Source = roadnet.Source{Format: "f", File: "a.osm", SHA256: "00", Bytes: rng.Int64(), Licence: "l", Country: "FR"}
	return n
}

func TestSaveKeepsEverything(t *testing.T) {
	for seed := range uint64(30) {
		n := randomNetwork(rand.New(rand.NewPCG(seed, 0)), int(seed)+1)
		back, _, err := saveAndImport(t, n)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(n, back) {
			t.Fatalf("seed %d: got\n%+v\nwant\n%+v", seed, back, n)
		}
	}
}

func TestSaveReplacesOrLeavesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.roads")
	for _, roads := range []int{20, 3} {
		if err := roadnet.Save(path, randomNetwork(rand.New(rand.NewPCG(1, 2)), roads)); err != nil {
			t.Fatal(err)
		}
		n, _, err := roadnet.Import(t.Context(), path)
		if err != nil || len(n.Roads) != roads {
			t.Fatalf("%d roads, %v: want %d", len(n.Roads), err, roads)
		}
	}
	if err := roadnet.Save(filepath.Join(dir, "no", "a.roads"), &roadnet.Network{}); err == nil {
		t.Error("saved into a folder that does not exist")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// A file of version 1 is one of version 2 without turns, signals, layers and source.
func TestFilesOfVersion1StillLoad(t *testing.T) {
	n := roadnet.FromRoads(randomNetwork(rand.New(rand.NewPCG(8, 9)), 9).Roads)
	path := filepath.Join(t.TempDir(), "a.roads")
	if err := roadnet.Save(path, n); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text[:8]) != "CFROADS2" {
		t.Fatalf("%v: begins with %q", err, text[:8])
	}
	text[7] = '1'
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	back, _, err := roadnet.Import(t.Context(), path)
	if err != nil || !reflect.DeepEqual(back.Roads, n.Roads) || back.Source.SHA256 == "" {
		t.Errorf("%v: %+v", err, back)
	}
}
