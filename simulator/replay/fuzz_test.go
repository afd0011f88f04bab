package replay

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Whatever a file holds: no panic, only valid readings, in time order, and every
// rejection names file and line.
func FuzzFile(f *testing.F) {
	f.Add([]byte(history), "", "")
	f.Add([]byte("time,a,b\n2022-01-01 02:00,3,4\n2022-01-01 01:00,1,\n"), "", "mph")
	f.Add([]byte("when;v;q\n2022-01-01T10:00:00Z;36,5;15\n"), "ts=when,speed=v,flow=q", "veh/15min")
	f.Add([]byte(`{"results":[{"iu_ac":"1","t_1h":"2026-07-30T22:00:00+00:00","q":1}]}`), "", "")
	f.Add([]byte(`{"ts":"2026-03-02T08:04:00Z","sensor_id":"x","flow_rate":1}`+"\nx\n"), "", "")
	f.Add([]byte("\"iu_ac;t_1h;q\n1;2010-04-24 02:00:00;\"5\"\n"), "", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, columns, units string) {
		path := filepath.Join(dir, "x.csv")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := config(path)
		cfg.Columns, cfg.Units = columns, units
		rejected, valid := int64(0), int64(0)
		s, err := Open(cfg, Deps{Now: func() time.Time { return now }, OnRejected: func(r traffic.Rejected) {
			rejected++
			if !strings.HasPrefix(r.Origin, path+":") || r.Reason == "" || r.Detail == "" || len(r.Payload) > traffic.MaxRejectedPayload {
				t.Errorf("record %+v", r)
			}
		}})
		if err != nil {
			return
		}
		var last time.Time
		err = s.Run(t.Context(), func(_ context.Context, rs []traffic.Reading) error {
			for i := range rs {
				valid++
				if err := rs[i].Validate(now); err != nil || rs[i].At.Before(last) {
					t.Errorf("%+v after %s: %v", rs[i], last, err)
				}
				last = rs[i].At
			}
			return nil
		})
		if got := s.Stats(); err == nil && (got.Readings != valid || got.Rejected != rejected) {
			t.Errorf("%+v, but %d played and %d rejected", got, valid, rejected)
		}
	})
}

// A record never takes more than its own line: all that the CSV reader gets through
// the guard are lines with matched quotes.
func FuzzGuard(f *testing.F) {
	f.Add("a;b\n1;\"2\n3;4\n\"x;\"y\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		bad := map[int]bool{}
		g := newGuard(strings.NewReader(text), func(line int, _ []byte, _ traffic.Reason, _ string) { bad[line] = true }, func() {})
		r := csv.NewReader(g)
		r.FieldsPerRecord = -1
		last := 0
		for {
			_, err := r.Read()
			var parse *csv.ParseError
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &parse):
				if parse.StartLine != parse.Line {
					t.Fatalf("a record runs from line %d to %d", parse.StartLine, parse.Line)
				}
				continue
			case err != nil:
				t.Fatal(err)
			}
			line, _ := r.FieldPos(0)
			if line <= last || bad[line] {
				t.Fatalf("line %d after %d, left out: %v", line, last, bad[line])
			}
			if end := strings.Count(text[:r.InputOffset()-int64(strayQuote(text))], "\n"); !bad[line] && len(bad) == 0 && end > line {
				t.Fatalf("the record of line %d ends in line %d", line, end)
			}
			last = line
		}
	})
}

func strayQuote(text string) int {
	first, _, _ := strings.Cut(text, "\n")
	if strings.HasPrefix(text, `"`) && strings.Count(first, `"`)%2 == 1 {
		return 1
	}
	return 0
}

// The compact rows give back what was put in, sorted by time, ties in the order in
// which they came: the same as a stable sort of the rows themselves.
func TestRowsAgainstAStableSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Custom(func(t *rapid.T) traffic.Value {
			if rapid.Bool().Draw(t, "known") {
				return traffic.Some(rapid.Float64Range(0, 100).Draw(t, "v"))
			}
			return traffic.Value{}
		})
		n := rapid.SampledFrom([]int{0, 1, 5, blockRows - 1, blockRows + 3}).Draw(t, "n")
		span := rapid.Int64Range(1, 50).Draw(t, "span")
		seed := value.Draw(t, "speed")
		s := newRows()
		byTime := make(map[int64][]row)
		for i := range n {
			r := row{at: (int64(i)*7919 + 13) % span, sensor: uint32(i), speed: seed}
			if i%3 == 0 {
				r.flow = value.Draw(t, "flow")
			}
			if err := s.add(&r); err != nil {
				t.Fatal(err)
			}
			byTime[r.at] = append(byTime[r.at], r)
		}
		s.sort()
		i := 0
		for at := range span {
			for _, want := range byTime[at] {
				var got row
				if s.get(i, &got); got != want {
					t.Fatalf("row %d: got %+v, want %+v", i, got, want)
				}
				i++
			}
		}
		if i != s.n {
			t.Fatalf("%d rows of %d", i, s.n)
		}
	})
}

func TestGuardPassesLongLinesUpToItsBound(t *testing.T) {
	text := strings.Repeat("a", maxLine-1) + "\n" + strings.Repeat("b", maxLine) + "\nc\n"
	var bad []int
	g := newGuard(strings.NewReader(text), func(line int, _ []byte, _ traffic.Reason, _ string) { bad = append(bad, line) }, func() {})
	out, err := io.ReadAll(g)
	if err != nil || len(bad) != 1 || bad[0] != 2 {
		t.Fatalf("%v, left out %v", err, bad)
	}
	if want := strings.Repeat("a", maxLine-1) + "\n\nc\n"; !bytes.Equal(out, []byte(want)) {
		t.Errorf("%d bytes came through, want %d", len(out), len(want))
	}
}
