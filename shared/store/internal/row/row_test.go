package row

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestTextIsStorable(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Rue « É »": "Rue « É »", "a\x00b": "a\uFFFDb", "\xff": "\uFFFD", "\xe2\x82": "\uFFFD", "\t\n": "\t\n",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		got := Text(in)
		if !utf8.ValidString(got) || strings.ContainsRune(got, 0) || Text(got) != got {
			t.Fatalf("Text(%q) = %q", in, got)
		}
	})
}

// A whole microsecond is within Range(from, to) exactly when it is within [from, to).
func TestRangeAgreesWithTime(t *testing.T) {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-3, 3).Draw(t, "s"), rapid.Int64Range(0, 3000).Draw(t, "ns"))
	})
	rapid.Check(t, func(t *rapid.T) {
		from, to := moment.Draw(t, "from"), moment.Draw(t, "to")
		at := Time(Micros(moment.Draw(t, "at")))
		lo, hi := Range(from, to)
		got := Micros(at) >= lo && Micros(at) < hi
		if want := !at.Before(from) && at.Before(to); got != want {
			t.Fatalf("%s in [%s, %s): %v, want %v", at, from, to, got, want)
		}
	})
	if lo, hi := Range(time.Time{}, time.Time{}); lo != math.MinInt64 || hi != math.MaxInt64 {
		t.Errorf("open range is [%d, %d)", lo, hi)
	}
}

func TestCut(t *testing.T) {
	key := func(n *int) []any { return []any{*n} }
	for _, tt := range []struct {
		in, want []int
		more     bool
	}{
		{nil, nil, false},
		{[]int{1, 2}, []int{1, 2}, false},
		{[]int{1, 2, 3}, []int{1, 2}, true},
	} {
		got, next, err := Cut(tt.in, 2, key)
		if err != nil || !reflect.DeepEqual(got, tt.want) || (next != "") != tt.more {
			t.Errorf("Cut(%v, 2) = %v, %q, %v", tt.in, got, next, err)
		}
		var last int
		if tt.more && (next.Parse(&last) != nil || last != 2) {
			t.Errorf("the cursor names %d, want 2", last)
		}
	}
	_, _, err := Cut([]float64{math.NaN(), 1}, 1, func(f *float64) []any { return []any{*f} })
	if err == nil {
		t.Error("a key that cannot be encoded made a cursor")
	}
}

func TestOffersKeepTheFirst(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 999) }
	in := []traffic.Reading{
		{At: at(9), Sensor: "b", Road: "first"},
		{At: at(3), Sensor: "b"},
		{At: at(1), Sensor: "c"},
		{At: at(9).Add(-999), Sensor: "b", Road: "second"}, // the same microsecond
		{At: at(2), Sensor: "a"},
	}
	block := func(us int64) int64 { return us / 5_000_000 }
	var got []int
	for _, o := range Offers(in, block) {
		got = append(got, o.Order)
	}
	if want := []int{4, 1, 2, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("offers in the order %v, want %v", got, want)
	}
}

func TestPredictionsAreSortedAndLastWins(t *testing.T) {
	p := func(sec int64, road traffic.RoadID, score float64) traffic.Prediction {
		return traffic.Prediction{At: time.Unix(sec, 0), Road: road, HorizonMin: 5, Model: "m", Score: score}
	}
	in := []traffic.Prediction{p(2, "a", 1), p(1, "b", 2), p(1, "a\x00", 3), p(1, "b", 4)}
	got, err := Predictions(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := []traffic.Prediction{p(1, "a\uFFFD", 3), p(1, "b", 4), p(2, "a", 1)}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if in[0].Score != 1 || in[2].Road != "a\x00" {
		t.Error("the caller's predictions were changed")
	}
}

func TestDigestTellsContentsApart(t *testing.T) {
	base := traffic.Rejected{At: time.Unix(1, 0), Edge: "e", Origin: "o", Payload: []byte("p"), Reason: "r", Detail: "d"}
	others := []traffic.Rejected{base, base, base, base, base, base, base}
	others[0].At = time.Unix(1, 1000)
	others[1].Edge = "e2"
	others[2].Origin = "ox"
	others[3].Payload = nil
	others[4].Reason = "rr"
	others[5].Detail = ""
	others[6].Edge, others[6].Origin = "eo", "" // the same letters in a row
	seen := map[string]bool{string(Digest(&base)): true}
	for i := range others {
		d := string(Digest(&others[i]))
		if seen[d] || len(d) != 16 {
			t.Errorf("digest %x of #%d is not its own", d, i)
		}
		seen[d] = true
	}
	base.ID = "7" // given by a store, not part of what was refused
	if !seen[string(Digest(&base))] {
		t.Error("the digest depends on the id")
	}
}

func TestGeometryRoundTrip(t *testing.T) {
	coordinate := rapid.Float64Range(-180, 180)
	point := rapid.Custom(func(t *rapid.T) traffic.Point {
		return traffic.Point{Lat: coordinate.Draw(t, "lat"), Lng: coordinate.Draw(t, "lng")}
	})
	parts := rapid.SliceOfN(rapid.SliceOf(point), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		in := parts.Draw(t, "parts")
		text, err := Geometry(in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := ParseGeometry(text)
		if err != nil || len(out) != len(in) {
			t.Fatalf("%s: %v", text, err)
		}
		for i := range in {
			if len(in[i]) != len(out[i]) || (len(in[i]) > 0 && !reflect.DeepEqual(in[i], out[i])) {
				t.Fatalf("part %d: %v, want %v", i, out[i], in[i])
			}
		}
	})
	if _, err := ParseGeometry("{"); err == nil {
		t.Error("half a geometry was read")
	}
	if text, err := Geometry(nil); text != "" || err != nil {
		t.Errorf("no geometry is %q, %v", text, err)
	}
}

func TestLimit(t *testing.T) {
	for in, want := range map[int]int{0: store.DefaultLimit, -1: store.DefaultLimit, 1: 1, 1_000_000: 1_000_000} {
		if got := Limit(store.Page{Limit: in}); got != want {
			t.Errorf("Limit(%d) = %d, want %d", in, got, want)
		}
	}
	if err := store.Cursor("?").Parse(); !errors.Is(err, store.ErrCursor) {
		t.Error(err)
	}
}
