package roadnet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// ParisRoad is the road id of an arc of the Paris reference, by its iu_ac.
func ParisRoad(arc int) traffic.RoadID { return traffic.RoadID("PARIS-" + strconv.Itoa(arc)) }

// minLengthM is the length below which an arc is taken for a point.
const minLengthM = 0.1

// An arc is a road of the Paris reference while it is put together.
type arc struct {
	id       traffic.RoadID
	label    string
	from, to traffic.NodeID
	lines    [][]traffic.Point
	where    string
}

func importParis(name, format string, rows parts) (*Network, *Report, error) {
	rep := &Report{Format: format}
	arcs, err := collectArcs(rows, rep)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range arcs {
		a.join(rep)
	}
	arcs = slices.DeleteFunc(arcs, func(a *arc) bool {
		short := LengthM(a.lines) < minLengthM
		if short {
			rep.add(Issue{Kind: KindZeroLength, Road: a.id, Where: a.where})
		}
		return short
	})
	if len(arcs) == 0 {
		return nil, nil, nothingUsable(name, rep)
	}
	orient(arcs, rep)
	roads := make([]traffic.Road, len(arcs))
	rules := parisRules()
	for i, a := range arcs {
		roads[i] = a.road(kindOf(rules, a.label))
	}
	n := FromRoads(roads)
	n.Source.Licence = "Ville de Paris, ODbL 1.0"
	rep.inspect(n)
	return n, rep, nil
}

func nothingUsable(name string, rep *Report) error {
	if len(rep.Issues) == 0 {
		return fmt.Errorf("%s: no rows below the header: get the file again", name)
	}
	return fmt.Errorf("%s: none of %d rows can be used, the first because of %s", name, rep.Rows, rep.Issues[0])
}

// collectArcs gathers the parts of each arc, in the order of arc numbers.
func collectArcs(rows parts, rep *Report) ([]*arc, error) {
	byNumber := make(map[int]*arc)
	for p, err := range rows {
		rep.Rows++
		var bad *rowError
		if errors.As(err, &bad) {
			rep.add(Issue{Kind: KindBadRow, Where: bad.where, Detail: bad.err.Error()})
			continue
		}
		if err != nil {
			return nil, err
		}
		if a := byNumber[p.arc]; a != nil {
			a.extend(&p, rep)
			continue
		}
		byNumber[p.arc] = &arc{id: ParisRoad(p.arc), label: p.label, from: p.from, to: p.to, lines: p.lines, where: p.where}
	}
	arcs := make([]*arc, 0, len(byNumber))
	for _, number := range slices.Sorted(maps.Keys(byNumber)) {
		arcs = append(arcs, byNumber[number])
	}
	return arcs, nil
}

// extend adds another row of the same arc.
func (a *arc) extend(p *part, rep *Report) {
	if p.from != a.from || p.to != a.to {
		rep.add(Issue{
			Kind: KindConflictingPart, Road: a.id, Where: p.where,
			Detail: fmt.Sprintf("runs from %q to %q, the first part from %q to %q", p.from, p.to, a.from, a.to),
		})
		return
	}
	for _, line := range p.lines {
		same := func(other []traffic.Point) bool { return slices.Equal(line, other) }
		if slices.ContainsFunc(a.lines, same) {
			rep.add(Issue{Kind: KindDuplicatePart, Road: a.id, Where: p.where})
			continue
		}
		a.lines = append(a.lines, line)
	}
}

// join makes one line of the arc's parts where they chain.
func (a *arc) join(rep *Report) {
	if len(a.lines) < 2 {
		return
	}
	if line, ok := chain(a.lines); ok {
		a.lines = [][]traffic.Point{line}
		return
	}
	a.lines = nearestOrder(a.lines)
	rep.add(Issue{Kind: KindUnchained, Road: a.id, Where: a.where, Detail: fmt.Sprintf("%d parts do not join into one line", len(a.lines))})
}

func (a *arc) reverse() {
	slices.Reverse(a.lines)
	for _, line := range a.lines {
		slices.Reverse(line)
	}
}

func (a *arc) ends() (first, last traffic.Point) {
	end := a.lines[len(a.lines)-1]
	return a.lines[0][0], end[len(end)-1]
}

func (a *arc) road(kind parisKind) traffic.Road {
	mid := midpoint(a.lines)
	r := traffic.Road{
		ID: a.id, Label: cleanLabel(a.label), Geometry: a.lines,
		Lat: traffic.Some(mid.Lat), Lng: traffic.Some(mid.Lng),
		LengthM: traffic.Some(LengthM(a.lines)), Class: kind.class,
		FreeFlowKMH: traffic.Some(kind.freeFlowKMH), CapacityVPH: traffic.Some(kind.capacityVPH),
	}
	if a.from != "" && a.to != "" {
		r.FromNode, r.ToNode = a.from, a.to
	}
	return r
}

// cleanLabel makes a label of the reference readable: "Bd_Gal_de_Gaulle (le_Kremlin)"
// becomes "Bd Gal de Gaulle (le Kremlin)", and "Face_N?55", whose degree sign was
// lost on its way, "Face N°55".
func cleanLabel(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '_', r < ' ', r == 0x7f, r == 0xa0:
			return ' '
		case r == '\uFFFD':
			return '?'
		}
		return r
	}, s)
	s = strings.NewReplacer("N?", "N°", "n?", "n°").Replace(s)
	s = strings.Join(strings.Fields(s), " ")
	for len(s) > traffic.MaxLabelBytes { // cut whole runes
		r := []rune(s)
		s = string(r[:len(r)-1])
	}
	return s
}
