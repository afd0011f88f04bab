package parisfeed

import (
	"encoding/csv"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

func clock(t testing.TB) *wallclock.Clock {
	t.Helper()
	loc, err := time.LoadLocation(Zone)
	if err != nil {
		t.Fatal(err)
	}
	return wallclock.New(loc)
}

func TestFindColumnsInEveryForm(t *testing.T) {
	for name, header := range map[string]string{
		"history":       "iu_ac,libelle,iu_nd_amont,libelle_nd_amont,iu_nd_aval,libelle_nd_aval,t_1h,q,k,etat_trafic,etat_barre",
		"API export":    "iu_ac;libelle;t_1h;q;k;etat_trafic;iu_nd_amont;libelle_nd_amont;iu_nd_aval;libelle_nd_aval;etat_barre",
		"French":        "Identifiant arc;Libelle;Date et heure de comptage;Débit horaire;Taux d'occupation;Etat trafic;Identifiant noeud amont;Libelle noeud amont;Identifiant noeud aval",
		"typographic":   "Identifiant arc;Libellé;Date et heure de comptage;Débit horaire;Taux d’occupation;État trafic;Identifiant nœud amont;Libellé nœud amont;Identifiant nœud aval",
		"no accents":    "Identifiant arc;Libelle;Date;Heure;Debit horaire;Taux d'occupation;Etat trafic;Identifiant noeud amont;Libelle noeud amont;Identifiant noeud aval",
		"broken":        "Identifiant arc;Libell\ufffd;Date et heure de comptage;D\ufffdbit horaire;Taux d'occupation;Etat trafic;Identifiant n\ufffdud amont;x;Identifiant n\ufffdud aval",
		"latin1":        "Identifiant arc;Libell\xe9;Date et heure de comptage;D\xe9bit horaire;Taux d'occupation;Etat trafic;Identifiant noeud amont;x;Identifiant noeud aval",
		"upper case":    "IU_AC;LIBELLE;T_1H;Q;K;ETAT_TRAFIC;IU_ND_AMONT;LIBELLE_ND_AMONT;IU_ND_AVAL",
		"no occupancy":  "iu_ac;t_1h;q;libelle;iu_nd_amont;iu_nd_aval",
		"only the rate": "iu_ac;t_1h;k;libelle;iu_nd_amont;iu_nd_aval",
	} {
		sep := ";"
		if !strings.Contains(header, sep) {
			sep = ","
		}
		c, claimed, complete := FindColumns(strings.Split(header, sep))
		if !claimed || !complete {
			t.Errorf("%s: not recognised: %+v", name, c)
		}
		if c.label < 0 || c.fromNode < 0 || c.toNode < 0 {
			t.Errorf("%s: description not found: %+v", name, c)
		}
	}
}

func TestFindColumnsNeedsTheEssentialOnes(t *testing.T) {
	for _, header := range []string{
		"iu_ac;libelle;q;k", "iu_ac;t_1h;libelle", "iu_ac;date;q", "Identifiant arc;Date debut dispo data;Débit horaire",
	} {
		if _, claimed, complete := FindColumns(strings.Split(header, ";")); !claimed || complete {
			t.Errorf("%s: claimed %v, complete %v", header, claimed, complete)
		}
	}
	if _, claimed, _ := FindColumns([]string{"timestamp", "value"}); claimed {
		t.Error("a foreign table was claimed")
	}
}

func TestCountConventions(t *testing.T) {
	for _, tc := range []struct {
		name      string
		rec       Record
		at        string
		flow, occ float64 // NaN: absent
	}{
		{"history, summer", Record{Arc: "4264", Stamp: "2010-04-24 01:00:00", Flow: "1358.0", Occupancy: "15.0"}, "2010-04-23T22:00:00Z", 1358, 0.15},
		{"history, winter", Record{Arc: "4264", Stamp: "2010-01-01 01:00:00", Flow: "1358.0", Occupancy: ""}, "2009-12-31T23:00:00Z", 1358, math.NaN()},
		{"API", Record{Arc: "1683", Stamp: "2026-07-30T22:00:00+00:00", Flow: "272", Occupancy: "0.0"}, "2026-07-30T21:00:00Z", 272, 0},
		{"labels", Record{Arc: "191", Stamp: "2022-01-02T22:00:00+01:00", Flow: "null", Occupancy: "3.855"}, "2022-01-02T20:00:00Z", math.NaN(), 0.03855},
		{"autumn, once", Record{Arc: "4264", Stamp: "2022-10-30 02:00:00", Flow: "1107"}, "2022-10-30T00:00:00Z", 1107, math.NaN()},
		{"autumn, as the API says it", Record{Arc: "4264", Stamp: "2022-10-30T02:00:00+01:00", Flow: "1107"}, "2022-10-30T00:00:00Z", 1107, math.NaN()},
		{"decimal comma", Record{Arc: "4264", Stamp: "2022-10-30 05:00:00", Flow: "1107,5", Occupancy: "NaN"}, "2022-10-30T03:00:00Z", 1107.5, math.NaN()},
	} {
		c, err := tc.rec.Count(clock(t))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := c.At.Format(time.RFC3339); got != tc.at {
			t.Errorf("%s: at %s, want %s", tc.name, got, tc.at)
		}
		same(t, tc.name+" flow", c.Flow, tc.flow)
		same(t, tc.name+" occupancy", c.Occupancy, tc.occ)
	}
}

func same(t *testing.T, what string, v traffic.Value, want float64) {
	t.Helper()
	got, ok := v.Get()
	if ok == math.IsNaN(want) || (ok && math.Abs(got-want) > 1e-12) {
		t.Errorf("%s: got %s, want %v", what, v, want)
	}
}

func TestCountRefuses(t *testing.T) {
	good := Record{Arc: "1", Stamp: "2022-01-01 01:00:00", Flow: "1"}
	for field, spoil := range map[string]func(*Record){
		"iu_ac": func(r *Record) { r.Arc = "" },
		"q":     func(r *Record) { r.Flow = "many" },
		"k":     func(r *Record) { r.Occupancy = "12%" },
		"t_1h":  func(r *Record) { r.Stamp = "2022-03-27 02:00:00" }, // does not exist
	} {
		r := good
		spoil(&r)
		_, err := r.Count(clock(t))
		var invalid *traffic.InvalidError
		if !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestMeasured(t *testing.T) {
	for rec, want := range map[Record]bool{
		{}:                              false,
		{Flow: "null", Occupancy: "NA"}: false,
		{Flow: "0"}:                     true,
		{Occupancy: "0.0"}:              true,
	} {
		if rec.Measured() != want {
			t.Errorf("%v: want %v", rec, want)
		}
	}
}

func TestRoad(t *testing.T) {
	line := `{"coordinates": [[2.3009951475, 48.8717770435], [2.3024504374, 48.8712947163]], "type": "LineString"}`
	for name, shape := range map[string]string{
		"geometry": line,
		"feature":  `{"type": "Feature", "geometry": ` + line + `, "properties": {}}`,
		"multi":    `{"type":"MultiLineString","coordinates":[[[2.3009951475,48.8717770435],[2.3024504374,48.8712947163]]]}`,
	} {
		rec := Record{Arc: "4264", Label: "AV_Champs_Elysees", FromNode: "2294", ToNode: "2293", Point: "48.871535879911605,2.301722792456062", Shape: shape}
		road, err := rec.Road()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if road.ID != "PARIS-4264" || road.FromNode != "2294" || road.ToNode != "2293" {
			t.Errorf("%s: %+v", name, road)
		}
		if len(road.Geometry) != 1 || road.Geometry[0][1] != (traffic.Point{Lat: 48.8712947163, Lng: 2.3024504374}) {
			t.Errorf("%s: geometry %v", name, road.Geometry)
		}
		// 0.000482 degrees north-south and 0.001455 east-west at 48.87 degrees.
		dy, dx := 0.0004823272*111195, 0.0014552899*111195*math.Cos(48.8715*math.Pi/180)
		same2(t, name, road.LengthM, math.Hypot(dx, dy), 0.5)
		same2(t, name, road.Lat, 48.871535879911605, 0)
	}
}

func same2(t *testing.T, what string, v traffic.Value, want, tolerance float64) {
	t.Helper()
	if got, ok := v.Get(); !ok || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %s, want %v", what, v, want)
	}
}

func TestRoadKeepsWhatItCanRead(t *testing.T) {
	for _, shape := range []string{"{", `{"type":"Point","coordinates":[1,2]}`, `{"type":"LineString","coordinates":[["a"]]}`, `{"type":"Feature","geometry":null}`} {
		rec := Record{Arc: "1", Label: "x", Point: "91,0", Shape: shape}
		road, err := rec.Road()
		if err == nil || road.ID != "PARIS-1" || road.Lat.Known() || road.Geometry != nil {
			t.Errorf("%s: %+v, %v", shape, road, err)
		}
	}
}

func TestJSONReaderReadsTheAPI(t *testing.T) {
	f, err := os.Open(realdata.Path(t, "paris-counts-raw", "records_v21_2026-07-30T22_26arcs.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := NewJSONReader(f)
	n := 0
	for {
		rec, err := j.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if rec.Arc != "1683" || rec.Flow != "272.0" || rec.Occupancy != "0.0" || rec.FromNode != "895" {
				t.Errorf("first record: %v", rec)
			}
			road, err := rec.Road()
			if err != nil || len(road.Geometry) != 1 || !road.LengthM.Known() || !road.Lat.Known() {
				t.Errorf("first road: %+v, %v", road, err)
			}
		}
	}
	if n != 26 || j.Total() != 26988881 { // both from the README of the data
		t.Errorf("%d records of %d, want 26 of 26988881", n, j.Total())
	}
}

func TestJSONReaderGoesOnAfterABadRecord(t *testing.T) {
	j := NewJSONReader(strings.NewReader(`{"a":{"results":1},"results":[{"iu_ac":1},{"iu_ac":[2]},7,{"iu_ac":"3","q":null}]}`))
	var arcs, bad []string
	for {
		rec, err := j.Next()
		var one *RecordError
		switch {
		case errors.Is(err, io.EOF):
			if strings.Join(arcs, " ") != "1 3" || strings.Join(bad, " ") != "2 3" {
				t.Errorf("read %v, refused %v", arcs, bad)
			}
			return
		case errors.As(err, &one):
			bad = append(bad, string(rune('0'+one.N)))
		case err != nil:
			t.Fatal(err)
		default:
			arcs = append(arcs, rec.Arc)
		}
	}
}

func TestJSONReaderNoticesABreak(t *testing.T) {
	for _, text := range []string{
		``, `{"results":[{"iu_ac":"1"},`, `{"results":[{"iu_ac":"1"}`, `{"results":[{"iu_ac":"1`, `[`, `{`,
		`<html>`, `"x"`, `{"error":"quota"}`, `{"results":{}}`, `{"results":[{"iu_ac":"1"} {"iu_ac":"2"}]}`,
		`{"results":[{"iu_ac":"1"}]`, `{"results":[],"total_count":`, `{"results":[],"total_count":0`,
	} {
		j := NewJSONReader(strings.NewReader(text))
		var err error
		for err == nil {
			_, err = j.Next()
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s: taken for complete", text)
		}
	}
}

func TestWriteJSONIsReadBack(t *testing.T) {
	for _, recs := range [][]Record{nil, {{Arc: "1", Stamp: "2026-07-30T22:00:00+00:00", Flow: "231.3", Label: "Bd \"x\"", FromNode: "0", ToNode: "2"}, {Arc: "2", Occupancy: "0"}, {}}} {
		var text strings.Builder
		if err := WriteJSON(&text, recs); err != nil {
			t.Fatal(err)
		}
		j := NewJSONReader(strings.NewReader(text.String()))
		for i := 0; ; i++ {
			rec, err := j.Next()
			if errors.Is(err, io.EOF) && i == len(recs) {
				break
			}
			if err != nil || rec != recs[i] {
				t.Fatalf("record %d: got %+v, %v", i, rec, err)
			}
		}
	}
}

// The publisher's form with offsets and the history without them tell the same
// instants: the README counts 100 % equal values on the common hours.
func TestHistoryAndLabelsAgree(t *testing.T) {
	history := countsOf(t, "paris-counts-history", "champs_elysees_arc4264_2010-2022.csv.gz")
	labels := countsOf(t, "paris-counts-raw", "raw-labels-fr_arc4264_champs-elysees_2022.csv.gz")
	common := 0
	for at, c := range labels {
		h, ok := history[at]
		if !ok {
			continue
		}
		common++
		if h != c {
			t.Errorf("%s: history %v, labels %v", at, h, c)
		}
	}
	if common != len(labels) || common < 6000 {
		t.Errorf("%d of %d hours are in the history", common, len(labels))
	}
}

func countsOf(t *testing.T, name ...string) map[time.Time]Count {
	t.Helper()
	r := csv.NewReader(gunzip(t, realdata.Path(t, name...)))
	if strings.Contains(name[1], "labels") {
		r.Comma = ';'
	}
	header, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	cols, _, ok := FindColumns(header)
	if !ok {
		t.Fatalf("columns of %s: %v", name, header)
	}
	out := make(map[time.Time]Count)
	c := clock(t)
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		rec := cols.Record(row)
		if !rec.Measured() {
			continue
		}
		count, err := rec.Count(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := out[count.At]; !twice { // the first in the file counts
			out[count.At] = count
		}
	}
}
