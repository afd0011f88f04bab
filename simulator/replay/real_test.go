package replay

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// cells reads a whole CSV file, independently of the code under test.
func cells(t testing.TB, path string, comma rune) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	c := csv.NewReader(r)
	c.Comma, c.FieldsPerRecord = comma, -1
	rows, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestParisHistories(t *testing.T) {
	for _, tc := range []struct {
		file, arc, from, to   string
		noFlow, noOccupancy   float64 // percent, from the README of the data
		measured, distinctSet int     // counted once, by another program
	}{
		{"champs_elysees_arc4264_2010-2022.csv.gz", "PARIS-4264", "2294", "2293", 6.0, 6.6, 107827, 107324},
		{"convention_arc5672_2010-2022.csv.gz", "PARIS-5672", "2973", "2937", 71.7, 1.4, 112745, 112244},
		{"st_antoine_arc376_2010-2022.csv.gz", "PARIS-376", "232", "219", 24.0, 27.7, 90767, 90647},
	} {
		t.Run(tc.arc, func(t *testing.T) {
			path := realdata.Path(t, "paris-counts-history", tc.file)
			var rows, measured, noFlow, noOccupancy int
			distinct, stamps := map[string]bool{}, map[string]bool{}
			var flow float64
			for _, c := range cells(t, path, ',')[1:] {
				rows++
				stamps[c[6]] = true
				if c[7] == "" {
					noFlow++
				}
				if c[8] == "" {
					noOccupancy++
				}
				if c[7] != "" || c[8] != "" {
					measured++
					distinct[c[6]] = true
				}
				q, _ := strconv.ParseFloat(c[7], 64)
				flow += q
			}
			if rows != 114320 || rows-len(stamps) != 504 {
				t.Fatalf("the file is not the one of the README: %d rows, %d repeated stamps", rows, rows-len(stamps))
			}
			near(t, "rows without q, %", 100*float64(noFlow)/float64(rows), tc.noFlow, 0.05)
			near(t, "rows without k, %", 100*float64(noOccupancy)/float64(rows), tc.noOccupancy, 0.05)

			p := play(t, config(path))
			if p.stats != (Stats{Readings: int64(measured), NoMeasurement: int64(rows - measured)}) {
				t.Errorf("%+v, want %d readings and %d without", p.stats, measured, rows-measured)
			}
			times := map[time.Time]bool{}
			var sum float64
			for _, r := range p.readings {
				times[r.At] = true
				sum += r.Flow.Or(0)
				if r.Sensor != traffic.SensorID(tc.arc) || r.Place == nil || r.Place.Label == "" {
					t.Fatalf("reading %+v", r)
				}
			}
			if measured != tc.measured || len(p.readings) != measured || len(times) != len(distinct) || len(times) != tc.distinctSet {
				t.Errorf("%d readings of %d hours; want %d of %d, recounted %d of %d",
					len(p.readings), len(times), tc.measured, tc.distinctSet, measured, len(distinct))
			}
			near(t, "sum of q", sum, flow, 1e-6*flow)
			if len(p.rejected) != 0 {
				t.Errorf("rejected: %s", rejections(p.rejected[:1]))
			}
			if len(p.roads) != 1 || string(p.roads[0].FromNode) != tc.from || string(p.roads[0].ToNode) != tc.to {
				t.Errorf("roads %+v, want the newest nodes %s -> %s", p.roads, tc.from, tc.to)
			}
		})
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Of a repeated stamp the file's first row comes first: it is the one that counts
// downstream.
func TestRepeatedStampsKeepTheOrderOfTheFile(t *testing.T) {
	path := realdata.Path(t, "paris-counts-history", "champs_elysees_arc4264_2010-2022.csv.gz")
	type value struct{ q, k string }
	want := map[string][]value{}
	for _, c := range cells(t, path, ',')[1:] {
		if c[7] != "" || c[8] != "" {
			want[c[6]] = append(want[c[6]], value{c[7], c[8]})
		}
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]traffic.Reading{}
	for _, r := range play(t, config(path)).readings {
		end := r.At.Add(time.Hour).In(paris).Format("2006-01-02 15:04:05")
		got[end] = append(got[end], r)
	}
	repeated, conflicting := 0, 0
	for stamp, vs := range want {
		if len(vs) < 2 {
			continue
		}
		repeated++
		if vs[0] != vs[1] {
			conflicting++
		}
		for i, v := range vs {
			if i >= len(got[stamp]) {
				t.Fatalf("%s: %d rows, %d readings", stamp, len(vs), len(got[stamp]))
			}
			q, _ := strconv.ParseFloat(v.q, 64)
			k, _ := strconv.ParseFloat(v.k, 64)
			r := got[stamp][i]
			near(t, stamp+" q", r.Flow.Or(0), q, 0)
			near(t, stamp+" k", r.Occupancy.Or(0), k/100, 1e-12)
		}
	}
	// 504 repeated and 84 conflicting by the README; one pair has no measurement.
	if repeated < 500 || conflicting < 80 {
		t.Errorf("%d repeated stamps with values, %d conflicting", repeated, conflicting)
	}
}

func TestParisRawForms(t *testing.T) {
	raw := func(name string) string { return realdata.Path(t, "paris-counts-raw", name) }
	for _, tc := range []struct {
		path         string
		rows         int64 // from the README
		sensors      int
		withGeometry bool
	}{
		{path: raw("exports_v21_2026-08-31_33arcs_2h.csv"), rows: 66, sensors: 33},
		{path: raw("records_v21_2026-07-30T22_26arcs.json"), rows: 26, sensors: 26, withGeometry: true},
		{path: raw("raw-labels-fr_arc5671_convention_2021-11_2022-12.csv.gz"), rows: 9294, sensors: 1, withGeometry: true},
		{path: raw("raw-labels-fr_arc191_sts-peres_2021-11_2022-12.csv.gz"), rows: 9260, sensors: 1, withGeometry: true},
		{path: raw("raw-labels-fr_arc4264_champs-elysees_2022.csv.gz"), rows: 7655, sensors: 1, withGeometry: true},
	} {
		p := play(t, config(tc.path))
		name := filepath.Base(tc.path)
		if p.stats.Rows() != tc.rows || p.stats.Rejected != 0 || p.stats.Readings == 0 {
			t.Errorf("%s: %+v, want %d rows", name, p.stats, tc.rows)
		}
		seen := map[traffic.SensorID]bool{}
		for _, r := range p.readings {
			seen[r.Sensor] = true
			if r.Speed.Known() {
				t.Fatalf("%s: a loop count has a speed: %+v", name, r)
			}
		}
		if len(p.roads) > tc.sensors || len(seen) > tc.sensors || len(seen) == 0 {
			t.Errorf("%s: %d roads, %d sensors, want at most %d", name, len(p.roads), len(seen), tc.sensors)
		}
		for _, road := range p.roads {
			if tc.withGeometry && (road.Geometry == nil || !road.Lat.Known() || road.LengthM.Or(0) < 10) {
				t.Errorf("%s: road without geometry: %+v", name, road)
			}
			if road.Label == "" || road.FromNode == "" || road.ToNode == "" {
				t.Errorf("%s: road without description: %+v", name, road)
			}
		}
	}
}

func TestStrayQuoteInTheHeaderChangesNothing(t *testing.T) {
	broken := realdata.Path(t, "paris-counts-raw", "raw-labels-fr_arc4264_champs-elysees_2022.stray-quote-in-header.csv.gz")
	whole := realdata.Path(t, "paris-counts-raw", "raw-labels-fr_arc4264_champs-elysees_2022.csv.gz")
	a, b := play(t, config(broken)), play(t, config(whole))
	if len(a.readings) != 6663 || len(a.rejected) != 0 {
		t.Errorf("%d readings, %d rejected", len(a.readings), len(a.rejected))
	}
	if briefs(a.readings) != briefs(b.readings) {
		t.Error("the two copies give different readings")
	}
}

func TestExcerptOfSplitDates(t *testing.T) {
	path := realdata.Path(t, "paris-counts-69arcs-excerpt", "comptages_separer.csv.gz")
	rows := cells(t, path, ';')[1:]
	p := play(t, config(path))
	if len(rows) != 18277 || p.stats != (Stats{Readings: 18277}) || len(p.roads) != 69 {
		t.Errorf("%d rows, %+v, %d roads; the README has 18,277 rows of 69 arcs", len(rows), p.stats, len(p.roads))
	}
	type key struct {
		arc string
		at  time.Time
	}
	got := map[key]traffic.Reading{}
	for _, r := range p.readings {
		got[key{string(r.Sensor), r.At}] = r
	}
	if len(got) != len(rows) {
		t.Errorf("%d distinct (arc, hour), want %d", len(got), len(rows))
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range rows {
		end, err := time.ParseInLocation("02/01/2006 15:04:05", c[2]+" "+c[3], paris)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := got[key{"PARIS-" + c[0], end.Add(-time.Hour).UTC()}]
		if !ok || c[4] != "" && strconv.FormatFloat(r.Flow.Or(-1), 'f', 1, 64) != c[4] {
			t.Fatalf("row %v became %+v", c, r)
		}
	}
	if p.roads[0].Lng.Or(0) < 2 || p.roads[0].Lat.Or(0) < 48 {
		t.Errorf("the split position was not put together: %+v", p.roads[0])
	}
}

func TestLosAngelesWide(t *testing.T) {
	path := realdata.Path(t, "los-loop-metr-la-week1", "los_speed_day1-5.csv.gz")
	cfg := config(path)
	cfg.Units, cfg.Start, cfg.Step, cfg.TZ = "mph", "2012-03-01", 5*time.Minute, "America/Los_Angeles"
	cfg.Places = realdata.Path(t, "los-loop-metr-la-week1", "graph_sensor_locations.csv")
	p := play(t, cfg)
	if p.stats != (Stats{Readings: 298080}) || len(p.readings) != 298080 {
		t.Errorf("%+v, want the 1,440 x 207 values of the README", p.stats)
	}
	table := cells(t, path, ',')
	begin := time.Date(2012, 3, 1, 8, 0, 0, 0, time.UTC) // midnight in Los Angeles
	for i, r := range p.readings {
		line, col := i/207, i%207
		mph, err := strconv.ParseFloat(table[line+1][col], 64)
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Sensor) != table[0][col] || !r.At.Equal(begin.Add(time.Duration(line)*5*time.Minute)) {
			t.Fatalf("reading %d: %s", i, brief(&r))
		}
		if math.Abs(r.Speed.Or(-1)-mph*1.609344) > 1e-9 {
			t.Fatalf("reading %d: %s mph became %s km/h", i, table[line+1][col], r.Speed)
		}
	}
	if len(p.roads) != 207 || p.roads[0].ID != "773869" || p.roads[0].Lat != traffic.Some(34.15497) {
		t.Errorf("%d roads, first %+v", len(p.roads), p.roads[0])
	}
	if pl := p.readings[0].Place; pl == nil || pl.Lng != traffic.Some(-118.31829) {
		t.Errorf("place %+v", pl)
	}
}

func TestMelbourneSCATS(t *testing.T) {
	path := realdata.Path(t, "melbourne-scats-2006", "scats_volumes_2006-10-01_22.csv.gz")
	cfg := config(path)
	cfg.TZ = "Australia/Melbourne"
	p := play(t, cfg)
	if p.stats.Rejected != 0 || p.stats.Rows() != 3035*96 {
		t.Errorf("%+v, want 3,035 approach-days of 96 slots", p.stats)
	}
	sensors := map[traffic.SensorID]bool{}
	for _, r := range p.readings {
		sensors[r.Sensor] = true
	}
	if len(sensors) != 140 { // 139 approaches, one of them with two detectors
		t.Errorf("%d detectors", len(sensors))
	}
	// The first data row: 0970 WARRIGAL_RD, 1/10/06, V00 = 86 vehicles.
	for _, r := range p.readings {
		if r.Sensor == "0970-249" {
			same(t, brief(&r), "2006-09-30T14:00:00 0970-249 - 344 -")
			return
		}
	}
	t.Error("0970-249 is missing")
}

func TestLongTablesByName(t *testing.T) {
	aarhus := config(realdata.Path(t, "aarhus-citypulse-one-sensor", "trafficData158324.csv.gz"))
	aarhus.Columns, aarhus.TZ = "ts=TIMESTAMP,sensor=REPORT_ID,speed=avgSpeed", "Europe/Copenhagen"
	p := play(t, aarhus)
	if p.stats != (Stats{Readings: 12162}) {
		t.Errorf("Aarhus: %+v, want the 12,162 rows of the README", p.stats)
	}
	same(t, brief(&p.readings[0]), "2014-08-01T05:50:00 158324 50 - -")

	minnesota := config(realdata.Path(t, "mndot-nab", "speed_6005.csv"))
	minnesota.Columns, minnesota.Units, minnesota.TZ = "ts=timestamp,speed=value", "mph", "America/Chicago"
	p = play(t, minnesota)
	if p.stats != (Stats{Readings: 2500}) {
		t.Errorf("Minnesota speed: %+v, want 2,500 rows", p.stats)
	}
	same(t, brief(&p.readings[0]), "2015-08-31T23:22:00 speed_6005 144.84096 - -")

	minnesota = config(realdata.Path(t, "mndot-nab", "occupancy_6005.csv"))
	minnesota.Columns, minnesota.Units, minnesota.TZ = "ts=timestamp,occupancy=value", "%", "America/Chicago"
	p = play(t, minnesota)
	if p.stats != (Stats{Readings: 2380}) {
		t.Errorf("Minnesota occupancy: %+v, want 2,380 rows", p.stats)
	}
	near(t, "occupancy", p.readings[0].Occupancy.Or(-1), 0.0306, 1e-12)

	bikes := config(realdata.Path(t, "paris-bike-counters", "bike_counts_2020-09_2021-05.csv.gz"))
	bikes.Columns = "ts=t,sensor=counter_id,flow=bike_count"
	bikes.Places = realdata.Path(t, "paris-bike-counters", "counters.csv")
	// Its 361,083 stamps hold an hour that Paris did not have: they are not Paris time,
	// and the rejections say so.
	bikes.TZ = "Europe/Paris"
	p = play(t, bikes)
	if len(p.roads) != 56 || p.roads[0].Label == "" {
		t.Errorf("bicycles: %d roads, want 56 counters with names", len(p.roads))
	}
	if p.stats != (Stats{Readings: 361029, Rejected: 54}) || !strings.Contains(p.rejected[0].Detail, "Europe/Paris jump over 2021-03-28 02:00:00") {
		t.Errorf("bicycles as Paris time: %+v, %v", p.stats, rejections(p.rejected[:1]))
	}
}

// All of the bench's files at once: the merge is complete and in order, and the
// process stays small.
func TestEverythingAtOnce(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(realdata.Path(t, "paris-counts-history"), "*.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(append(files, realdata.Path(t, "los-loop-metr-la-week1", "los_speed_day1-5.csv.gz"))...)
	cfg.Units, cfg.Start, cfg.Step = "mph", "2012-03-01", 5*time.Minute
	s, err := Open(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Roads(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if mb := mem.HeapAlloc >> 20; mb > 40 {
		t.Errorf("%d MiB are live with everything loaded", mb)
	}
	got := int64(0)
	if err := s.Run(t.Context(), count(&got)); err != nil {
		t.Fatal(err)
	}
	if got != 107827+112745+90767+298080 {
		t.Errorf("%d readings", got)
	}
	runtime.KeepAlive(s)
}

func BenchmarkParisHistory(b *testing.B) {
	path := realdata.Path(b, "paris-counts-history", "champs_elysees_arc4264_2010-2022.csv.gz")
	b.ReportAllocs()
	for b.Loop() {
		s, err := Open(config(path), Deps{})
		if err != nil {
			b.Fatal(err)
		}
		n := int64(0)
		if err := s.Run(b.Context(), count(&n)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(114320*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkNDJSON(b *testing.B) {
	var text bytes.Buffer
	const n = 100000
	for i := range n {
		at := now.Add(time.Duration(i-n) * time.Second).Format(time.RFC3339)
		text.WriteString(`{"ts":"` + at + `","sensor_id":"PARIS-4521","road_id":"PARIS-4521","speed_kmh":31.5,"flow_rate":840,"occupancy":0.17,"label":"Bd Voltaire","lat":48.858,"lng":2.379}` + "\n")
	}
	path := write(b, "x.ndjson", text.String())
	for b.Loop() {
		s, err := Open(config(path), Deps{})
		if err != nil {
			b.Fatal(err)
		}
		got := int64(0)
		if err := s.Run(b.Context(), count(&got)); err != nil || got != n {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
}
