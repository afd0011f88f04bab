package wallclock

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func paris(t testing.TB) *time.Location { return zone(t, "Europe/Paris") }

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestParseForms(t *testing.T) {
	c := New(paris(t))
	for in, want := range map[string]string{
		"2026-07-30T22:00:00+00:00":     "2026-07-30T22:00:00Z",
		"2022-01-02T22:00:00+01:00":     "2022-01-02T21:00:00Z",
		"2026-07-30 22:00:00Z":          "2026-07-30T22:00:00Z",
		"2010-04-24 01:00:00":           "2010-04-23T23:00:00Z",
		"2014-08-01T07:50:00":           "2014-08-01T05:50:00Z",
		"2014-08-01 07:50":              "2014-08-01T05:50:00Z",
		"2014-01-01":                    "2013-12-31T23:00:00Z",
		"6/11/2023 06:00:00":            "2023-11-06T05:00:00Z",
		"06/11/2023 06:00":              "2023-11-06T05:00:00Z",
		"2014-01-01 00:00:00.1234567":   "2013-12-31T23:00:00.123456Z",
		"1330560000":                    "2012-03-01T00:00:00Z",
		"1330560000.25":                 "2012-03-01T00:00:00.25Z",
		"1330560000123":                 "2012-03-01T00:00:00.123Z",
		"1330560000123456":              "2012-03-01T00:00:00.123456Z",
		"2026-07-30T22:00:00.000-03:30": "2026-07-31T01:30:00Z",
	} {
		got, err := c.Parse(in)
		if err != nil {
			t.Errorf("Parse(%q): %v", in, err)
			continue
		}
		if s := got.Format(time.RFC3339Nano); s != want {
			t.Errorf("Parse(%q) = %s, want %s", in, s, want)
		}
		if got.Location() != time.UTC {
			t.Errorf("Parse(%q) is in %s", in, got.Location())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	c := New(paris(t))
	for _, in := range []string{
		"", "yesterday", "2022-13-01 00:00:00", "2022-02-30 10:00:00", "24/12", "12345", "-330560000",
		"2022-01-01 25:00:00", "37708.0", "31/31/2022 10:00", "1330560000.x",
	} {
		if got, err := c.Parse(in); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", in, got)
		}
	}
}

func TestClockChanges(t *testing.T) {
	for _, tc := range []struct{ zone, in, want string }{
		// Autumn: 02:00 to 02:59 comes twice and is the second one.
		{"Europe/Paris", "2022-10-30 01:59:59", "2022-10-29T23:59:59Z"},
		{"Europe/Paris", "2022-10-30 02:00:00", "2022-10-30T01:00:00Z"},
		{"Europe/Paris", "2022-10-30 02:59:59", "2022-10-30T01:59:59Z"},
		{"Europe/Paris", "2022-10-30 03:00:00", "2022-10-30T02:00:00Z"},
		// Spring: 02:00 to 02:59 does not exist.
		{"Europe/Paris", "2022-03-27 01:59:59", "2022-03-27T00:59:59Z"},
		{"Europe/Paris", "2022-03-27 02:00:00", ""},
		{"Europe/Paris", "2022-03-27 02:59:59", ""},
		{"Europe/Paris", "2022-03-27 03:00:00", "2022-03-27T01:00:00Z"},
		// A change of half an hour, in the other hemisphere.
		{"Australia/Lord_Howe", "2022-04-03 01:45:00", "2022-04-02T15:15:00Z"},
		{"Australia/Lord_Howe", "2022-10-02 02:15:00", ""},
		{"America/Los_Angeles", "2012-03-11 02:30:00", ""},
		{"UTC", "2022-03-27 02:30:00", "2022-03-27T02:30:00Z"},
	} {
		got, err := New(zone(t, tc.zone)).Parse(tc.in)
		switch {
		case tc.want == "" && err == nil:
			t.Errorf("%s %s = %s, but does not exist", tc.zone, tc.in, got)
		case tc.want == "" && !strings.Contains(err.Error(), tc.zone):
			t.Errorf("the error does not name the zone: %v", err)
		case tc.want != "" && err != nil:
			t.Errorf("%s %s: %v", tc.zone, tc.in, err)
		case tc.want != "" && got.Format(time.RFC3339) != tc.want:
			t.Errorf("%s %s = %s, want %s", tc.zone, tc.in, got.Format(time.RFC3339), tc.want)
		}
	}
}

// Every instant, written as wall-clock time, is read as itself or, where its
// wall-clock time comes twice, as the later of the two.
func TestWallClockRoundTrip(t *testing.T) {
	zones := []string{"Europe/Paris", "America/Los_Angeles", "Australia/Melbourne", "Australia/Lord_Howe", "Asia/Kathmandu"}
	rapid.Check(t, func(rt *rapid.T) {
		loc := zone(t, rapid.SampledFrom(zones).Draw(rt, "zone"))
		sec := rapid.Int64Range(1_000_000_000, 2_000_000_000).Draw(rt, "seconds")
		want := time.Unix(sec, 0).In(loc)
		text := want.Format("2006-01-02 15:04:05")
		got, err := New(loc).Parse(text)
		if err != nil {
			rt.Fatalf("%s in %s: %v", text, loc, err)
		}
		if again := got.In(loc).Format("2006-01-02 15:04:05"); again != text {
			rt.Fatalf("%s in %s was read as %s", text, loc, again)
		}
		if got.Before(want) {
			rt.Fatalf("%s in %s was read as the earlier one", text, loc)
		}
		if d := got.Sub(want); d != 0 && d != time.Hour && d != 30*time.Minute {
			rt.Fatalf("%s in %s is off by %s", text, loc, d)
		}
	})
}

func TestDate(t *testing.T) {
	for in, want := range map[string]string{"1/10/06": "2006-10-01", "22/10/2006": "2006-10-22", "2006-10-22": "2006-10-22"} {
		got, err := Date(in)
		if err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("Date(%q) = %s, %v", in, got, err)
		}
	}
	if _, err := Date("10/31/06"); err == nil {
		t.Error("a month-first date was taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"2022-10-30 02:00:00", "1330560000.25", "6/11/2023 06:00", "2026-07-30T22:00:00+00:00", "9999999999999999"} {
		f.Add(s)
	}
	loc := paris(f)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := New(loc).Parse(s)
		if err == nil && !got.Equal(got.Truncate(time.Microsecond)) {
			t.Errorf("%q: %s is finer than a microsecond", s, got)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	c := New(paris(b))
	for b.Loop() {
		if _, err := c.Parse("2010-04-24 01:00:00"); err != nil {
			b.Fatal(err)
		}
	}
}
