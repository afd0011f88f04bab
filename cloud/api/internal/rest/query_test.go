package rest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
)

func request(rawQuery string) *http.Request {
	return &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: rawQuery}}
}

// Every bad parameter is named, shown and answered with what would be allowed.
func TestBadParametersAreNamed(t *testing.T) {
	readers := map[string]func(*http.Request) error{
		"roads":   func(r *http.Request) error { _, err := readRoadsQuery(r); return err },
		"history": func(r *http.Request) error { _, err := readHistoryQuery(r); return err },
		"stream":  func(r *http.Request) error { _, err := readSubscription(r); return err },
	}
	const span = "road_id=a&from=2026-08-24T00:00:00Z&to=2026-08-25T00:00:00Z"
	for _, c := range []struct{ reader, query, parameter, value, allowed string }{
		{"roads", "limit=1001", "limit", "1001", "from 1 to 1000"},
		{"roads", "limit=0", "limit", "0", "from 1 to 1000"},
		{"roads", "limit=ten", "limit", "ten", "whole number"},
		{"roads", "limit=", "limit", "", "a value"},
		{"roads", "limit=5&limit=6", "limit", "5, 6", "one value"},
		{"roads", "bbox=1,2,3", "bbox", "1,2,3", "minLng,minLat,maxLng,maxLat"},
		{"roads", "bbox=1,2,3,x", "bbox", "1,2,3,x", "degrees"},
		{"roads", "bbox=3,2,1,4", "bbox", "3,2,1,4", "minima not above maxima"},
		{"roads", "bbox=NaN,0,1,1", "bbox", "NaN,0,1,1", "degrees"},
		{"roads", "bbox=-181,0,1,1", "bbox", "-181,0,1,1", "degrees"},
		{"roads", "format=xml", "format", "xml", "json, geojson"},
		{"roads", "format=geojson&limit=3", "limit", "3", "not paged"},
		{"roads", "colour=red", "parameter", "colour", "bbox, format, state, limit, cursor"},
		{"roads", "limit=%zz", "query string", "limit=%zz", "percent-encoded"},
		{"roads", "a;b", "query string", "a;b", "separated by &"},
		{"roads", "cursor=" + strings.Repeat("x", 2000), "cursor", strings.Repeat("x", 80) + "…", "next_cursor"},
		{"history", "from=2026-08-24T00:00:00Z&to=2026-08-25T00:00:00Z", "road_id", "", "required"},
		{"history", "road_id=a&to=2026-08-25T00:00:00Z", "from", "", "required"},
		{"history", "road_id=a&from=2026-08-25T00:00:00Z", "to", "", "required"},
		{"history", "road_id=a&from=yesterday&to=2026-08-25T00:00:00Z", "from", "yesterday", "RFC 3339"},
		{"history", "road_id=a&from=2026-08-25T00:00:00Z&to=2026-08-25T00:00:00Z", "to", "2026-08-25T00:00:00Z", "after from"},
		{"history", span + "&width=1500ms", "width", "1500ms", "whole seconds"},
		{"history", span + "&width=200h", "width", "200h", "to 168h"},
		{"history", span + "&width=-5m", "width", "-5m", "from 1s"},
		{"history", span + "&width=5s", "width", "5s", "10000 widths"},
		{"history", strings.Replace(span, "=a", "="+strings.Repeat("a", 129), 1), "road_id", strings.Repeat("a", 80) + "…", "128 bytes"},
		{"history", strings.Replace(span, "=a", "=%ff%fe", 1), "road_id", "?", "UTF-8"},
		{"stream", "channels=weather", "channels", `"weather"`, "traffic_update"},
		{"stream", "horizons=0", "horizons", "0", "1 to 1440"},
		{"stream", "horizons=soon", "horizons", "soon", "whole minutes"},
		{"stream", "roads=a,,b", "roads", "", "1 to 128 bytes"},
		{"stream", "seq=-1", "seq", "-1", "the seq of a message"},
		{"stream", "since=3", "parameter", "since", "token, ticket, bbox, roads, channels, horizons, seq"},
	} {
		err := readers[c.reader](request(c.query))
		var p *problem.Error
		if !errors.As(err, &p) {
			t.Errorf("%s?%s: %v, want a problem", c.reader, c.query, err)
			continue
		}
		if p.Kind != problem.BadParameter || p.Parameter != c.parameter || p.Value != c.value || !strings.Contains(p.Allowed, c.allowed) {
			t.Errorf("%s?%s: %s %q=%q want %q;\nexpected %q=%q want …%s…", c.reader, c.query, p.Kind, p.Parameter, p.Value, p.Allowed, c.parameter, c.value, c.allowed)
		}
	}
}

func TestGoodParameters(t *testing.T) {
	in, err := readRoadsQuery(request("bbox=2.25,48.81,2.42,48.91&state=none&limit=1000"))
	if err != nil || in.box.MinLng != 2.25 || in.box.MaxLat != 48.91 || in.page.Limit != 1000 || in.state != "none" || in.format != "json" {
		t.Errorf("%+v %v", in, err)
	}
	h, err := readHistoryQuery(request("road_id=Rue+de+Rivoli&from=2026-08-24T02:00:00%2B02:00&to=2026-08-24T03:00:00+02:00&width=1h"))
	if err != nil || h.road != "Rue de Rivoli" || h.to.Sub(h.from) != time.Hour || h.from.Location() != time.UTC || h.width != time.Hour {
		t.Errorf("%+v %v", h, err)
	}
	sub, err := readSubscription(request("roads=a,b&channels=reroutes&horizons=15,60&seq=9007199254740991&token=x"))
	if err != nil || len(sub.Roads) != 2 || sub.Channels[0] != live.ChannelReroutes || sub.Horizons[1] != 60 || *sub.Seq != 1<<53-1 {
		t.Errorf("%+v %v", sub, err)
	}
}

// Whatever the query string, reading it ends with values inside their limits or with
// a problem that can be written.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "limit=3&bbox=1,2,3,4", "road_id=a&from=2026-08-24T00:00:00Z&to=2026-08-25T00:00:00Z&width=5m",
		"roads=a,b&channels=predictions&horizons=30&seq=1", "bbox=1e400,Inf,-0,0x1p-2", "limit=%00&cursor=%ff", "&&&=;", "width=99999999999h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		check := func(err error) bool {
			if err == nil {
				return true
			}
			var p *problem.Error
			if !errors.As(err, &p) {
				t.Fatalf("%q: %v is no problem", raw, err)
			}
			w := httptest.NewRecorder()
			problem.Write(w, request(raw), p)
			if w.Code != http.StatusBadRequest {
				t.Fatalf("%q: status %d", raw, w.Code)
			}
			return false
		}
		if in, err := readRoadsQuery(request(raw)); check(err) {
			if in.page.Limit < 1 || in.page.Limit > maxLimit {
				t.Fatalf("%q: limit %d", raw, in.page.Limit)
			}
			if b := in.box; b != nil && !(b.MinLng >= -180 && b.MinLng <= b.MaxLng && b.MaxLng <= 180 && b.MinLat >= -90 && b.MinLat <= b.MaxLat && b.MaxLat <= 90) {
				t.Fatalf("%q: box %+v", raw, *b)
			}
		}
		if in, err := readHistoryQuery(request(raw)); check(err) {
			if in.road == "" || !in.from.Before(in.to) || in.width < time.Second || in.to.Sub(in.from)/in.width > maxBuckets {
				t.Fatalf("%q: %+v", raw, in)
			}
		}
		if in, err := readSubscription(request(raw)); check(err) && in.Validate() != nil {
			t.Fatalf("%q: %+v", raw, in)
		}
	})
}
