package parisfeed

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func gunzip(t testing.TB, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// A row is either refused or read to what the text says.
func FuzzRow(f *testing.F) {
	f.Add("iu_ac;t_1h;q;k", "4264;2010-04-24 01:00:00;1358.0;15.0")
	f.Add("Identifiant arc;Date;Heure;Debit horaire;geo_point_2d;Unnamed: 14", "6532;06/11/2023;06:00:00;28.0;48.8;2.3")
	f.Add("iu_ac;t_1h;k;geo_shape", `1;2022-10-30T02:00:00+01:00;0,5;{"type":"LineString","coordinates":[[2,48],[3,49]]}`)
	f.Fuzz(func(t *testing.T, header, row string) {
		cols, _, complete := FindColumns(strings.Split(header, ";"))
		rec := cols.Record(strings.Split(row, ";"))
		_, _ = rec.Road()
		if p := rec.Place(); p != nil && p.Lat.Known() != p.Lng.Known() {
			t.Error("half a position")
		}
		c, err := rec.Count(clock(t))
		if err != nil || !complete {
			return
		}
		if c.At.Location() != time.UTC {
			t.Errorf("at %v", c.At)
		}
		if rec.Measured() != (c.Flow.Known() || c.Occupancy.Known()) {
			t.Errorf("%v: measured %v, but %v", rec, rec.Measured(), c)
		}
	})
}

// The reader ends, and says io.EOF only where the text was a whole answer.
func FuzzJSON(f *testing.F) {
	f.Add(`{"total_count":2,"results":[{"iu_ac":"1","t_1h":"2026-07-30T22:00:00+00:00","q":2.5,"geo_point_2d":{"lon":2.3,"lat":48.8}},{}]}`)
	f.Add(`[{"iu_ac":7},null,{"geo_shape":{"type":"Feature"}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		j := NewJSONReader(strings.NewReader(text))
		for n := 0; ; n++ {
			rec, err := j.Next()
			var bad *RecordError
			if err != nil && !errors.As(err, &bad) {
				return
			}
			_, _ = rec.Road()
			if n > len(text) {
				t.Fatal("more records than bytes")
			}
		}
	})
}
