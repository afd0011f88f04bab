package paris

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"
)

const reference = `{"type":"FeatureCollection","features":[
{"type":"Feature","geometry":{"type":"LineString","coordinates":[[2.30,48.870],[2.31,48.871]]},"properties":{"iu_ac":"1","libelle":"A","iu_nd_amont":"10","iu_nd_aval":"11"}},
{"type":"Feature","geometry":{"type":"LineString","coordinates":[[2.31,48.871],[2.32,48.872]]},"properties":{"iu_ac":"2","libelle":"B","iu_nd_amont":"11","iu_nd_aval":"12"}}]}`

func TestRoadsAreFetchedOnceADay(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		a := &api{reference: reference}
		roads := func(transport http.RoundTripper) (int, error) {
			s, err := New(config(dir), Deps{Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			rs, err := s.Roads(t.Context())
			if err == nil && (rs[0].Geometry == nil || rs[0].FromNode == "" || rs[0].Label == "") {
				t.Errorf("road %+v", rs[0])
			}
			return len(rs), err
		}
		for range 3 {
			if n, err := roads(a); n != 2 || err != nil {
				t.Fatalf("%d roads, %v", n, err)
			}
		}
		expect(t, "asked once", a.took(), "newest 0, exports 0, pages 0, reference 1")
		time.Sleep(25 * time.Hour)
		if n, err := roads(a); n != 2 || err != nil {
			t.Errorf("%d roads, %v", n, err)
		}
		if n, err := roads(a); n != 2 || err != nil {
			t.Errorf("%d roads, %v", n, err)
		}
		expect(t, "asked again after a day", a.took(), "newest 0, exports 0, pages 0, reference 1")
		time.Sleep(25 * time.Hour)
		gone := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route to host") })
		if n, err := roads(gone); n != 2 || err != nil {
			t.Errorf("without a network: %d roads, %v", n, err)
		}
		bad := &api{reference: `{"type":"FeatureCollection","features":[]}`}
		if n, err := roads(bad); n != 2 || err != nil {
			t.Errorf("an empty reference replaced a good one: %d roads, %v", n, err)
		}
		if err := os.Remove(filepath.Join(dir, referenceFile)); err != nil {
			t.Fatal(err)
		}
		if n, err := roads(gone); err == nil || !strings.Contains(err.Error(), "no route to host") {
			t.Errorf("without anything: %d roads, %v", n, err)
		}
		if n, err := roads(a); n != 2 || err != nil {
			t.Errorf("%d roads, %v", n, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
}

func TestRoadsOfTheRealReference(t *testing.T) {
	f, err := os.Open(realdata.Path(t, "paris-referentiel", "referentiel-comptages-routiers.geojson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(config(""), Deps{Transport: &api{reference: string(text)}})
	if err != nil {
		t.Fatal(err)
	}
	roads, err := s.Roads(t.Context())
	if err != nil || len(roads) != 3348 { // the README's arcs
		t.Errorf("%d roads, %v", len(roads), err)
	}
}
