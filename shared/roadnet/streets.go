package roadnet

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	streetColumns = "street,from,to,direction,duration_s,length_m"
	nodeColumns   = "node,lat,lon"
)

// The free-flow speeds in km/h that a street of the graph may have: its durations are
// whole seconds, which makes nonsense of the speed of short streets.
const (
	minStreetKMH = 8
	maxStreetKMH = 90
)

// A streetRow is one street of the graph as the file has it.
type streetRow struct {
	number, from, to int
	bothWays         bool
	seconds, metres  float64
	where            string
}

// A streetGraph is a file of the street graph: its junctions, then its streets one by
// one, a *rowError for each that cannot be used.
type streetGraph struct {
	nodes []traffic.Point
	rows  iter.Seq2[streetRow, error]
	err   error
}

// importStreets makes a road of each direction of each street. Lengths are taken from
// the coordinates, because the file's own took a degree of longitude for as long as
// one of latitude; its durations have the same fault, so that their quotient, the
// speed, is right.
func importStreets(in *input, g streetGraph) (*Network, *Report, error) {
	if g.err != nil {
		return nil, nil, g.err
	}
	rep := &Report{Format: "Paris street graph"}
	var roads []traffic.Road
	for row, err := range g.rows {
		rep.Rows++
		var bad *rowError
		switch {
		case errors.As(err, &bad):
			rep.add(Issue{Kind: KindBadRow, Where: bad.where, Detail: bad.err.Error()})
			continue
		case err != nil:
			return nil, nil, err
		}
		roads = append(roads, row.roads(g.nodes, rep)...)
	}
	if len(roads) == 0 {
		return nil, nil, nothingUsable(in.name, rep)
	}
	n := FromRoads(roads)
	rep.inspect(n)
	return n, rep, nil
}

// StreetRoad is the road id of a street of the Paris street graph, by its number from
// 0, driven from its first junction or against that.
func StreetRoad(number int, back bool) traffic.RoadID {
	id := "STREET-" + strconv.Itoa(number)
	if back {
		id += "R"
	}
	return traffic.RoadID(id)
}

// StreetNode is the junction's id of a node of the Paris street graph, by its number
// from 0.
func StreetNode(number int) traffic.NodeID {
	return traffic.NodeID("STREET-" + strconv.Itoa(number))
}

func (s *streetRow) roads(nodes []traffic.Point, rep *Report) []traffic.Road {
	line := []traffic.Point{nodes[s.from], nodes[s.to]}
	length := LengthM([][]traffic.Point{line})
	if length < minLengthM {
		rep.add(Issue{Kind: KindTiny, Road: StreetRoad(s.number, false), Where: s.where})
		length = minLengthM
	}
	kmh := s.metres / s.seconds * 3.6
	if sane := min(max(kmh, minStreetKMH), maxStreetKMH); sane != kmh {
		rep.add(Issue{
			Kind: KindOddSpeed, Road: StreetRoad(s.number, false), Where: s.where,
			Detail: fmt.Sprintf("%.1f km/h, taken as %g", kmh, sane),
		})
		kmh = sane
	}
	mid := midpoint([][]traffic.Point{line})
	r := traffic.Road{
		ID: StreetRoad(s.number, false), FromNode: StreetNode(s.from), ToNode: StreetNode(s.to),
		Geometry: [][]traffic.Point{line}, LengthM: traffic.Some(length), FreeFlowKMH: traffic.Some(math.Round(kmh*10) / 10),
		Lat: traffic.Some(mid.Lat), Lng: traffic.Some(mid.Lng),
	}
	if !s.bothWays {
		return []traffic.Road{r}
	}
	back := r
	back.ID, back.FromNode, back.ToNode = StreetRoad(s.number, true), r.ToNode, r.FromNode
	back.Geometry = [][]traffic.Point{reversed(line)}
	return []traffic.Road{r, back}
}

// parse reads the five numbers of a street: from, to, direction, duration, length.
func (s *streetRow) parse(fields []string, nodes int) error {
	if len(fields) != 5 {
		return &rowError{s.where, fmt.Errorf("%d numbers: want from, to, direction, duration, length", len(fields))}
	}
	var v [5]float64
	for i, f := range fields {
		var err error
		if v[i], err = strconv.ParseFloat(f, 64); err != nil || math.IsNaN(v[i]) || math.IsInf(v[i], 0) {
			return &rowError{s.where, fmt.Errorf("%q is no number", f)}
		}
	}
	inside := func(x float64) bool { return x >= 0 && x < float64(nodes) && x == math.Trunc(x) }
	switch {
	case !inside(v[0]) || !inside(v[1]):
		return &rowError{s.where, fmt.Errorf("junctions %s and %s: want 0 to %d", fields[0], fields[1], nodes-1)}
	case v[2] != 1 && v[2] != 2:
		return &rowError{s.where, fmt.Errorf("direction %s: want 1 or 2", fields[2])}
	case v[3] <= 0 || v[4] <= 0:
		return &rowError{s.where, fmt.Errorf("duration %s, length %s: want both above 0", fields[3], fields[4])}
	}
	s.from, s.to, s.bothWays, s.seconds, s.metres = int(v[0]), int(v[1]), v[2] == 2, v[3], v[4]
	return nil
}

func parsePoint(lat, lng string) (p traffic.Point, ok bool) {
	var err1, err2 error
	p.Lat, err1 = strconv.ParseFloat(lat, 64)
	p.Lng, err2 = strconv.ParseFloat(lng, 64)
	return quantized(p), err1 == nil && err2 == nil && validPoint(p)
}

// isStreetText reports whether a first line is that of the text form: the numbers of
// junctions and streets, and three that are of no use here.
func isStreetText(line string) bool {
	fields := strings.Fields(line)
	for _, f := range fields {
		if n, err := strconv.Atoi(f); err != nil || n < 0 {
			return false
		}
	}
	return len(fields) == 5
}

// maxStreetNodes bounds what a file can make us reserve.
const maxStreetNodes = 10_000_000

// streetText reads the text form: counts, junctions, streets, one a line.
func streetText(name string, r io.Reader) streetGraph {
	sc := bufio.NewScanner(r)
	line := 0
	next := func() ([]string, error) {
		line++
		if !sc.Scan() {
			err := sc.Err()
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			return nil, damaged(fmt.Sprintf("%s:%d", name, line), err)
		}
		return strings.Fields(sc.Text()), nil
	}
	head, err := next()
	if err != nil {
		return streetGraph{err: err}
	}
	junctions, err1 := strconv.Atoi(head[0])
	streets, err2 := strconv.Atoi(head[1])
	if err1 != nil || err2 != nil || junctions > maxStreetNodes {
		return streetGraph{err: fmt.Errorf("%s:1: %s junctions: want at most %d", name, head[0], maxStreetNodes)}
	}
	g := streetGraph{}
	for range junctions {
		f, err := next()
		if err != nil {
			return streetGraph{err: err}
		}
		p, ok := traffic.Point{}, len(f) == 2
		if ok {
			p, ok = parsePoint(f[0], f[1])
		}
		if !ok {
			return streetGraph{err: fmt.Errorf("%s:%d: %q is no position: want latitude and longitude in degrees", name, line, f)}
		}
		g.nodes = append(g.nodes, p)
	}
	g.rows = func(yield func(streetRow, error) bool) {
		for i := range streets {
			f, err := next()
			s := streetRow{number: i, where: fmt.Sprintf("%s:%d", name, line)}
			if err == nil {
				err = s.parse(f, junctions)
			}
			var bad *rowError
			if !yield(s, err) || err != nil && !errors.As(err, &bad) {
				return
			}
		}
	}
	return g
}

// streetCSV reads streets.csv with the junctions of nodes.csv beside it.
func streetCSV(in *input, r io.Reader) streetGraph {
	nodes, err := in.streetNodes()
	if err != nil {
		return streetGraph{err: err}
	}
	return streetGraph{nodes: nodes, rows: func(yield func(streetRow, error) bool) {
		rows := newRows(r)
		for {
			f, err := rows.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			line, _ := rows.FieldPos(0)
			s := streetRow{where: fmt.Sprintf("%s:%d", in.name, line)}
			switch {
			case err != nil:
				yield(s, damaged(in.name, err))
				return
			case line == 1: // the header
				continue
			}
			if len(f) == 0 {
				continue
			}
			if s.number, err = strconv.Atoi(f[0]); err != nil || s.number < 0 {
				err = &rowError{s.where, fmt.Errorf("street %q: want a whole number", f[0])}
			} else {
				err = s.parse(f[1:], len(nodes))
			}
			if !yield(s, err) {
				return
			}
		}
	}}
}

func newRows(r io.Reader) *csv.Reader {
	c := csv.NewReader(r)
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	return c
}

// streetNodes reads nodes.csv or nodes.csv.gz beside the streets.
func (in *input) streetNodes() ([]traffic.Point, error) {
	s, err := in.openBeside("nodes.csv")
	name := "nodes.csv"
	if errors.Is(err, fs.ErrNotExist) {
		name = "nodes.csv.gz"
		s, err = in.openBeside(name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: its junctions must lie beside it as nodes.csv or nodes.csv.gz: %w", in.name, err)
	}
	defer s.Close() //nolint:errcheck // only read
	rows := newRows(s)
	var nodes []traffic.Point
	for line := 1; ; line++ {
		f, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nodes, nil
		}
		if err != nil {
			return nil, damaged(name, err)
		}
		if line == 1 {
			if strings.Join(f, ",") != nodeColumns {
				return nil, fmt.Errorf("%s: columns %q: want %s", name, f, nodeColumns)
			}
			continue
		}
		p, ok := traffic.Point{}, len(f) == 3 && f[0] == strconv.Itoa(len(nodes))
		if ok {
			p, ok = parsePoint(f[1], f[2])
		}
		if !ok {
			return nil, fmt.Errorf("%s:%d: %q: want node %d with latitude and longitude", name, line, f, len(nodes))
		}
		nodes = append(nodes, p)
	}
}
