package roadnet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/paulmach/osm"

	"github.com/2zrhun/city-flow/shared/roadnet/internal/osmfile"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// An osmWay is a way that cars may use, with what is needed of its tags.
type osmWay struct {
	id     int64
	refs   []int64
	kind   osmKind
	label  string
	open   [2]bool
	limits [2]osmLimit
	lanes  [2]float64
	layer  int8
}

// An osmImport reads an extract twice: ways and relations first, then the nodes that
// they need, because files put nodes first and a city has ten times more of them than
// its roads use.
type osmImport struct {
	rep       *Report
	ways      []osmWay
	rules     []osmRule
	countries map[string]int
	country   string
	nodes     *osmNodes
	layers    map[traffic.RoadID]int8
	via       map[int]*osmVia
}

func importOSM(in *input, format osmfile.Format, opts Options) (*Network, *Report, error) {
	m := &osmImport{rep: &Report{Format: "OpenStreetMap extract (XML)"}, countries: make(map[string]int), layers: make(map[traffic.RoadID]int8)}
	if format == osmfile.PBF {
		m.rep.Format = "OpenStreetMap extract (PBF)"
	}
	if err := in.scanOSM(format, osmfile.Visitor{Way: m.addWay, Relation: m.addRelation}); err != nil {
		return nil, nil, err
	}
	if len(m.ways) == 0 {
		return nil, nil, nothingUsable(in.name, m.rep)
	}
	m.sortWays()
	m.choose(opts.Country)
	m.nodes = newOSMNodes(m.ways)
	if err := in.scanOSM(format, osmfile.Visitor{Node: m.addNode}); err != nil {
		return nil, nil, err
	}
	roads := m.build()
	if len(roads) == 0 {
		return nil, nil, nothingUsable(in.name, m.rep)
	}
	n := FromRoads(roads)
	n.Forbidden = m.turns()
	n.Signals = m.signals(n)
	if len(m.layers) > 0 {
		n.Layers = m.layers
	}
	n.Source.Country = m.country
	n.Source.Licence = "© OpenStreetMap contributors, ODbL 1.0"
	m.rep.inspect(n)
	return n, m.rep, nil
}

// scanOSM reads the extract once.
func (in *input) scanOSM(format osmfile.Format, v osmfile.Visitor) error {
	r, err := in.open()
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // only read
	if err := osmfile.Scan(in.ctx, format, r, v); err != nil {
		if in.ctx.Err() != nil {
			return in.ctx.Err()
		}
		return damaged(in.name, err)
	}
	return nil
}

func (m *osmImport) drop(kind Kind, where, detail string) {
	m.rep.add(Issue{Kind: kind, Where: where, Detail: detail})
}

func wayName(id int64) string { return "way " + strconv.FormatInt(id, 10) }

// addWay keeps a way that cars may use.
func (m *osmImport) addWay(w *osm.Way) {
	m.rep.Rows++
	if c := w.Tags.Find("addr:country"); len(c) == 2 {
		m.countries[c]++
	}
	highway := w.Tags.Find("highway")
	if highway == "" {
		return // no road at all: nothing was left out
	}
	where := wayName(int64(w.ID))
	kind, drivable := osmKindOf(highway)
	access, tag := accessOf(w.Tags, "")
	open, odd := directions(w.Tags, kind)
	refs := distinctRefs(w.Nodes)
	switch {
	case !drivable:
		m.drop(KindNotForCars, where, "highway="+highway)
		return
	case w.Tags.Find("area") == "yes":
		m.drop(KindNotForCars, where, "area=yes")
		return
	case w.Tags.Find("service") == "emergency_access":
		m.drop(KindNoAccess, where, "service=emergency_access")
		return
	case access == accessClosed, access == accessLocal:
		m.drop(KindNoAccess, where, tag)
		return
	case !open[forward] && !open[backward]:
		m.drop(KindNoAccess, where, "closed in both directions by its one-way and access tags")
		return
	case len(refs) < 2:
		m.drop(KindBadRow, where, fmt.Sprintf("%d nodes: want at least 2", len(refs)))
		return
	}
	m.keepWay(w, osmWay{id: int64(w.ID), refs: refs, kind: kind, open: open}, odd)
}

func (m *osmImport) keepWay(w *osm.Way, way osmWay, odd string) {
	where := wayName(way.id)
	var oddLimit string
	way.limits, oddLimit = limitTags(w.Tags)
	for _, o := range []string{odd, oddLimit} {
		if o != "" {
			m.drop(KindOddTag, where, o+" is not understood, taken as if it were not there")
		}
	}
	for _, key := range accessKeys() {
		if v := w.Tags.Find(key + ":conditional"); v != "" {
			m.drop(KindConditional, where, key+":conditional="+v)
		}
	}
	for _, l := range way.limits {
		if l.country != "" {
			m.countries[l.country]++
		}
	}
	way.lanes = laneTags(w.Tags, way.open)
	way.label = cleanLabel(cmp.Or(w.Tags.Find("name"), w.Tags.Find("ref")))
	way.layer = layerOf(w.Tags)
	m.ways = append(m.ways, way)
}

// distinctRefs are the nodes of a way without immediate repetitions.
func distinctRefs(nodes osm.WayNodes) []int64 {
	refs := make([]int64, 0, len(nodes))
	for i := range nodes {
		id := int64(nodes[i].ID)
		if len(refs) == 0 || refs[len(refs)-1] != id {
			refs = append(refs, id)
		}
	}
	return refs
}

// layerOf is how high a way runs over the others; bridges and tunnels that do not say
// are one over and under.
func layerOf(tags osm.Tags) int8 {
	if n, err := strconv.Atoi(tags.Find("layer")); err == nil && n >= -10 && n <= 10 {
		return int8(n)
	}
	switch {
	case tags.Find("tunnel") != "" && tags.Find("tunnel") != "no":
		return -1
	case tags.Find("bridge") != "" && tags.Find("bridge") != "no":
		return 1
	}
	return 0
}

// sortWays puts the ways in the order of their ids and drops all but the first of one.
func (m *osmImport) sortWays() {
	slices.SortStableFunc(m.ways, func(a, b osmWay) int { return cmp.Compare(a.id, b.id) })
	kept := m.ways[:0]
	for i := range m.ways {
		if len(kept) > 0 && kept[len(kept)-1].id == m.ways[i].id {
			m.drop(KindDuplicate, wayName(m.ways[i].id), "the file holds it twice, the first counts")
			continue
		}
		kept = append(kept, m.ways[i])
	}
	m.ways = kept
}

// choose settles the country whose general limits hold: the given one, else the one
// that most tags name.
func (m *osmImport) choose(given string) {
	m.country = given
	if given == "" {
		most := 0
		for _, c := range slices.Sorted(maps.Keys(m.countries)) {
			if m.countries[c] > most {
				m.country, most = c, m.countries[c]
			}
		}
	}
	if _, known := limitsOf(m.country); !known {
		detail := "no tag names the country"
		if m.country != "" {
			detail = fmt.Sprintf("country %q is not known", m.country)
		}
		m.drop(KindNoCountry, "", detail+": the usual limits of Europe are taken where a road has none of its own")
	}
}

func (m *osmImport) addNode(n *osm.Node) {
	m.rep.Rows++
	if by := m.nodes.set(n); by != "" {
		m.drop(KindBarrier, "node "+strconv.FormatInt(int64(n.ID), 10), by+": no car passes")
	}
}
