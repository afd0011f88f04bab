package roadnet_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// osmText is an extract with nodes 1 to 9 in a row, 0.001 degrees apart, and 11 to 19
// north of them; node tags are given as "3 highway=traffic_signals".
func osmText(nodeTags []string, body ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><osm version="0.6">`)
	for row := range 2 {
		for i := range 9 {
			id := row*10 + i + 1
			fmt.Fprintf(&b, `<node id="%d" lat="%g" lon="%g">`, id, 48+float64(row)/1000, 2+float64(i)/1000)
			for _, t := range nodeTags {
				if at, tag, _ := strings.Cut(t, " "); at == fmt.Sprint(id) {
					b.WriteString(tagXML(tag))
				}
			}
			b.WriteString("</node>")
		}
	}
	b.WriteString(strings.Join(body, ""))
	b.WriteString("</osm>")
	return b.String()
}

func tagXML(tag string) string {
	key, value, _ := strings.Cut(tag, "=")
	return fmt.Sprintf(`<tag k="%s" v="%s"/>`, key, value)
}

// way is a way over nodes, "1 2 3", with tags.
func way(id int, nodes string, tags ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<way id="%d">`, id)
	for n := range strings.FieldsSeq(nodes) {
		fmt.Fprintf(&b, `<nd ref="%s"/>`, n)
	}
	for _, t := range tags {
		b.WriteString(tagXML(t))
	}
	return b.String() + "</way>"
}

// turn is a restriction from one way at a node into another.
func turn(id, from, via, to int, tags ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<relation id="%d"><member type="way" ref="%d" role="from"/><member type="node" ref="%d" role="via"/><member type="way" ref="%d" role="to"/>`, id, from, via, to)
	for _, t := range append(tags, "type=restriction") {
		b.WriteString(tagXML(t))
	}
	return b.String() + "</relation>"
}

// arcs are a network's roads as "id from>to".
func arcs(n *roadnet.Network) string {
	var out []string
	for _, r := range n.Roads {
		out = append(out, fmt.Sprintf("%s %s>%s", r.ID, r.FromNode, r.ToNode))
	}
	return strings.ReplaceAll(strings.Join(out, ", "), "OSM-", "")
}

func TestOSMDirectionsAndAccess(t *testing.T) {
	const both = "7-0 1>3, 7-0R 3>1"
	const with, counter, closed = "7-0 1>3", "7-0R 3>1", ""
	for _, c := range []struct{ tags, want string }{
		{"highway=primary", both},
		{"highway=primary oneway=yes", with},
		{"highway=primary oneway=1", with},
		{"highway=primary oneway=-1", counter},
		{"highway=primary oneway=no", both},
		{"highway=primary oneway=alternating", both},
		{"highway=primary oneway=reversible", closed},
		{"highway=primary oneway=maybe", both},
		{"highway=motorway", with},
		{"highway=motorway oneway=no", both},
		{"highway=motorway_link", with},
		{"highway=trunk", both},
		{"highway=tertiary junction=roundabout", with},
		{"highway=tertiary junction=circular", with},
		{"highway=residential oneway=yes oneway:motor_vehicle=no", both},
		{"highway=residential access=private", closed},
		{"highway=residential access=no motor_vehicle=yes", both},
		{"highway=residential access=yes motor_vehicle=no", closed},
		{"highway=residential vehicle=no motorcar=permissive", both},
		{"highway=residential motor_vehicle=destination", closed},
		{"highway=residential motor_vehicle=agricultural", closed},
		{"highway=residential motor_vehicle:backward=no", with},
		{"highway=residential vehicle:forward=no", counter},
		{"highway=service service=parking_aisle", both},
		{"highway=service service=emergency_access", closed},
		{"highway=service area=yes", closed},
		{"highway=living_street", both},
		{"highway=footway motor_vehicle=yes", closed},
		{"highway=track", closed},
		{"highway=construction construction=primary", closed},
		{"highway=residential_link", closed},
	} {
		text := osmText(nil, way(7, "1 2 3", strings.Fields(c.tags)...), way(8, "8 9", "highway=primary", "oneway=yes"))
		n, _ := importText(t, "a.osm", text)
		got := strings.TrimPrefix(strings.TrimSuffix(arcs(n), "8-0 8>9"), ", ")
		if got = strings.TrimSuffix(got, ", "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.tags, got, c.want)
		}
	}
}

func TestOSMWaysAreCutAtJunctions(t *testing.T) {
	n, rep := importText(t, "a.osm", osmText([]string{"6 barrier=bollard", "8 barrier=gate", "2 highway=traffic_signals"},
		way(20, "1 2 3 3 4 5", "highway=primary", "oneway=yes", "name=Rue  de_Rivoli", "layer=-1"),
		way(21, "3 13", "highway=residential", "oneway=yes", "ref=D 7"),
		way(22, "5 6 7 8 9", "highway=residential", "oneway=yes", "bridge=yes"),
		way(23, "9 99 98", "highway=residential", "oneway=yes"),
		way(24, "13 14 15 13", "highway=service", "oneway=yes"),
		way(20, "1 2", "highway=motorway")))
	want := "20-0 1>3, 20-1 3>5, 21-0 3>13, 22-0 5>6-22-0b, 22-1 6-22-1a>9, 24-0 13>15, 24-1 15>13"
	if got := arcs(n); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r := road(t, n, "OSM-20-1")
	if len(r.Geometry[0]) != 3 || r.Label != "Rue de Rivoli" || r.Class != traffic.ClassPrimary {
		t.Errorf("%+v", r)
	}
	if d := roadnet.DistanceM(traffic.Point{Lat: 48, Lng: 2.002}, traffic.Point{Lat: 48, Lng: 2.004}); math.Abs(r.LengthM.Or(0)-d) > 0.02 {
		t.Errorf("length %v: want %g", r.LengthM, d)
	}
	if road(t, n, "OSM-21-0").Label != "D 7" {
		t.Error("the number of a road without a name is missing")
	}
	if n.Layers["OSM-20-0"] != -1 || n.Layers["OSM-22-1"] != 1 || len(n.Layers) != 4 {
		t.Errorf("layers %v", n.Layers)
	}
	for kind, count := range map[roadnet.Kind]int{
		roadnet.KindBarrier: 1, roadnet.KindIncomplete: 1, roadnet.KindDuplicate: 1, roadnet.KindSelfLoop: 0, roadnet.KindNoCountry: 1,
	} {
		if rep.Count(kind) != count {
			t.Errorf("%s: %d, want %d", kind, rep.Count(kind), count)
		}
	}
}

// The lights of node 2 stand 70 m before junction 1, those of node 4 in the junction.
func TestOSMSignals(t *testing.T) {
	near := `<node id="50" lat="48" lon="2.0048"><tag k="highway" v="traffic_signals"/></node>`
	n, _ := importText(t, "a.osm", osmText([]string{"2 highway=traffic_signals", "4 crossing=traffic_signals"},
		near, way(7, "1 2 3 4", "highway=primary"), way(8, "4 5 50 6", "highway=primary"), way(9, "5 15", "highway=primary"),
		way(10, "6 16", "highway=primary"), way(11, "3 13", "highway=primary")))
	if want := []traffic.NodeID{"OSM-4", "OSM-6"}; !slices.Equal(n.Signals, want) {
		t.Errorf("got %v, want %v", n.Signals, want)
	}
}

func TestOSMTurnRestrictions(t *testing.T) {
	cross := []string{
		way(1, "3 4", "highway=primary"), way(2, "4 5", "highway=primary"), way(3, "4 14", "highway=primary"),
		way(4, "6 4", "highway=primary", "oneway=yes"), way(5, "7 4 8", "highway=primary"),
	}
	for _, c := range []struct {
		name, relation, want, report string
	}{
		{"no", turn(9, 1, 4, 3, "restriction=no_left_turn"), "1-0>3-0", ""},
		{"against the way", turn(9, 2, 4, 1, "restriction=no_straight_on"), "2-0R>1-0R", ""},
		{"only", turn(9, 1, 4, 2, "restriction=only_straight_on"), "1-0>1-0R 1-0>3-0 1-0>5-0R 1-0>5-1", ""},
		{"two onlies", turn(9, 1, 4, 2, "restriction=only_straight_on") + turn(10, 1, 4, 3, "restriction=only_left_turn"), "1-0>1-0R 1-0>5-0R 1-0>5-1", ""},
		{"u-turn", turn(9, 1, 4, 1, "restriction=no_u_turn"), "1-0>1-0R", ""},
		{"for cars", turn(9, 1, 4, 3, "restriction:motorcar=no_left_turn"), "1-0>3-0", ""},
		{"for lorries", turn(9, 1, 4, 3, "restriction:hgv=no_left_turn"), "", "is for hgv only"},
		{"not for cars", turn(9, 1, 4, 3, "restriction=no_left_turn", "except=psv;motorcar"), "", "cars are excepted"},
		{"at times", turn(9, 1, 4, 3, "restriction:conditional=no_left_turn @ (Mo-Fr)"), "", "holds at times only"},
		{"unknown", turn(9, 1, 4, 3, "restriction=never"), "", "restriction=never is not understood"},
		{"wrong way", turn(9, 1, 4, 4, "restriction=no_left_turn"), "", "to way 4 is no road for cars that begins at the junction"},
		{"no such way", turn(9, 77, 4, 1, "restriction=no_left_turn"), "", "from way 77 is no road for cars that ends at the junction"},
		{"passing", turn(9, 5, 4, 1, "restriction=no_left_turn"), "", "from way 5 passes the junction"},
		{"elsewhere", turn(9, 1, 18, 2, "restriction=no_left_turn"), "", "its junction is on no road for cars"},
		{"via way", `<relation id="9"><member type="way" ref="1" role="from"/><member type="way" ref="2" role="via"/><member type="way" ref="3" role="to"/><tag k="type" v="restriction"/><tag k="restriction" v="no_u_turn"/></relation>`, "", "leads over a way"},
		{"no members", `<relation id="9"><tag k="type" v="restriction"/><tag k="restriction" v="no_u_turn"/></relation>`, "", "lacks one of its members"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, rep := importText(t, "a.osm", osmText(nil, strings.Join(cross, "")+c.relation))
			var got []string
			for _, f := range n.Forbidden {
				got = append(got, fmt.Sprintf("%s>%s", f.From, f.To))
				if n.MayTurn(f.From, f.To) {
					t.Errorf("%v may be driven", f)
				}
			}
			if s := strings.ReplaceAll(strings.Join(got, " "), "OSM-", ""); s != c.want {
				t.Errorf("forbidden %q, want %q", s, c.want)
			}
			if c.report != "" && (rep.Count(roadnet.KindBadTurn) != 1 || !strings.Contains(rep.String(), c.report)) {
				t.Errorf("the report lacks %q:\n%s", c.report, rep)
			}
		})
	}
}

func TestOSMSpeeds(t *testing.T) {
	for _, c := range []struct {
		tags, country string
		want          float64
	}{
		{"highway=primary maxspeed=70", "FR", 70},
		{"highway=primary maxspeed=30_mph", "FR", 48},
		{"highway=primary maxspeed=30mph", "FR", 48},
		{"highway=primary maxspeed=50;30", "FR", 30},
		{"highway=primary maxspeed=FR:urban", "DE", 50},
		{"highway=primary maxspeed=FR:rural", "DE", 80},
		{"highway=primary maxspeed=DE:zone:30", "FR", 30},
		{"highway=primary maxspeed=FR:zone30", "FR", 30},
		{"highway=primary maxspeed=FR:30", "FR", 30},
		{"highway=primary maxspeed=GB:nsl_dual", "FR", 113},
		{"highway=primary maxspeed=walk", "FR", 7},
		{"highway=motorway maxspeed=none", "DE", 130},
		{"highway=motorway maxspeed=signals", "FR", 130},
		{"highway=motorway", "CH", 120},
		{"highway=motorway_link", "FR", 60},
		{"highway=trunk", "FR", 80},
		{"highway=secondary", "GB", 48},
		{"highway=secondary", "", 50},
		{"highway=secondary source:maxspeed=FR:rural", "", 80},
		{"highway=residential", "FR", 30},
		{"highway=living_street", "FR", 20},
		{"highway=living_street maxspeed=50", "DE", 7},
		{"highway=service", "FR", 20},
		{"highway=service maxspeed=10", "FR", 10},
		{"highway=primary maxspeed=fast", "FR", 50},
		{"highway=primary maxspeed=-5", "FR", 50},
		{"highway=primary maxspeed:forward=40 maxspeed=60", "FR", 40},
	} {
		tags := strings.Fields(c.tags)
		for i := range tags {
			tags[i] = strings.ReplaceAll(tags[i], "_mph", " mph")
		}
		path := writeFile(t, "a.osm", osmText(nil, way(7, "1 2", tags...)))
		n, _, err := roadnet.ImportWith(t.Context(), path, roadnet.Options{Country: c.country})
		if err != nil {
			t.Fatal(err)
		}
		if got := road(t, n, "OSM-7-0").FreeFlowKMH.Or(0); got != c.want {
			t.Errorf("%s in %q: %g km/h, want %g", c.tags, c.country, got, c.want)
		}
	}
}

func TestOSMCapacity(t *testing.T) {
	for tags, want := range map[string]float64{
		"highway=motorway":                             3800,
		"highway=motorway lanes=3":                     5700,
		"highway=motorway_link":                        1520,
		"highway=primary":                              855,
		"highway=primary oneway=yes":                   1710,
		"highway=primary lanes=4":                      1710,
		"highway=primary lanes=3 lanes:forward=2":      1710,
		"highway=tertiary lanes=1":                     760,
		"highway=residential":                          570,
		"highway=living_street":                        285,
		"highway=primary lanes=many":                   855,
		"highway=secondary lanes=2 oneway=yes name=A1": 1710,
	} {
		n, _ := importText(t, "a.osm", osmText(nil, way(7, "1 2", strings.Fields(tags)...)))
		if got := road(t, n, "OSM-7-0").CapacityVPH.Or(0); got != want {
			t.Errorf("%s: %g vehicles per hour, want %g", tags, got, want)
		}
	}
}

func TestOSMCountryIsTheOneThatTagsName(t *testing.T) {
	n, rep := importText(t, "a.osm", osmText(nil, way(7, "1 2", "highway=motorway"), way(8, "2 3", "highway=primary", "maxspeed=CH:urban")))
	if got := road(t, n, "OSM-7-0").FreeFlowKMH.Or(0); got != 120 || n.Source.Country != "CH" || rep.Count(roadnet.KindNoCountry) != 0 {
		t.Errorf("%g km/h in %q", got, n.Source.Country)
	}
}

func TestImportTellsHowFarItIsAndWhatItRead(t *testing.T) {
	path := writeFile(t, "a.osm", osmText(nil, way(7, "1 2", "highway=motorway")))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	n, rep, err := roadnet.ImportWith(t.Context(), path, roadnet.Options{Progress: func(n int64) { read += n }})
	if err != nil {
		t.Fatal(err)
	}
	if d := info.Size() - read; d < 0 || d > 2 {
		t.Errorf("told %d of %d bytes", read, info.Size())
	}
	s := n.Source
	if s.File != "a.osm" || s.Bytes != info.Size() || len(s.SHA256) != 64 || s.Format != rep.Format || !strings.Contains(s.Licence, "OpenStreetMap") {
		t.Errorf("%+v", s)
	}
	saved := filepath.Join(t.TempDir(), "a.roads")
	if err := roadnet.Save(saved, n); err != nil {
		t.Fatal(err)
	}
	if _, rep, err = roadnet.Import(t.Context(), saved); err != nil || rep.Source != s {
		t.Errorf("%v: the saved file says it came from %+v", err, rep.Source)
	}
	text, err := json.Marshal(rep)
	if err != nil || !strings.Contains(string(text), `"tallies":[{"kind":`) || !strings.Contains(string(text), s.SHA256) {
		t.Errorf("%v: %s", err, text)
	}
}
