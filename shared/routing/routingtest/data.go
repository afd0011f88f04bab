package routingtest

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/routing"
)

// Read returns the content of a file of the data folder, unpacked when its name ends
// in .gz.
func Read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(realdata.Path(t, file))
	if err == nil && strings.HasSuffix(file, ".gz") {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = io.ReadAll(z)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Rows returns the rows of a CSV file, without its first line where header is true.
func Rows(t testing.TB, file string, header bool) [][]string {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(Read(t, file)))
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if header {
		rows = rows[1:]
	}
	return rows
}

// Number reads a number of a row.
func Number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Cases reads every graph of the data folder that has roads or distances.
func Cases(t testing.TB) map[string]*Case {
	t.Helper()
	paris, _ := Paris(t)
	cases := map[string]*Case{
		"paris-road-graph":      paris,
		"paris-referentiel":     imported(t, "paris-referentiel/referentiel-comptages-routiers.geojson.gz"),
		"los-loop":              losLoop(t),
		"pems-bay-sensor-graph": pemsBay(t),
		"melbourne-scats":       melbourne(t),
	}
	for _, name := range []string{"andorra.osm.pbf", "berlin-siegessaeule.osm.gz", "monaco.osm.gz", "most-monaco-network.osm.gz"} {
		cases["osm-extracts/"+name] = imported(t, "osm-extracts/"+name)
	}
	for _, name := range Networks() {
		cases["transport-networks/"+name] = ReadTNTP(t, name).streets()
	}
	return cases
}

// Paris reads paris-road-graph; the weights are those of the file, in seconds (Millis)
// and metres. The second answer lists the edges of each street.
func Paris(t testing.TB) (*Case, [][]int32) {
	t.Helper()
	c := &Case{}
	for _, r := range Rows(t, "paris-road-graph/nodes.csv.gz", true) {
		c.Points = append(c.Points, onPlane(Number(t, r[1]), Number(t, r[2])))
	}
	var edges []routing.Edge
	var streets [][]int32
	add := func(from, to string, r []string) int32 {
		e := routing.Edge{From: int32(Number(t, from)), To: int32(Number(t, to))}
		edges = append(edges, e)
		c.add(c.distance(e), Number(t, r[4]), Number(t, r[5]))
		return int32(len(edges) - 1)
	}
	for _, r := range Rows(t, "paris-road-graph/streets.csv.gz", true) {
		street := []int32{add(r[1], r[2], r)}
		if r[3] == "2" {
			street = append(street, add(r[2], r[1], r))
		}
		streets = append(streets, street)
	}
	c.Graph = must(routing.NewGraph(len(c.Points), edges))
	return c, streets
}

// onPlane is a position in metres, roughly.
func onPlane(lat, lng float64) routing.Point {
	const metresPerDegree = 111195
	return routing.Point{X: lng * metresPerDegree * math.Cos(lat*math.Pi/180), Y: lat * metresPerDegree}
}

func (c *Case) distance(e routing.Edge) float64 {
	a, b := c.Points[e.From], c.Points[e.To]
	return math.Hypot(a.X-b.X, a.Y-b.Y)
}

// add adds the weights of an edge.
func (c *Case) add(crow, millis, metres float64) {
	c.Millis = append(c.Millis, routing.Weight(math.Round(millis)))
	c.Metres = append(c.Metres, routing.Weight(math.Round(metres)))
	if millis >= 1 {
		c.TopSpeed = max(c.TopSpeed, crow/math.Round(millis))
	}
}

// FromNetwork makes a case of a network's roads that have two junctions, at free flow.
func FromNetwork(n *roadnet.Network) *Case {
	top := n.Topology()
	c := &Case{Points: make([]routing.Point, len(top.Nodes))}
	for i, id := range top.Nodes {
		p := n.Nodes[id]
		c.Points[i] = onPlane(p.Lat, p.Lng)
	}
	var edges []routing.Edge
	for i := range n.Roads {
		if top.From[i] < 0 {
			continue
		}
		e := routing.Edge{From: top.From[i], To: top.To[i]}
		edges = append(edges, e)
		metres := n.Roads[i].LengthM.Or(1)
		c.add(c.distance(e), max(1, metres*3600/n.Roads[i].FreeFlowKMH.Or(30)), metres)
	}
	c.Graph = must(routing.NewGraph(len(c.Points), edges))
	return c
}

func imported(t testing.TB, file string) *Case {
	t.Helper()
	n, _, err := roadnet.Import(t.Context(), realdata.Path(t, file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return FromNetwork(n)
}
