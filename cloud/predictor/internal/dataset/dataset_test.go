package dataset

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
	"github.com/2zrhun/city-flow/shared/realdata"
)

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	b := []byte(content)
	if strings.HasSuffix(name, ".gz") {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		z.Close()
		b = buf.Bytes()
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// cells is a grid in words: rows by "|", values by space, missing ones "-".
func cells(g *series.Grid) string {
	var out []string
	for s := range g.Steps() {
		var row []string
		for _, v := range g.Row(s) {
			if series.Missing(v) {
				row = append(row, "-")
				continue
			}
			row = append(row, strings.TrimSuffix(strings.TrimRight(strings.TrimSpace(formatted(v)), "0"), "."))
		}
		out = append(out, strings.Join(row, " "))
	}
	return strings.Join(out, "|")
}

func formatted(v float32) string {
	i, f := math.Modf(float64(v))
	if f == 0 {
		return strings.Repeat("I", int(i)) + "."
	}
	return "half."
}

func TestForms(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		kind          Kind
		roads, cells  string
		start         string
		step          time.Duration
	}{
		"wide, ids are numbers, no times": {"s.csv", "773869,767541\n1,2\n3,x\n", Wide, "773869,767541", "I II|III -", "2001-01-01T00:00:00Z", 5 * time.Minute},
		"wide, no header":                 {"s.csv", "1,2\n3,1\n", Wide, "0,1", "I II|III I", "2001-01-01T00:00:00Z", 5 * time.Minute},
		"wide, with times, gzip, a gap": {
			"s.csv.gz", ",a,b\n2012-03-01 00:05:00,1,2\n2012-03-01 00:00:00,3,\n2012-03-01 00:15:00,2,2\n2012-03-01 00:10:00,1,1\n2012-03-01 00:25:00,1,0\n", Wide, "a,b",
			"III -|I II|I I|II II|- -|I ", "2012-03-01T00:00:00Z", 5 * time.Minute,
		},
		"long":                          {"l.csv", "t,counter_id,bike_count\n2020-09-01T01:00:00,b,1\n2020-09-01T01:00:00,a,2\n2020-09-01T02:00:00,a,3\n", Long, "a,b", "II I|III -", "2020-09-01T01:00:00Z", time.Hour},
		"paris history, repeated stamp": {"p.csv", "iu_ac,libelle,t_1h,q,k\n7,x,2021-01-01 01:00:00,1,\n7,x,2021-01-01 01:00:00,,\n7,x,2021-01-01 02:00:00,2,1.5\n", Paris, "7", "I|II", "2020-12-31T23:00:00Z", time.Hour},
		"paris, French labels":          {"p.csv", "Identifiant arc;Libelle;Date et heure de comptage;Débit horaire\n7;x;2022-01-02T22:00:00+01:00;3.0\n7;x;2022-01-02T23:00:00+01:00;\n", Paris, "7", "III|-", "2022-01-02T20:00:00Z", time.Hour},
		"paris, stray quote":            {"p.csv", "\"Identifiant arc;Libelle;Date et heure de comptage;Débit horaire\n7;x;2022-01-02T22:00:00+01:00;3.0\n7;x;2022-01-02T23:00:00+01:00;1\n", Paris, "7", "III|I", "2022-01-02T20:00:00Z", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(write(t, t.TempDir(), c.file, c.content), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Kind != c.kind || strings.Join(s.Grid.Roads, ",") != c.roads || cells(s.Grid) != c.cells {
				t.Errorf("%s, roads %v, %q", s.Kind, s.Grid.Roads, cells(s.Grid))
			}
			if got := s.Grid.Start.Format(time.RFC3339); got != c.start || s.Grid.Step != c.step {
				t.Errorf("starts %s in steps of %s", got, s.Grid.Step)
			}
		})
	}
}

func TestBeside(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "s.csv", "1001,1002,1003\n1,2,3\n")
	write(t, dir, "sensor_locations.csv", "index,sensor_id,latitude,longitude\n0,1001,34.1,-118.2\n1,1002,34.1,-118.201\n2,1003,35,-118\n")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Graph.Neighbours; len(n) != 3 || len(n[0]) != 1 || n[0][0] != 1 || len(n[2]) != 0 {
		t.Errorf("by place: %v", n)
	}
	write(t, dir, "the_adj.csv", "1,0,0.5\n0,1,0\n0.5,0.1,1\n")
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	if n := s.Graph.Neighbours; len(n) != 3 || n[0][0] != 2 || len(n[1]) != 0 || n[2][0] != 0 || n[2][1] != 1 {
		t.Errorf("by weights: %v", n)
	}
}

func TestRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"a short row":  "a,b\n1,2\n3\n",
		"a bad time":   "t,a,b,c\n2012-03-01 00:05:00,1,2,3\nyesterday,1,2,3\n",
		"nothing":      "",
		"twice a road": "a,a\n1,2\n",
	} {
		if s, err := Open(write(t, t.TempDir(), "f.csv", content), Options{}); err == nil {
			t.Errorf("%s: read as %v", name, s.Grid.Roads)
		}
	}
}

// TestReal reads the real files, which are not part of the project.
func TestReal(t *testing.T) {
	for file, want := range map[string]struct{ roads, steps int }{
		"paris-counts-raw/raw-labels-fr_arc191_sts-peres_2021-11_2022-12.csv.gz": {1, 9645},
	} {
		s, err := Open(realdata.Path(t, file), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Grid.Roads) != want.roads || s.Grid.Steps() != want.steps {
			t.Errorf("%s: %d roads, %d steps", file, len(s.Grid.Roads), s.Grid.Steps())
		}
	}
}

// TestSCATS reads two approaches of one name and one of the junction beside.
func TestSCATS(t *testing.T) {
	head := ",,,,Start Time,0:00\nSCATS Number,Location,HF VicRoads Internal,Date"
	slots := ""
	for k := range 96 {
		head += fmt.Sprintf(",V%02d", k)
		slots += fmt.Sprintf(",%d", k)
	}
	text := head + "\n0970,HIGH_ST N,249,1/10/06" + slots + "\n0970,HIGH_ST N,250,2/10/06" + slots + "\n2000,OTHER_ST,7,1/10/06" + slots + "\n"
	dir := t.TempDir()
	path := write(t, dir, "scats.csv", text)
	write(t, dir, "neighbouring_intersections.csv", "Scats_number,Site description,Neighbours\n970,x,2000\n2000,y,970;3000\n")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind != SCATS || !slices.Equal(s.Grid.Roads, []string{"2000 OTHER_ST #7", "970 HIGH_ST N #249", "970 HIGH_ST N #250"}) {
		t.Fatalf("%s: %q", s.Kind, s.Grid.Roads)
	}
	if g := s.Grid; g.Steps() != 192 || g.Row(95)[1] != 95 || !series.Missing(g.Row(95)[2]) || g.Row(96)[2] != 0 || g.Row(191)[2] != 95 {
		t.Errorf("%d steps, %v, %v, %v", g.Steps(), g.Row(95), g.Row(96), g.Row(191))
	}
	if n := s.Graph.Neighbours; !slices.Equal(n[0], []int32{1, 2}) || !slices.Equal(n[1], []int32{2, 0}) {
		t.Errorf("neighbours %v", n)
	}
	if _, err := Open(write(t, dir, "short.csv", head+"\n0970,HIGH_ST N,249,1/10/06,5\n"), Options{}); err == nil {
		t.Error("a short row was read")
	}
}
