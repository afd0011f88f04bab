package replay

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
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestFilesThatCannotBeUsed(t *testing.T) {
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	if _, err := g.Write(bytes.Repeat([]byte(history), 1000)); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(gz.Bytes())
	copy(damaged[len(damaged)/2:], "damage")
	for _, tc := range []struct{ name, text, want string }{
		{"empty.csv", "", "the file is empty"},
		{"blank.csv", "\n\n", "blank"},
		{"page.csv", "<!DOCTYPE html>\n<html>", "web page"},
		{"book.csv", "PK\x03\x04......", "save it as CSV"},
		{"utf16.csv", "\xff\xfei\x00u\x00", "UTF-16"},
		{"binary.csv", "a,b\n\x00\x01\x02", "not text"},
		{"cut.csv.gz", gz.String()[:gz.Len()/2], "breaks off before its end"},
		{"damaged.csv.gz", string(damaged), "damaged"},
		{"header.gz", "\x1f\x8bxxxxxxxxxx", "open gzip"},
		{"unknown.csv", "a,b,c\n1,2,3\n", "columns found: a, b, c; wanted: the columns of Paris counts"},
		{"value.csv", "timestamp,value\n2015-09-01 13:45:00,3\n", `column "value" does not look like a sensor`},
		{"reference.csv", "iu_ac;libelle;iu_nd_amont\n1;a;2\n", "columns found: iu_ac, libelle, iu_nd_amont; wanted: iu_ac (Identifiant arc), t_1h"},
		{"cut.json", `{"total_count":1,"results":[{"iu_ac":"1","t_1h":"2026-07-30T22:00:00+00:00","q":1},`, "breaks off"},
		{"quota.json", `{"error":"too many requests"}`, "none of the 1 rows can be used"},
		{"allbad.csv", "iu_ac,t_1h,q\n1,soon,5\n2,later,6\n", `none of the 2 rows can be used; the first: `},
	} {
		_, err := tryPlay(t, config(write(t, tc.name, tc.text)))
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.name) {
			t.Errorf("%s: got %v; want the file and %q", tc.name, err, tc.want)
		}
	}
	if _, err := Open(config(filepath.Join(t.TempDir(), "absent.csv")), Deps{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	cfg := config(write(t, "x.csv", "when,v\n2020-01-01,1\n"))
	cfg.Columns = "ts=when,speed=velocity"
	if _, err := Open(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), "columns found: when, v; wanted: velocity (the speed column)") {
		t.Errorf("missing column: %v", err)
	}
}

// All files that are wrong are named at once.
func TestOpenNamesEveryBadFile(t *testing.T) {
	_, err := Open(config(write(t, "a.csv", "x\n"), write(t, "good.csv", history), write(t, "b.csv", "")), Deps{})
	if err == nil || !strings.Contains(err.Error(), "a.csv") || !strings.Contains(err.Error(), "b.csv") || strings.Contains(err.Error(), "good.csv") {
		t.Errorf("got %v", err)
	}
}

func TestBadRowsAreListedAndTheirNeighboursKept(t *testing.T) {
	good := func(hour int) string { return fmt.Sprintf("4264,x,2010-04-24 %02d:00:00,%d,1,\n", hour, hour) }
	long := strings.Repeat("x", maxLine+5)
	text := "iu_ac,libelle,t_1h,q,k,etat\n" + // line 1
		good(1) +
		"4264,x,2010-04-24 02:00:00,lots,1,\n" + // 3
		good(3) +
		"4264,x,24 avril,5,1,\n" + // 5
		good(5) +
		"4264,x,2010-04-24 06:00:00,25000,1,\n" + // 7
		"4264,x,2010-04-24 06:00:00,5,101,\n" + // 8
		"4264,x,2010-04-24 06:00:00,-5,1,\n" + // 9
		"4264,x,2010\n" + // 10
		`4264,"x,2010-04-24 06:00:00,5,1,` + "\n" + // 11: a quote that would swallow all that follows
		good(7) +
		`4264,x"y"z,2010-04-24 06:00:00,5,1,` + "\n" + // 13
		",x,2010-04-24 06:00:00,5,1,\n" + // 14
		"4264,x,2010-03-28 02:00:00,5,1,\n" + // 15: does not exist
		"4264," + long + ",2010-04-24 06:00:00,5,1,\n" + // 16
		"4264,x,2030-04-24 06:00:00,5,1,\n" + // 17: the future
		good(8)
	p := play(t, config(write(t, "x.csv", text)))
	same(t, briefs(p.readings), `2010-04-23T22:00:00 PARIS-4264 - 1 0.01
		2010-04-24T00:00:00 PARIS-4264 - 3 0.01
		2010-04-24T02:00:00 PARIS-4264 - 5 0.01
		2010-04-24T04:00:00 PARIS-4264 - 7 0.01
		2010-04-24T05:00:00 PARIS-4264 - 8 0.01`)
	want := []string{
		"x.csv:3 unparsable: q: \"lots\"", "x.csv:5 bad_time: t_1h: \"24 avril\"", "x.csv:7 out_of_range: flow_rate: 25000",
		"x.csv:8 out_of_range: occupancy: 1.01", "x.csv:9 out_of_range: flow_rate: -5", "x.csv:10 unparsable: the row has 3 fields, the header 6",
		"x.csv:11 unparsable: a quote is opened", "x.csv:13 unparsable: bare", "x.csv:14 bad_id", "x.csv:15 bad_time",
		"x.csv:16 too_large", "x.csv:17 future",
	}
	got := map[string]bool{}
	for line := range strings.Lines(rejections(p.rejected)) {
		for _, w := range want {
			if strings.HasPrefix(line, w) {
				got[w] = true
			}
		}
	}
	for _, w := range want {
		if !got[w] {
			t.Errorf("missing: %s\nin:\n%s", w, rejections(p.rejected))
		}
	}
	if len(p.rejected) != len(want) {
		t.Errorf("%d rejections, want %d:\n%s", len(p.rejected), len(want), rejections(p.rejected))
	}
	for _, r := range p.rejected {
		if len(r.Payload) > traffic.MaxRejectedPayload || r.At.IsZero() || len(r.Payload) == 0 {
			t.Errorf("record %+v", r)
		}
	}
}

func TestMoreRowsThanFitInMemory(t *testing.T) {
	var sorted, unsorted strings.Builder
	sorted.WriteString("ts,v\n")
	unsorted.WriteString("ts,v\n")
	for i := range 30 {
		fmt.Fprintf(&sorted, "2022-01-01T00:%02d:00Z,%d\n", i, i)
		fmt.Fprintf(&unsorted, "2022-01-01T00:%02d:00Z,%d\n", 59-i, i)
	}
	cfg := config(write(t, "sorted.csv", sorted.String()), write(t, "more.csv", sorted.String()))
	cfg.Columns, cfg.MaxRows = "ts=ts,speed=v", 10
	p := play(t, cfg)
	if len(p.readings) != 60 || p.stats.Readings != 60 {
		t.Errorf("%d readings", len(p.readings))
	}
	for i, r := range p.readings {
		want := []traffic.SensorID{"sorted", "more"}[i%2]
		if r.Sensor != want || r.Speed != traffic.Some(float64(i/2)) {
			t.Fatalf("reading %d: %s", i, brief(&r))
		}
	}
	cfg.Files = []string{write(t, "unsorted.csv", unsorted.String())}
	if _, err := tryPlay(t, cfg); !errors.Is(err, errUnsorted) || !strings.Contains(err.Error(), "unsorted.csv") {
		t.Errorf("got %v", err)
	}
	late := sorted.String() + "2022-01-01T00:00:00Z,5\n"
	cfg.Files = []string{write(t, "late.csv", late)}
	if _, err := tryPlay(t, cfg); !errors.Is(err, errUnsorted) || !strings.Contains(err.Error(), "late.csv:32") {
		t.Errorf("got %v", err)
	}
}

func TestRunStopsWithItsContextAndPassesErrorsOn(t *testing.T) {
	path := write(t, "x.csv", history)
	cfg := config(path)
	cfg.Speed = "1"
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(cfg, Deps{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got := int64(0)
		if err := s.Run(ctx, count(&got)); err != nil || got != 1 {
			t.Errorf("after a minute of two hours: %d readings, %v", got, err)
		}
		start := time.Now()
		if err := s.Run(t.Context(), count(&got)); err != nil || got != 4 || time.Since(start) != time.Hour {
			t.Errorf("the whole: %d readings in %s, %v", got, time.Since(start), err)
		}
		full := errors.New("full")
		if err := s.Run(t.Context(), func(context.Context, []traffic.Reading) error { return full }); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	s, err := Open(config(write(t, "x.csv", history+"4264,x,a,b,c,d,e,1,1,1,1\n")), Deps{Reg: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), count(new(int64))); err != nil {
		t.Fatal(err)
	}
	want := `# HELP cityflow_replay_rows_total Rows read from replayed files; rejected ones are listed with file:line.
# TYPE cityflow_replay_rows_total counter
cityflow_replay_rows_total{outcome="no_measurement"} 1
cityflow_replay_rows_total{outcome="reading"} 3
cityflow_replay_rows_total{outcome="rejected"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "cityflow_replay_rows_total"); err != nil {
		t.Error(err)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"file: none given":                                func(c *Config) { c.Files = nil },
		"speed: speed \"quick\": want max":                func(c *Config) { c.Speed = "quick" },
		"tz: \"Paris\": want an IANA zone":                func(c *Config) { c.TZ = "Paris" },
		"tz: \"Local\"":                                   func(c *Config) { c.TZ = "Local" },
		"units: \"knots\": want kmh, mph":                 func(c *Config) { c.Units = "knots" },
		"units: \"veh/0min\"":                             func(c *Config) { c.Units = "veh/0min" },
		"\"mph\" and \"kmh\" both say":                    func(c *Config) { c.Units = "mph,kmh" },
		"columns: \"when\"":                               func(c *Config) { c.Columns = "when=x" },
		"columns: \"v\": want role=column":                func(c *Config) { c.Columns = "ts=a,v" },
		"has no ts":                                       func(c *Config) { c.Columns = "speed=v" },
		"has no quantity":                                 func(c *Config) { c.Columns = "ts=v" },
		"speed is named twice":                            func(c *Config) { c.Columns = "ts=a,speed=v,speed=w" },
		"start: \"2012-03-01\" without a step":            func(c *Config) { c.Start = "2012-03-01" },
		"start: \"March\": want a time":                   func(c *Config) { c.Start, c.Step = "March", time.Minute },
		"start: step -1s":                                 func(c *Config) { c.Step = -time.Second },
		"stamp: \"middle\": want begin or end":            func(c *Config) { c.Stamp = "middle" },
		"stamp: \"end\" without a step":                   func(c *Config) { c.Stamp = "end" },
		"max-rows: 0: want 1":                             func(c *Config) { c.MaxRows = 0 },
		"speed: speed \"\"":                               func(c *Config) { c.Speed = "" },
		"columns: \"colour\": want one of ts, sensor, fl": func(c *Config) { c.Columns = "ts=a,colour=b" },
	} {
		c := config("x.csv")
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := config("x.csv").Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
}
