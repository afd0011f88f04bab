package works_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/works"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const closureHead = "\xef\xbb\xbfIdentifiant interne;Type de fermeture;Localisation;Date et heure de début de barrage;Date et heure de fin de barrage;Période et plage de fermeture;Sens de la fermeture;État de la fermeture;geo_shape;geo_point_2d\n"

// closure is a row of the closures file.
func closure(id, from, to, sentence, shape string) string {
	return fmt.Sprintf("%s;Tunnel;PORTE A;%s;%s;%s;;Planifié;\"%s\";\n", id, from, to, sentence, strings.ReplaceAll(shape, `"`, `""`))
}

// line is a GeoJSON line of "lng lat" in thousandths of a degree.
func line(coords ...float64) string {
	var b []string
	for i := 0; i < len(coords); i += 2 {
		b = append(b, fmt.Sprintf("[%g,%g]", coords[i]/1000, coords[i+1]/1000))
	}
	return `{"type":"LineString","coordinates":[` + strings.Join(b, ",") + `]}`
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, content string) ([]works.Work, *works.Report) {
	t.Helper()
	w, rep, err := works.Import(t.Context(), write(t, "a.csv", content))
	if err != nil {
		t.Fatal(err)
	}
	return w, rep
}

const (
	summer = "Du lundi 14/10/2024 22:00 au mardi 15/10/2024 06:00"
	shift  = "Du samedi 26/10/2024 22:00 au dimanche 27/10/2024 06:00" // the clock goes back
)

func TestClosuresTakeTheTimesOfTheSentence(t *testing.T) {
	w, rep := load(t, closureHead+
		closure("1", "2024-10-15T01:00:00+02:00", "2024-10-15T09:00:00+02:00", summer, line(0, 0, 1, 0))+
		closure("2", "2024-10-14T22:00:00+02:00", "2024-10-15T06:00:00+02:00", summer, line(0, 0, 1, 0))+
		closure("3", "", "", shift, line(0, 0, 1, 0))+
		closure("4", "2024-10-15T01:00:00+02:00", "2024-10-15T09:00:00+02:00", "la nuit", ""))
	for i, want := range []string{
		"2024-10-14T20:00:00Z 2024-10-15T04:00:00Z", "2024-10-14T20:00:00Z 2024-10-15T04:00:00Z",
		"2024-10-26T20:00:00Z 2024-10-27T05:00:00Z", "2024-10-14T23:00:00Z 2024-10-15T07:00:00Z",
	} {
		if got := w[i].From.Format(time.RFC3339) + " " + w[i].To.Format(time.RFC3339); got != want || w[i].Kind != works.Closed {
			t.Errorf("%+v: got %s, want %s", w[i], got, want)
		}
	}
	if rep.Counts[works.WrongInstant] != 1 || rep.Counts[works.NoSentence] != 1 || rep.Counts[works.NoShape] != 1 {
		t.Error(rep)
	}
	if rep.Issues[0].Detail != "begins 3h0m0s late, ends 3h0m0s late" {
		t.Error(rep.Issues[0])
	}
	if w[0].Active(w[0].To) || !w[0].Active(w[0].From) {
		t.Error("a work holds from its beginning until just before its end")
	}
}

func TestBadRowsAreReported(t *testing.T) {
	good := closure("1", "", "", summer, line(0, 0, 1, 0))
	w, rep := load(t, closureHead+good+good+"short;row\n"+
		closure("2", "", "", "la nuit", "")+
		closure("3", "", "", "Du mardi 15/10/2024 22:00 au lundi 14/10/2024 06:00", "")+
		closure("4", "", "", summer, `{"type":"Point","coordinates":[1,2]}`)+
		closure("5", "", "", summer, `{"type":"LineString","coordinates":[[999,2],[3,4]]}`)+
		closure("6", "", "", summer, `{"type":`)+
		closure("", "", "", summer, "")+
		closure("7", "", "", "Du lundi 14/10/2024 22:00 au mardi 15/10/2044 06:00", "")+
		closure("8", "", "", "Du lundi 34/10/2024 22:00 au mardi 15/10/2044 06:00", ""))
	if len(w) != 2 || w[0].ID != "1" || w[1].ID != "7" || rep.Rows != 11 {
		t.Errorf("%+v", w)
	}
	for kind, want := range map[works.IssueKind]int{
		works.Duplicate: 1, works.BadRow: 5, works.NoDates: 2, works.EndsFirst: 1, works.FarEnd: 1, works.NoShape: 1,
	} {
		if rep.Counts[kind] != want {
			t.Errorf("%s: %d, want %d", kind, rep.Counts[kind], want)
		}
	}
	dropped := 0
	for _, i := range rep.Issues {
		if i.Kind.Dropped() {
			dropped++
		}
		if !strings.HasPrefix(i.Where, "a.csv:") {
			t.Errorf("%+v says not where", i)
		}
	}
	if dropped+len(w) != rep.Rows {
		t.Errorf("%d dropped and %d loaded of %d", dropped, len(w), rep.Rows)
	}
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	var zipped bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	gz.Write([]byte(closureHead + strings.Repeat(closure("1", "", "", summer, line(0, 0, 1, 0)), 500)))
	gz.Close()
	for want, content := range map[string]string{
		"the file is empty":                       "",
		"unknown columns: want the export of":     "a;b;c\n1;2;3\n",
		`column "localisation" is missing`:        strings.Replace(closureHead, "Localisation", "Ort", 1),
		"none of 0 rows can be used":              closureHead,
		"none of 1 rows can be used, the first":   closureHead + "x\n",
		"was cut short":                           zipped.String()[:zipped.Len()/2],
		"not a whole gzip file":                   zipped.String()[:3],
		"the file is damaged or was cut short, g": closureHead + "1;\"x\"y;\n",
	} {
		if w, rep, err := works.Import(t.Context(), write(t, "a.csv", content)); err == nil || !strings.Contains(err.Error(), want) || w != nil || rep != nil {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := works.Import(ctx, write(t, "a.csv", closureHead+closure("1", "", "", summer, ""))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, _, err := works.Import(t.Context(), "none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func road(id string, coords ...float64) traffic.Road {
	r := traffic.Road{ID: traffic.RoadID(id), Geometry: [][]traffic.Point{nil}}
	for i := 0; i < len(coords); i += 2 {
		r.Geometry[0] = append(r.Geometry[0], traffic.Point{Lng: coords[i] / 1000, Lat: coords[i+1] / 1000})
	}
	return r
}

// A thousandth of a degree is 111 m here on the equator.
func TestLocate(t *testing.T) {
	x := roadnet.NewIndex([]traffic.Road{
		road("east1", 0, 0, 2, 0), road("east2", 2, 0, 4, 0), road("west", 4, 0.1, 0, 0.1), road("across", 2, -1, 2, 1),
	})
	head := strings.Replace(closureHead, ";geo_point_2d", "", 1)
	row := func(id, shape string) string {
		return strings.TrimSuffix(closure(id, "", "", summer, shape), ";\n") + "\n"
	}
	polygon := `{"type":"Polygon","coordinates":[[[0.0005,0.00004],[0.001,0.00004],[0.001,0.0002],[0.0005,0.0002],[0.0005,0.00004]]]}`
	multi := strings.Replace(strings.Replace(polygon, "Polygon", "MultiPolygon", 1), `[[[0.0005`, `[[[[0.0005`, 1)
	multi = strings.Replace(multi, "]]]}", "]]]]}", 1)
	w, rep := load(t, head+
		row("line", line(0, 0.02, 2.1, 0.02))+ // 11 m on the next road do not count
		row("back", line(3, 0.1, 1, 0.1))+
		row("parts", `{"type":"MultiLineString","coordinates":[[[0,0],[0.001,0]],[[0.003,0],[0.004,0]]]}`)+
		row("area", polygon)+row("areas", multi)+
		row("far", line(0, 9, 1, 9)))
	works.Locate(x, w, rep)
	for i, want := range []string{"[{east1 222 1.00}]", "[{west 222 0.50}]", "[{east1 111 0.50} {east2 111 0.50}]", "[{east1 64 0.29} {west 65 0.15}]", "[{east1 64 0.29} {west 65 0.15}]", "[]"} {
		var got []string
		for _, touch := range w[i].Roads {
			got = append(got, fmt.Sprintf("{%s %.0f %.2f}", touch.Road, touch.CoveredM, touch.Share))
		}
		if s := "[" + strings.Join(got, " ") + "]"; s != want {
			t.Errorf("%s: got %s, want %s", w[i].ID, s, want)
		}
	}
	if rep.Located != 5 || rep.Roads != 3 || rep.Counts[works.NowhereNear] != 1 {
		t.Error(rep)
	}
}
