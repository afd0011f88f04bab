package roadnet_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
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

const csvHeader = "Identifiant arc;Date debut dispo data;Date fin dispo data;Libelle;Identifiant noeud aval;Libelle noeud aval;Identifiant noeud amont;Libelle noeud amont;geo_point_2d;geo_shape\n"

// csvRow is one row of the reference; coords are "lng lat" pairs in thousandths of a
// degree from 2 E, 48 N.
func csvRow(arc, label, from, to string, coords ...float64) string {
	var b strings.Builder
	for i := 0; i < len(coords); i += 2 {
		fmt.Fprintf(&b, ",[%g,%g]", 2+coords[i]/1000, 48+coords[i+1]/1000)
	}
	shape := fmt.Sprintf(`"{""coordinates"": [%s], ""type"": ""LineString""}"`, strings.TrimPrefix(b.String(), ","))
	return fmt.Sprintf("%s;;;%s;%s;x;%s;y;;%s\n", arc, label, to, from, shape)
}

func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func importText(t *testing.T, name, content string) (*roadnet.Network, *roadnet.Report) {
	t.Helper()
	n, rep, err := roadnet.Import(t.Context(), writeFile(t, name, content))
	if err != nil {
		t.Fatal(err)
	}
	return n, rep
}

func road(t *testing.T, n *roadnet.Network, id traffic.RoadID) traffic.Road {
	t.Helper()
	i, ok := n.Find(id)
	if !ok {
		t.Fatalf("no road %s among %d", id, len(n.Roads))
	}
	return n.Roads[i]
}

func TestImportJoinsPartsHeadToTail(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []string
		want []float64 // thousandths of a degree of longitude along the line
	}{
		{"in order", []string{csvRow("7", "A", "1", "2", 0, 0, 1, 0), csvRow("7", "A", "1", "2", 1, 0, 2, 0)}, []float64{0, 1, 2}},
		{"out of order", []string{csvRow("7", "A", "1", "2", 1, 0, 2, 0), csvRow("7", "A", "1", "2", 0, 0, 1, 0)}, []float64{0, 1, 2}},
		{"one turned round", []string{csvRow("7", "A", "1", "2", 0, 0, 1, 0), csvRow("7", "A", "1", "2", 2, 0, 1, 0)}, []float64{0, 1, 2}},
		{"three", []string{csvRow("7", "A", "1", "2", 2, 0, 3, 0), csvRow("7", "A", "1", "2", 0, 0, 1, 0), csvRow("7", "A", "1", "2", 1, 0, 2, 0)}, []float64{0, 1, 2, 3}},
		{"the same part twice", []string{csvRow("7", "A", "1", "2", 0, 0, 1, 0), csvRow("7", "A", "1", "2", 0, 0, 1, 0)}, []float64{0, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, rep := importText(t, "a.csv", csvHeader+strings.Join(c.rows, ""))
			r := road(t, n, "PARIS-7")
			if len(r.Geometry) != 1 {
				t.Fatalf("%d parts: want 1", len(r.Geometry))
			}
			var got []float64
			for _, p := range r.Geometry[0] {
				got = append(got, math.Round((p.Lng-2)*1000))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if rep.Count(roadnet.KindUnchained) != 0 {
				t.Error(rep)
			}
		})
	}
}

// Parts that all meet in one point could be tried in factorially many orders.
func TestImportGivesUpOnAHopelessChain(t *testing.T) {
	text := csvHeader + csvRow("7", "A", "1", "2", 500, 0, 501, 0)
	for i := range 30 {
		text += csvRow("7", "A", "1", "2", 0, 0, float64(i+1), 1, 0, 0)
	}
	_, rep := importText(t, "a.csv", text)
	if rep.Count(roadnet.KindUnchained) != 1 {
		t.Error(rep)
	}
}

func TestImportKeepsPartsThatDoNotChain(t *testing.T) {
	n, rep := importText(t, "a.csv", csvHeader+
		csvRow("7", "A", "1", "2", 5, 0, 6, 0)+csvRow("7", "A", "1", "2", 0, 0, 1, 0))
	r := road(t, n, "PARIS-7")
	if len(r.Geometry) != 2 || r.Geometry[0][0].Lng != 2 {
		t.Errorf("got %v: want two parts, the western first", r.Geometry)
	}
	oneMil := roadnet.DistanceM(traffic.Point{Lat: 48, Lng: 2}, traffic.Point{Lat: 48, Lng: 2.001})
	if got := r.LengthM.Or(0); math.Abs(got-2*oneMil) > 0.01 {
		t.Errorf("length %g: want %g, the sum of the parts without the gap", got, 2*oneMil)
	}
	if rep.Count(roadnet.KindUnchained) != 1 || rep.Issues[0].Road != "PARIS-7" {
		t.Errorf("want one unchained road in the report:\n%v", rep)
	}
}

// Three roads meet at junction 1 in the west and 2 in the east; a fourth one from 1
// to 2 was drawn from east to west.
func TestImportTurnsRoundWhatWasDrawnAgainstDrivingDirection(t *testing.T) {
	n, rep := importText(t, "a.csv", csvHeader+
		csvRow("1", "A", "9", "1", 0, 5, 0, 0)+
		csvRow("2", "B", "2", "8", 5, 0, 5, 5)+
		csvRow("3", "C", "1", "2", 0.1, 0, 5, 0.1)+
		csvRow("4", "D", "1", "2", 5, 0.05, 0, 0.05))
	r := road(t, n, "PARIS-4")
	if got := r.Geometry[0][0].Lng; got != 2 {
		t.Errorf("road 4 begins at %g: want 2, at junction 1", got)
	}
	if rep.Count(roadnet.KindReversed) != 1 || rep.Issues[0].Road != "PARIS-4" {
		t.Errorf("want road 4 reported as reversed:\n%v", rep)
	}
}

func TestImportPutsJunctionsAtTheMedian(t *testing.T) {
	n, _ := importText(t, "a.csv", csvHeader+
		csvRow("1", "A", "9", "0", 1, 1, 0, 0)+
		csvRow("2", "A", "8", "0", 2, 2, 0.1, 0.1)+
		csvRow("3", "A", "0", "7", 90, 90, 3, 3)) // far off
	if got, want := n.Nodes["0"], (traffic.Point{Lat: 48.0001, Lng: 2.0001}); got != want {
		t.Errorf("junction 0 is at %v: want %v", got, want)
	}
}

func TestImportReportsAndGoesOn(t *testing.T) {
	n, rep := importText(t, "a.csv", csvHeader+
		csvRow("1", "Bd_Good", "0", "2", 0, 0, 1, 0)+ // line 2
		csvRow("x", "B", "1", "2", 0, 0, 1, 0)+ // 3
		csvRow("3", "C", "1", "two", 0, 0, 1, 0)+ // 4
		"4;;;D;1;;2;;;\n"+ // 5: no geometry
		csvRow("5", "E", "1", "2", 0, 0)+ // 6: one point
		csvRow("6", "F", "1", "2", 0, 0, 0, 0)+ // 7: zero length
		csvRow("7", "G", "", "2", 0, 0, 1, 0)+ // 8: dangling
		csvRow("8", "H", "2", "2", 0, 0, 1, 0)+ // 9: loop
		"9;short row\n"+ // 10
		csvRow("1", "Bd_Good", "0", "3", 1, 0, 2, 0)+ // 11: conflict
		csvRow("10", "J", "2", "0", 999999, 0, 1, 0)+ // 12: not on Earth
		csvRow("11", "K", "2", "0", 1, 0, 0, 0)) // 13
	var ids []string
	for _, r := range n.Roads {
		ids = append(ids, string(r.ID))
	}
	if want := "PARIS-1 PARIS-11 PARIS-7 PARIS-8"; strings.Join(ids, " ") != want {
		t.Errorf("loaded %v: want %s", ids, want)
	}
	if r := road(t, n, "PARIS-1"); r.FromNode != "0" || r.ToNode != "2" || r.Label != "Bd Good" || len(r.Geometry[0]) != 2 {
		t.Errorf("road 1: %+v", r)
	}
	text := rep.String() + "\n"
	for _, i := range rep.Issues {
		text += i.String() + "\n"
	}
	for _, want := range []string{
		`(a.csv:3): iu_ac: "x" is not allowed: want a whole number`,
		`(a.csv:4): iu_nd_aval: "two" is not allowed`,
		"(a.csv:5): iu_ac 4: geometry: absent",
		"(a.csv:6): iu_ac 5: geometry: a line has 1 points: want at least 2",
		"zero_length road PARIS-6 (a.csv:7)",
		"dangling road PARIS-7",
		"self_loop road PARIS-8 junction 2",
		"(a.csv:10): 2 columns: want 10",
		"conflicting_part road PARIS-1 (a.csv:11)",
		"(a.csv:12): iu_ac 10: geometry: point",
		"bad_row: 6",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if rep.Rows != 12 {
		t.Errorf("%d rows: want 12", rep.Rows)
	}
}

func TestImportTakesIDsAsNumbersOrStrings(t *testing.T) {
	const feature = `{"type":"Feature","geometry":{"type":"LineString","coordinates":[[2,48],[2.001,48]]},"properties":{"iu_ac":%s,"libelle":"Rue_A","iu_nd_amont":%s,"iu_nd_aval":%s}}`
	for _, ids := range [][3]string{{"12", "0", "3"}, {`"12"`, `"0"`, `"3"`}, {"12.0", "0.0", "3.0"}} {
		text := `{"type":"FeatureCollection","crs":{"a":[1,2]},"features":[` + fmt.Sprintf(feature, ids[0], ids[1], ids[2]) + `]}`
		n, _ := importText(t, "a.geojson", text)
		if r := road(t, n, "PARIS-12"); r.FromNode != "0" || r.ToNode != "3" {
			t.Errorf("%v: from %q to %q", ids, r.FromNode, r.ToNode)
		}
	}
	multi := strings.ReplaceAll(fmt.Sprintf(feature, "1", "2", "3"), `"LineString","coordinates":[[2,48],[2.001,48]]`,
		`"MultiLineString","coordinates":[[[2,48],[2.001,48]],[[2.001,48],[2.002,48]]]`)
	n, _ := importText(t, "b.geojson", "\xef\xbb\xbf{\"features\":["+multi+`, {"type":"Feature","properties":{"iu_ac":[1]},"geometry":null}, {"properties":3}]}`)
	if r := road(t, n, "PARIS-1"); len(r.Geometry) != 1 || len(r.Geometry[0]) != 3 {
		t.Errorf("MultiLineString: got %v", r.Geometry)
	}
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestImportSaysWhatIsWrongWithAFile(t *testing.T) {
	good := csvHeader + strings.Repeat(csvRow("1", "A", "1", "2", 0, 0, 1, 0), 400)
	zipped := gzipped(t, good)
	for _, c := range []struct{ name, content, want string }{
		{"empty.csv", "", "the file is empty: want the Paris reference"},
		{"a.txt", "hello", `unknown format, the file begins with "hello"`},
		{"a.osc", "<?xml version='1.0'?><osmChange></osmChange>", "a file of OpenStreetMap changes"},
		{"a.osm", "<?xml version='1.0'?><osm/>", "no rows"},
		{"cut.osm", "<?xml version='1.0'?><osm version='0.6'><node id='1' lat='4", "cut.osm: the file is damaged"},
		{"foot.osm", "<osm version='0.6'><way id='7'><nd ref='1'/><nd ref='2'/><tag k='highway' v='steps'/></way></osm>", "none of 1 rows can be used, the first because of not_for_cars (way 7): highway=steps"},
		{"short.txt", "2 1 54000 8 0\n48.1 2.1\n", "short.txt:3: the file is damaged"},
		{"far.txt", "1 1 54000 8 0\n95 2.1\n", "far.txt:2: [\"95\" \"2.1\"] is no position"},
		{"streets.csv", "street,from,to,direction,duration_s,length_m\n0,0,1,1,3,4\n", "its junctions must lie beside it as nodes.csv"},
		{"nodes.csv", "node,lat,lon\n0,48,2\n", "import streets.csv"},
		{"new.roads", "CFROADS9....", "saved in version '9' of the format: want 1 to 2"},
		{"cols.csv", "a;b;c;d\n1;2;3;4\n", `cols.csv:1: column "identifiant arc" is missing`},
		{"quote.csv", csvHeader + "1;\"x;y\n", "quote.csv:"},
		{"rows.csv", csvHeader, "no rows below the header"},
		{"bad.csv", csvHeader + csvRow("x", "A", "1", "2", 0, 0, 1, 0), "none of 1 rows can be used, the first because of bad_row (bad.csv:2)"},
		{"cut.csv.gz", zipped[:len(zipped)/2], "cut.csv.gz: after line"},
		{"head.csv.gz", zipped[:3], "not a whole gzip file"},
		{"a.json", `{"a":1}`, `no "features": want a GeoJSON FeatureCollection`},
		{"b.json", `{"features":1}`, `"features" is not a list`},
		{"c.json", `{"features":[{"properties":{"iu_ac":1}`, "c.json: feature 1 (byte"},
		{"d.json", `{"features":[]}`, "no row"},
		{"e.json", `{"features":[{]`, "e.json: feature 1"},
		{"f.json", `{`, "damaged"},
		{"g.roads", "CFROADS1nonsense", "the file is damaged"},
		{"h.roads", "CFROADS1", "holds no road"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, rep, err := roadnet.Import(t.Context(), writeFile(t, c.name, c.content))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.name) {
				t.Fatalf("got %v: want the file's name and %q", err, c.want)
			}
			if n != nil || rep != nil {
				t.Error("results beside an error")
			}
		})
	}
	if _, _, err := roadnet.Import(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := roadnet.Import(ctx, writeFile(t, "a.csv", good)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestImportCleansLabels(t *testing.T) {
	for raw, want := range map[string]string{
		"Bd_St__Germain ":               "Bd St Germain",
		"Bd_Kellermann-Face_N?_12":      "Bd Kellermann-Face N° 12",
		"Bd_Gal_de_Gaulle (le_Kremlin)": "Bd Gal de Gaulle (le Kremlin)",
		strings.Repeat("é", 200):        strings.Repeat("é", 128),
		"":                              "",
	} {
		n, _ := importText(t, "a.csv", csvHeader+csvRow("1", raw, "1", "2", 0, 0, 1, 0))
		if got := road(t, n, "PARIS-1").Label; got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}
