package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// sums are what must not depend on the format.
type sums struct {
	rows        int
	speed, flow float64
}

type exported struct {
	Road  string   `json:"road_id" parquet:"road_id"`
	Speed *float64 `json:"speed_kmh" parquet:"speed_kmh,optional"`
	Flow  *float64 `json:"flow_rate" parquet:"flow_rate,optional"`
}

func (s *sums) add(e exported) {
	s.rows++
	if e.Speed != nil {
		s.speed += *e.Speed
	}
	if e.Flow != nil {
		s.flow += *e.Flow
	}
}

func sumOf(t *testing.T, format string, body []byte) (s sums) {
	t.Helper()
	switch format {
	case "csv":
		rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if err != nil || len(rows) == 0 || rows[0][3] != "speed_kmh" || rows[0][4] != "flow_rate" {
			t.Fatalf("%v in %.300s", err, body)
		}
		for _, r := range rows[1:] {
			speed, flow := cell(t, r[3]), cell(t, r[4])
			s.add(exported{Speed: speed, Flow: flow})
		}
	case "ndjson":
		for line := range strings.Lines(string(body)) {
			var e exported
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			s.add(e)
		}
	case "geojson":
		var c struct {
			Features []struct{ Properties exported }
		}
		if err := json.Unmarshal(body, &c); err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Features {
			s.add(f.Properties)
		}
	default:
		rows, err := parquet.Read[exported](bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			s.add(r)
		}
	}
	return s
}

func cell(t *testing.T, text string) *float64 {
	t.Helper()
	if text == "" {
		return nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return &x
}

var formats = map[string]string{
	"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson",
	"geojson": "application/geo+json", "parquet": "application/vnd.apache.parquet",
}

func TestExportsHoldTheSameInEveryFormat(t *testing.T) {
	c, token := begun(t, line(3)...)
	var rs []traffic.Reading
	for i := range 5000 { // more than a piece
		r := reading("R000"+strconv.Itoa(i%3), i/3, float64(i%90)+0.1, float64(i))
		if i%7 == 0 {
			r.Flow = traffic.Value{}
		}
		rs = append(rs, r)
	}
	c.measure(rs...)
	want := map[string]sums{}
	for _, r := range rs {
		flow, _ := r.Flow.Get()
		for _, q := range []string{"", "&roads=R0001,R0009", "&bbox=0.0015,48,0.0025,49"} {
			if q == "" || q[1] == 'r' && r.Road == "R0001" || q[1] == 'b' && r.Road == "R0002" {
				s := want[q]
				speed := r.Speed.Or(0)
				s.add(exported{Speed: &speed, Flow: &flow})
				want[q] = s
			}
		}
	}
	const window = "?from=2026-08-24T12:00:00Z&to=2026-08-26T12:00:00Z"
	for format, media := range formats {
		for q, expected := range want {
			a := c.get("/api/export/readings"+window+q+"&format="+format, token).want(200)
			if got := sumOf(t, format, a.body); got.rows != expected.rows || got.flow != expected.flow || got.speed != expected.speed {
				t.Errorf("%s%s: %+v, want %+v", format, q, got, expected)
			}
			name := `attachment; filename="cityflow-readings-20260824T120000Z-20260826T120000Z.` + format + `"`
			if a.header.Get("Content-Type") != media || a.header.Get("Content-Disposition") != name || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: headers %v", format, a.header)
			}
		}
	}
	if a := c.get("/api/export/readings"+window, token, "Accept-Encoding", "gzip").want(200); a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a large file was not compressed: %v", a.header)
	}
}

func TestExportOfForecasts(t *testing.T) {
	c, token := begun(t, line(2)...)
	c.foresee(forecasts(0, "R0000", "R0001")...)
	c.foresee(forecasts(5, "R0000")...)
	const path = "/api/export/predictions?from=2026-08-24T12:00:00Z&to=2026-08-24T12:05:00Z&format="
	for format := range formats {
		whole, one := c.get(path+format, token).want(200), c.get(path+format+"&roads=R0001", token).want(200)
		if format == "csv" {
			if n, m := bytes.Count(whole.body, []byte("\n")), bytes.Count(one.body, []byte("\n")); n != 7 || m != 4 {
				t.Errorf("%d and %d lines, want a header and 6 and 3 rows: %s", n, m, whole.body)
			}
			continue
		}
		if n, m := sumOf(t, format, whole.body).rows, sumOf(t, format, one.body).rows; n != 6 || m != 3 {
			t.Errorf("%s: %d rows and %d of one road, want 6 and 3", format, n, m)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	c, token := begun(t)
	for query, parameter := range map[string]string{
		"":                            "from",
		"from=2026-01-01T00:00:00Z":   "to",
		"from=x&to=2026-01-01T00:00Z": "from",
		"from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z":             "to",
		"from=2025-01-01T00:00:00Z&to=2026-01-03T00:00:00Z":             "to",
		"from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&format=xlsx": "format",
		"from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&limit=5":     "parameter",
	} {
		if p := c.get("/api/export/readings?"+query, token).problem(400, "bad-parameter"); p.Parameter != parameter {
			t.Errorf("%s: %+v, want it to name %s", query, p, parameter)
		}
	}
}
