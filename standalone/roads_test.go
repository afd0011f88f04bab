package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/2zrhun/city-flow/shared/roadnet"
)

// crossing is an extract with two streets, a footway and a turn that is forbidden.
const crossing = `<?xml version="1.0"?><osm version="0.6">
<node id="1" lat="48.000" lon="2.000"/><node id="2" lat="48.000" lon="2.002"/><node id="3" lat="48.000" lon="2.004"/><node id="4" lat="48.002" lon="2.002"/>
<way id="10"><nd ref="1"/><nd ref="2"/><tag k="highway" v="primary"/><tag k="name" v="Rue A"/></way>
<way id="11"><nd ref="2"/><nd ref="3"/><tag k="highway" v="primary"/></way>
<way id="12"><nd ref="2"/><nd ref="4"/><tag k="highway" v="residential"/><tag k="oneway" v="yes"/></way>
<way id="13"><nd ref="3"/><nd ref="4"/><tag k="highway" v="steps"/></way>
<relation id="20"><member type="way" ref="10" role="from"/><member type="node" ref="2" role="via"/><member type="way" ref="12" role="to"/>
<tag k="type" v="restriction"/><tag k="restriction" v="no_left_turn"/></relation></osm>`

func TestImportRoadsSaysWhatItDroppedAndMatchesSensors(t *testing.T) {
	dir := t.TempDir()
	place := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	extract := place("a.osm", crossing)
	sensors := place("s.csv", "sensor_id,lat,lng,bearing\nA,48.00003,2.001,90\nB,48.00003,2.001,\nC,48.1,2.1,0\nD,x,2,0\n")
	report, saved := filepath.Join(dir, "report.json"), filepath.Join(dir, "a.roads")
	out := mustRun(t, "import", "roads", "--data-dir", filepath.Join(dir, "data"), "--country", "FR",
		"--sensors", sensors, "--report", report, "--save", saved, extract)
	for _, want := range []string{
		"OpenStreetMap extract (XML), 5 roads, 4 junctions, 0.8 km, 1 forbidden turns",
		"  dropped:\n    not_for_cars: 1 (way 13): highway=steps\n",
		"  worth a look:\n    no_exit: 1 (OSM-4)\n",
		"3 sensors: 1 matched, 1 ambiguous, 1 too far",
		"    B: OSM-10-0, 3.3 m away, or OSM-10-0R, which is worse by 0.0 m\n",
		"    C: too far, 0 m: no road within 2000 m\n",
		"    refused: s.csv:5: position \"x\", \"2\"",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Files []struct {
			Report struct {
				Turns  int `json:"forbidden_turns"`
				Source roadnet.Source
			}
			Sensors struct{ Matched, Ambiguous int }
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Files) != 1 || got.Files[0].Report.Turns != 1 || got.Files[0].Report.Source.Country != "FR" || got.Files[0].Sensors.Matched != 1 {
		t.Errorf("%+v", got)
	}
	n, _, err := roadnet.Import(t.Context(), saved)
	if err != nil || len(n.Forbidden) != 1 || n.Source.File != "a.osm" {
		t.Errorf("%v: saved %+v", err, n)
	}
}

func TestImportRoadsRefusesWrongFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"no file given":                           {},
		`a.txt: unknown format, the file`:         {path},
		"--save with 2 files is not allowed":      {"--save", "x", path, path},
		"no table with the columns sensor_id":     {"--sensors", path, path},
		"no such file or directory":               {filepath.Join(dir, "none")},
		"read sensors: open " + dir + "/none: no": {"--sensors", filepath.Join(dir, "none"), path},
	} {
		out, err := run(t, append([]string{"import", "roads", "--data-dir", filepath.Join(dir, "data")}, args...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q\n%s", args, err, want, out)
		}
	}
}
