package roadnet

import (
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/osm"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An osmRule is a turn restriction as the map has it.
type osmRule struct {
	id       int64
	only     bool // else: no
	from, to []int64
	via      int64
}

// An osmVia is a junction that a turn restriction names, with the roads there.
type osmVia struct{ in, out []osmArm }

type osmArm struct {
	way  int64
	road traffic.RoadID
}

func relationName(id int64) string { return "relation " + strconv.FormatInt(id, 10) }

// addRelation keeps a turn restriction for cars.
func (m *osmImport) addRelation(r *osm.Relation) {
	m.rep.Rows++
	kind := r.Tags.Find("type")
	if kind != "restriction" && !strings.HasPrefix(kind, "restriction:") {
		return
	}
	where := relationName(int64(r.ID))
	value, why := restrictionFor(kind, r.Tags)
	switch {
	case why != "":
		m.drop(KindBadTurn, where, why)
		return
	case !strings.HasPrefix(value, "no_") && !strings.HasPrefix(value, "only_"):
		m.drop(KindBadTurn, where, "restriction="+value+" is not understood: want no_… or only_…")
		return
	}
	rule := osmRule{id: int64(r.ID), only: strings.HasPrefix(value, "only_")}
	vias := 0
	for _, mem := range r.Members {
		switch {
		case mem.Role == "from" && mem.Type == osm.TypeWay:
			rule.from = append(rule.from, mem.Ref)
		case mem.Role == "to" && mem.Type == osm.TypeWay:
			rule.to = append(rule.to, mem.Ref)
		case mem.Role == "via" && mem.Type == osm.TypeNode:
			rule.via = mem.Ref
			vias++
		case mem.Role == "via":
			m.drop(KindBadTurn, where, "leads over a way, which is not supported: want a junction between")
			return
		}
	}
	if len(rule.from) == 0 || len(rule.to) == 0 || vias != 1 {
		m.drop(KindBadTurn, where, "lacks one of its members from, via, to")
		return
	}
	m.rules = append(m.rules, rule)
}

// restrictionFor is the value that holds for cars at all times; why says that there
// is none.
func restrictionFor(kind string, tags osm.Tags) (value, why string) {
	if _, special, found := strings.Cut(kind, ":"); found && !forCars(special) {
		return "", "is for " + special + " only"
	}
	for except := range strings.SplitSeq(tags.Find("except"), ";") {
		if forCars(strings.TrimSpace(except)) {
			return "", "cars are excepted"
		}
	}
	if tags.Find("day_on") != "" || tags.Find("hour_on") != "" {
		return "", "holds at times only, which is not supported"
	}
	for _, key := range []string{"restriction:motorcar", "restriction:motor_vehicle", "restriction"} {
		if v := tags.Find(key); v != "" {
			return v, ""
		}
	}
	for _, t := range tags {
		if strings.HasPrefix(t.Key, "restriction") && strings.HasSuffix(t.Key, ":conditional") {
			return "", "holds at times only, which is not supported: " + t.Value
		}
		if v, found := strings.CutPrefix(t.Key, "restriction:"); found {
			return "", "is for " + v + " only"
		}
	}
	return "", "has no restriction tag"
}

func forCars(vehicle string) bool {
	return vehicle == "motorcar" || vehicle == "motor_vehicle" || vehicle == "vehicle"
}

// viaNodes are the junctions that restrictions name, by their place in osmNodes.
func (m *osmImport) viaNodes() map[int]*osmVia {
	via := make(map[int]*osmVia)
	for i := range m.rules {
		if n, ok := m.nodes.find(m.rules[i].via); ok {
			via[n] = &osmVia{}
		}
	}
	return via
}

// passVia notes a road at the junctions where it ends and begins.
func (m *osmImport) passVia(ends, begins int, way int64, road traffic.RoadID) {
	if v := m.via[ends]; v != nil {
		v.in = append(v.in, osmArm{way, road})
	}
	if v := m.via[begins]; v != nil {
		v.out = append(v.out, osmArm{way, road})
	}
}

// turns are the forbidden turns, in order and each once. "Only" restrictions forbid
// all other ways out; several of them for one road leave what each allows.
func (m *osmImport) turns() []Turn {
	var out []Turn
	allowed := make(map[traffic.RoadID][]traffic.RoadID)
	exits := make(map[traffic.RoadID][]osmArm)
	for i := range m.rules {
		r := &m.rules[i]
		n, ok := m.nodes.find(r.via)
		if !ok {
			m.drop(KindBadTurn, relationName(r.id), "its junction is on no road for cars")
			continue
		}
		pairs, why := r.resolve(m.via[n])
		if why != "" {
			m.drop(KindBadTurn, relationName(r.id), why)
			continue
		}
		if !r.only {
			out = append(out, pairs...)
			continue
		}
		for _, p := range pairs {
			allowed[p.From] = append(allowed[p.From], p.To)
			exits[p.From] = m.via[n].out
		}
	}
	for from, may := range allowed {
		for _, exit := range exits[from] {
			if !slices.Contains(may, exit.road) {
				out = append(out, Turn{From: from, To: exit.road})
			}
		}
	}
	return sortTurns(out)
}

// resolve finds the roads of a restriction at its junction: the one of each from way
// that ends there, the one of each to way that begins there.
func (r *osmRule) resolve(v *osmVia) (pairs []Turn, why string) {
	for _, from := range r.from {
		a, why := theOne(v.in, from, "from", "ends")
		if why != "" {
			return nil, why
		}
		for _, to := range r.to {
			b, why := theOne(v.out, to, "to", "begins")
			if why != "" {
				return nil, why
			}
			pairs = append(pairs, Turn{From: a, To: b})
		}
	}
	return pairs, ""
}

func theOne(arms []osmArm, way int64, role, verb string) (road traffic.RoadID, why string) {
	for _, a := range arms {
		switch {
		case a.way != way:
		case road != "":
			return "", role + " " + wayName(way) + " passes the junction: which side is meant is not said"
		default:
			road = a.road
		}
	}
	if road == "" {
		return "", role + " " + wayName(way) + " is no road for cars that " + verb + " at the junction"
	}
	return road, ""
}
