package routingtest

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/routing"
)

// A Link is a link of a TNTP network. Nodes are numbered from 1.
type Link struct {
	From, To                   int
	Capacity, Length, FreeTime float64
	B, Power                   float64
}

// A TNTP is a network of traffic assignment with its demand and its known equilibrium.
type TNTP struct {
	Nodes, Zones, FirstThrough int
	Links                      []Link
	// Trips is the demand from zone i to zone j, from 0.
	Trips [][]float64
	// Volume is the known flow of each link, nil where there is no file.
	Volume []float64
}

// Networks are the names of the networks in the data folder.
func Networks() []string { return []string{"SiouxFalls", "Anaheim", "Winnipeg", "Braess-Example"} }

// ReadTNTP reads a network of the data folder.
func ReadTNTP(t testing.TB, name string) *TNTP {
	t.Helper()
	n := &TNTP{}
	prefix := strings.TrimSuffix(name, "-Example")
	for _, f := range n.table(t, name, prefix+"_net.tntp") {
		v := make([]float64, 7)
		for i := range v {
			v[i] = Number(t, f[i])
		}
		n.Links = append(n.Links, Link{int(v[0]), int(v[1]), v[2], v[3], v[4], v[5], v[6]})
	}
	n.Trips = make([][]float64, n.Zones)
	for z := range n.Trips {
		n.Trips[z] = make([]float64, n.Zones)
	}
	origin := 0
	for _, f := range n.table(t, name, prefix+"_trips.tntp") {
		if f[0] == "Origin" {
			origin = int(Number(t, f[1]))
			continue
		}
		for cell := range strings.SplitSeq(strings.Join(f, " "), ";") {
			if to, trips, ok := strings.Cut(cell, ":"); ok {
				n.Trips[origin-1][int(Number(t, to))-1] = Number(t, trips)
			}
		}
	}
	n.readVolume(t, name, prefix+"_flow.tntp")
	return n
}

func (n *TNTP) readVolume(t testing.TB, name, file string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(realdata.Path(t), existing(t, name, file))); err != nil {
		return
	}
	volume := make(map[[2]int]float64)
	for _, f := range n.table(t, name, file)[1:] {
		volume[[2]int{int(Number(t, f[0])), int(Number(t, f[1]))}] = Number(t, f[2])
	}
	for _, l := range n.Links {
		n.Volume = append(n.Volume, volume[[2]int{l.From, l.To}])
	}
}

// existing is where a file is in the data folder; it may be packed.
func existing(t testing.TB, name, file string) string {
	t.Helper()
	path := filepath.Join("transport-networks", name, file)
	if _, err := os.Stat(filepath.Join(realdata.Path(t), path)); err != nil {
		return path + ".gz"
	}
	return path
}

// table reads the fields of a file's lines, and what its head says.
func (n *TNTP) table(t testing.TB, name, file string) [][]string {
	t.Helper()
	var rows [][]string
	lines := bufio.NewScanner(bytes.NewReader(Read(t, existing(t, name, file))))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if tag, value, ok := strings.Cut(line, ">"); ok {
			n.head(t, tag, strings.TrimSpace(value))
			continue
		}
		if line == "" || line[0] == '~' {
			continue
		}
		rows = append(rows, strings.Fields(line))
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return rows
}

func (n *TNTP) head(t testing.TB, tag, value string) {
	t.Helper()
	switch tag {
	case "<NUMBER OF ZONES":
		n.Zones = int(Number(t, value))
	case "<NUMBER OF NODES":
		n.Nodes = int(Number(t, value))
	case "<FIRST THRU NODE":
		n.FirstThrough = int(Number(t, value))
	}
}

// streets is the network as a case without positions, its times at free flow in
// thousandths of the file's unit.
func (n *TNTP) streets() *Case {
	c := &Case{}
	edges := make([]routing.Edge, len(n.Links))
	for i, l := range n.Links {
		edges[i] = routing.Edge{From: int32(l.From - 1), To: int32(l.To - 1)}
		c.add(0, 1000*l.FreeTime, l.Length)
	}
	c.Graph = must(routing.NewGraph(n.Nodes, edges))
	return c
}
