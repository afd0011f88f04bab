package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func testEmpty(t *testing.T, s store.Store) {
	ctx := t.Context()
	check(t, s.Ping(ctx))
	equal(t, "readings", readings(t, s, store.ReadingQuery{Road: "r"}, 10), none[traffic.Reading]())
	equal(t, "latest", states(t, s, store.RoadFilter{}, 10), none[traffic.RoadState]())
	equal(t, "roads", roads(t, s, store.RoadFilter{}, 10), none[traffic.Road]())
	equal(t, "predictions", predictions(t, s, store.PredictionQuery{}, 10), none[traffic.Prediction]())
	equal(t, "latest predictions", latestPredictions(t, s, store.PredictionQuery{}, 10), none[traffic.Prediction]())
	equal(t, "reroutes", reroutes(t, s, store.RerouteQuery{}, 10), none[traffic.Reroute]())
	equal(t, "buckets", must(s.Buckets(ctx, store.BucketQuery{From: minute(0), To: minute(60), Width: time.Minute}))(t), none[traffic.Bucket]())
	equal(t, "watermark", must(s.Watermark(ctx, minute(0)))(t), time.Time{})
	equal(t, "first since", must(s.FirstSince(ctx, time.Time{}))(t), time.Time{})
	equal(t, "last cycle", must(s.LastCycle(ctx, "m"))(t), time.Time{})
	equal(t, "users", must(s.CountUsers(ctx))(t), int64(0))
	added(t, must(s.Append(ctx, store.Delivery{}))(t), 0, 0)
	check(t, s.Accept(ctx, nil))
	check(t, s.PutRoads(ctx, nil))
	check(t, s.PutPredictions(ctx, nil))
	check(t, s.PutReroutes(ctx, minute(0), nil))
}

// none is an empty list of the right type.
func none[T any]() []T { return nil }

func testAppendThenLatest(t *testing.T, s store.Store) {
	older, newer := at(minute(0), "s1", "r1", 40), at(minute(1), "s1", "r1", 50)
	other := at(minute(0), "s2", "r2", 60)
	got := add(t, s, newer, other, older)
	added(t, got, 3, 0)
	want := []traffic.RoadState{{Reading: newer}, {Reading: other}}
	equal(t, "states in the answer", got.Latest, want)
	equal(t, "latest", states(t, s, store.RoadFilter{}, 10), want)
	equal(t, "readings", readings(t, s, store.ReadingQuery{Road: "r1"}, 10), []traffic.Reading{newer, older})
	check(t, s.Accept(t.Context(), []traffic.Reading{at(minute(2), "s1", "r1", 55)}))
	equal(t, "latest after Accept", states(t, s, store.RoadFilter{IDs: []traffic.RoadID{"r1"}}, 10),
		[]traffic.RoadState{{Reading: at(minute(2), "s1", "r1", 55)}})
}

func testReplay(t *testing.T, s store.Store) {
	var batch []traffic.Reading
	for i := range 300 {
		batch = append(batch, at(minute(i/10), fmt.Sprintf("s%d", i%10), fmt.Sprintf("r%d", i%7), float64(i)))
	}
	added(t, add(t, s, batch...), 300, 0)
	before := readings(t, s, store.ReadingQuery{Road: "r3"}, 100)
	for range 3 {
		got := add(t, s, batch...)
		added(t, got, 0, 300)
		equal(t, "states moved by a replay", got.Latest, none[traffic.RoadState]())
	}
	// A replay that overlaps what is new.
	mixed := append([]traffic.Reading{at(minute(100), "s1", "r1", 1), at(minute(100), "s1", "r1", 2)}, batch[:50]...)
	mixed = append(mixed, at(minute(101), "s1", "r1", 3))
	got := add(t, s, mixed...)
	added(t, got, 2, 51)
	equal(t, "states moved", got.Latest, []traffic.RoadState{{Reading: at(minute(101), "s1", "r1", 3)}})
	equal(t, "readings after replays", readings(t, s, store.ReadingQuery{Road: "r3"}, 100), before)
}

func testFirstValueWins(t *testing.T, s store.Store) {
	first := at(minute(5), "s", "r", 40)
	first.Place = &traffic.Place{Label: "first", Lat: traffic.Some(1), Lng: traffic.Some(2)}
	add(t, s, first)
	second := at(minute(5), "s", "elsewhere", 90)
	second.Place = &traffic.Place{Label: "second"}
	third := at(minute(5), "s", "r", 91)
	third.Place = &traffic.Place{Label: "third", Lat: traffic.Some(8), Lng: traffic.Some(9)}
	got := add(t, s, second, third, second)
	added(t, got, 0, 3)
	equal(t, "states moved", got.Latest, none[traffic.RoadState]())
	first.Place = nil
	equal(t, "readings", readings(t, s, store.ReadingQuery{Road: "r"}, 10), []traffic.Reading{first})
	equal(t, "readings elsewhere", readings(t, s, store.ReadingQuery{Road: "elsewhere"}, 10), none[traffic.Reading]())
	equal(t, "latest", states(t, s, store.RoadFilter{}, 10), []traffic.RoadState{{Reading: first}})
	equal(t, "roads", roads(t, s, store.RoadFilter{}, 10),
		[]traffic.Road{{ID: "r", Label: "first", Lat: traffic.Some(1), Lng: traffic.Some(2)}})
	// Within one batch, too.
	a, b := at(minute(6), "s", "r", 1), at(minute(6), "s", "r", 2)
	got = add(t, s, a, b)
	added(t, got, 1, 1)
	equal(t, "states moved", got.Latest, []traffic.RoadState{{Reading: a}})
}

func testLateReadings(t *testing.T, s store.Store) {
	add(t, s, at(minute(60), "s", "r", 50))
	late := []traffic.Reading{at(minute(1), "s", "r", 10), at(minute(59), "s2", "r", 20), at(minute(-100_000), "s", "r", 30)}
	got := add(t, s, late...)
	added(t, got, 3, 0)
	equal(t, "states moved by late readings", got.Latest, none[traffic.RoadState]())
	equal(t, "latest", states(t, s, store.RoadFilter{}, 10), []traffic.RoadState{{Reading: at(minute(60), "s", "r", 50)}})
	equal(t, "readings", readings(t, s, store.ReadingQuery{Road: "r"}, 10),
		[]traffic.Reading{at(minute(60), "s", "r", 50), late[1], late[0], late[2]})
	equal(t, "watermark", must(s.Watermark(t.Context(), minute(1000)))(t), minute(60))
	equal(t, "first", must(s.FirstSince(t.Context(), time.Time{}))(t), minute(-100_000))
}

func testEqualTimesOnOneRoad(t *testing.T, s store.Store) {
	b, a := at(minute(0), "b", "r", 1), at(minute(0), "a", "r", 2)
	got := add(t, s, b, a)
	equal(t, "states moved", got.Latest, []traffic.RoadState{{Reading: b}})
	got = add(t, s, at(minute(0), "0", "r", 3))
	equal(t, "states moved by an equal time", got.Latest, none[traffic.RoadState]())
	equal(t, "latest", states(t, s, store.RoadFilter{}, 10), []traffic.RoadState{{Reading: b}})
}

func testRoundTrip(t *testing.T, s store.Store) {
	zone := time.FixedZone("odd", -(9*3600 + 1830))
	full := traffic.Reading{
		At: time.Date(2024, 3, 31, 1, 59, 59, 999_999_999, zone), Sensor: "Straße 7/æ-漢字", Road: "PARIS-4264",
		Speed: traffic.Some(0), Flow: traffic.Some(1234.000000000001), Occupancy: traffic.Some(1.0 / 3), Score: traffic.Some(1),
		Quality: traffic.QualityLate | traffic.QualityThinned | 1<<31, Edge: "edge 1",
		Place: &traffic.Place{Label: "Rue « É »", Lat: traffic.Some(-48.123456789012345), Lng: traffic.Some(180)},
	}
	bare := traffic.Reading{At: traffic.Earliest, Sensor: " ", Road: "PARIS-4264"}
	for _, r := range []*traffic.Reading{&full, &bare} {
		given := *r
		got := add(t, s, *r)
		added(t, got, 1, 0)
		equal(t, "the caller's reading", *r, given)
	}
	equal(t, "readings", readings(t, s, store.ReadingQuery{Road: "PARIS-4264"}, 10), []traffic.Reading{stored(full), stored(bare)})
	equal(t, "latest", states(t, s, store.RoadFilter{}, 10), []traffic.RoadState{{Reading: stored(full)}})
	// The same microsecond is the same moment, in whatever zone and fraction.
	again := full
	again.At = full.At.Add(-999 * time.Nanosecond).In(time.FixedZone("other", 3600))
	added(t, add(t, s, again), 0, 1)
	again.At = full.At.Add(time.Nanosecond)
	added(t, add(t, s, again), 1, 0)
}

func testHalfOpenRanges(t *testing.T, s store.Store) {
	us := time.Microsecond
	var want []traffic.Reading
	for i := range 5 {
		r := at(minute(0).Add(time.Duration(i)*us), "s", "r", float64(i))
		add(t, s, r)
		want = append([]traffic.Reading{r}, want...)
	}
	tests := []struct {
		from, to time.Time
		lo, hi   int // of want
	}{
		{time.Time{}, time.Time{}, 0, 5},
		{minute(0), time.Time{}, 0, 5},
		{time.Time{}, minute(0), 5, 5},
		{minute(0).Add(us), minute(0).Add(3 * us), 2, 4},
		{minute(0).Add(us), minute(0).Add(us), 5, 5},
		{minute(0).Add(3 * us), minute(0).Add(us), 5, 5},
		{minute(0).Add(1), minute(0).Add(2*us + 1), 2, 4}, // a nanosecond later
		{minute(0).Add(4 * us).In(time.FixedZone("z", 5000)), time.Time{}, 0, 1},
	}
	for _, tt := range tests {
		what := fmt.Sprintf("[%s, %s)", tt.from, tt.to)
		equal(t, what, readings(t, s, store.ReadingQuery{Road: "r", From: tt.from, To: tt.to}, 2), want[tt.lo:tt.hi])
	}
}

func testPageEdges(t *testing.T, s store.Store) {
	var batch []traffic.Reading
	for m := range 4 {
		for i := range 23 {
			batch = append(batch, at(minute(m*3), fmt.Sprintf("s%02d", i), "r", float64(i)))
		}
	}
	add(t, s, batch...)
	m := newModel()
	m.append(batch)
	q := store.ReadingQuery{Road: "r"}
	for _, limit := range []int{1, 7, 23, 46, 91, 92, 93} {
		equal(t, fmt.Sprintf("pages of %d", limit), readings(t, s, q, limit), m.readingsOf(q))
	}
	items, next, err := s.Readings(t.Context(), q)
	check(t, err)
	equal(t, "a page of the default length", len(items), min(store.DefaultLimit, 92))
	equal(t, "its cursor", next, store.Cursor(""))
	// Readings that arrive between two pages neither repeat nor hide others.
	q.Page.Limit = 30
	first, next, err := s.Readings(t.Context(), q)
	check(t, err)
	add(t, s, at(minute(9), "s99", "r", 1), at(minute(100), "s00", "r", 1))
	q.Page.After, q.Page.Limit = next, 100
	rest, _, err := s.Readings(t.Context(), q)
	check(t, err)
	seen := map[readingKey]int{}
	for _, r := range append(first, rest...) {
		seen[readingKey{r.Sensor, r.At.UnixMicro()}]++
	}
	for _, r := range batch {
		if n := seen[readingKey{r.Sensor, r.At.UnixMicro()}]; n != 1 {
			t.Fatalf("reading %s at %s was listed %d times, want once", r.Sensor, r.At, n)
		}
	}
}

func testSensorMoves(t *testing.T, s store.Store) {
	m := newModel()
	for i := range 40 {
		batch := []traffic.Reading{at(minute(i), "s", fmt.Sprintf("r%d", i%3), float64(i)), at(minute(i), "other", "r0", float64(i))}
		equal(t, "answer", add(t, s, batch...), m.append(batch))
	}
	for i := range 3 {
		q := store.ReadingQuery{Road: traffic.RoadID(fmt.Sprintf("r%d", i)), From: minute(7), To: minute(33)}
		equal(t, string(q.Road), readings(t, s, q, 4), m.readingsOf(q))
	}
	bq := store.BucketQuery{Roads: []traffic.RoadID{"r1", "r0", "r1"}, From: minute(7), To: minute(33), Width: 5 * time.Minute}
	sameBuckets(t, "buckets", must(s.Buckets(t.Context(), bq))(t), m.buckets(bq))
	equal(t, "latest", states(t, s, store.RoadFilter{}, 2), m.states())
}

// oddIDs sort differently in most languages than by byte.
func oddIDs() []string {
	return []string{"a", "B", "Z", "é", "e", "E", "_", "~", "aa", "A b", "A-b", "Ab", "10", "9", "01", " x", "ß", "ss", "漢", "\U0001F6A6", "z", "Ω", "ω", "a\u0301", "\u00e1"}
}

func testByteOrder(t *testing.T, s store.Store) {
	m := newModel()
	var batch []traffic.Reading
	var ps []traffic.Prediction
	var rs []traffic.Reroute
	for i, id := range oddIDs() {
		batch = append(batch, at(minute(0), id, "r", float64(i)), at(minute(0), "on "+id, id, float64(i)))
		ps = append(ps, traffic.Prediction{At: minute(0), Road: traffic.RoadID(id), HorizonMin: 5, Model: id})
		rs = append(rs, traffic.Reroute{At: minute(0), Route: traffic.RoadID(id), Alt: "x", Status: traffic.RerouteProposed})
	}
	equal(t, "answer", add(t, s, batch...), m.append(batch))
	check(t, s.PutPredictions(t.Context(), ps))
	m.putPredictions(ps)
	check(t, s.PutReroutes(t.Context(), minute(0), rs))
	m.putReroutes(minute(0), rs)
	for _, limit := range []int{1, 4, 100} {
		equal(t, "readings", readings(t, s, store.ReadingQuery{Road: "r"}, limit), m.readingsOf(store.ReadingQuery{Road: "r"}))
		equal(t, "latest", states(t, s, store.RoadFilter{}, limit), m.states())
		equal(t, "roads", roads(t, s, store.RoadFilter{}, limit), m.roadList())
		equal(t, "predictions", predictions(t, s, store.PredictionQuery{}, limit), m.predictionList(store.PredictionQuery{}))
		equal(t, "latest predictions", latestPredictions(t, s, store.PredictionQuery{}, limit), m.latestPredictions(store.PredictionQuery{}))
		equal(t, "reroutes", reroutes(t, s, store.RerouteQuery{}, limit), m.rerouteList(store.RerouteQuery{}))
	}
	bq := store.BucketQuery{From: minute(0), To: minute(5), Width: time.Minute}
	sameBuckets(t, "buckets", must(s.Buckets(t.Context(), bq))(t), m.buckets(bq))
}

func testCursors(t *testing.T, s store.Store) {
	ctx := t.Context()
	add(t, s, at(minute(0), "s", "r", 1))
	for _, c := range []store.Cursor{"x", "!!", "W10", "WzFd", must(store.MakeCursor("a", "b", "c", "d", "e"))(t), must(store.MakeCursor(map[string]int{}, nil))(t)} {
		p := store.Page{After: c}
		_, _, e1 := s.Readings(ctx, store.ReadingQuery{Road: "r", Page: p})
		_, _, e2 := s.Latest(ctx, store.RoadFilter{}, p)
		_, _, e3 := s.Roads(ctx, store.RoadFilter{}, p)
		_, _, e4 := s.Predictions(ctx, store.PredictionQuery{Page: p})
		_, _, e5 := s.LatestPredictions(ctx, store.PredictionQuery{Page: p})
		_, _, e6 := s.Reroutes(ctx, store.RerouteQuery{Page: p})
		errs := []error{e1, e2, e3, e4, e5, e6}
		if c != "WzFd" { // [1] is a cursor of this list
			_, _, e7 := s.Rejected(ctx, p)
			errs = append(errs, e7)
		}
		for i, err := range errs {
			if !errors.Is(err, store.ErrCursor) {
				t.Errorf("list %d with cursor %q: %v, want ErrCursor", i, c, err)
			}
		}
	}
}

func testOddText(t *testing.T, s store.Store) {
	bad := at(minute(0), "s\x00\xff", "r\xc3(", 1)
	bad.Edge = "e\x00"
	bad.Place = &traffic.Place{Label: "la\x00bel\xff"}
	good := at(minute(0), "good", "road", 2)
	payload := []byte("\x00\xff{\"ts\":\xc3(}")
	got := must(s.Append(t.Context(), store.Delivery{
		Readings: []traffic.Reading{good, bad},
		Batches:  []store.BatchID{{Edge: "e\x00", Epoch: 1<<64 - 1, Seq: 1 << 63}},
		Rejected: []traffic.Rejected{{At: minute(0), Edge: "e\x00", Origin: "o\xff", Payload: payload, Reason: "r\x00", Detail: strings.Repeat("d\x00", 3)}},
	}))(t)
	added(t, got, 2, 0)
	clean := bad
	clean.Sensor, clean.Road, clean.Edge, clean.Place = "s\uFFFD\uFFFD", "r\uFFFD(", "e\uFFFD", nil
	equal(t, "readings", readings(t, s, store.ReadingQuery{Road: "r\xc3("}, 10), []traffic.Reading{clean})
	equal(t, "roads", roads(t, s, store.RoadFilter{}, 10), []traffic.Road{{ID: "road"}, {ID: "r\uFFFD(", Label: "la\uFFFDbel\uFFFD"}})
	rejected, _, err := s.Rejected(t.Context(), store.Page{})
	check(t, err)
	want := traffic.Rejected{ID: rejected[0].ID, At: minute(0), Edge: "e\uFFFD", Origin: "o\uFFFD", Payload: payload, Reason: "r\uFFFD", Detail: "d\uFFFDd\uFFFDd\uFFFD"}
	equal(t, "rejected", rejected, []traffic.Rejected{want})
	added(t, add(t, s, bad), 0, 1)
}

func testEdgesOfTime(t *testing.T, s store.Store) {
	ctx := context.Background()
	m := newModel()
	var batch []traffic.Reading
	for i, at0 := range []time.Time{minute(0), minute(1), minute(4).Add(59 * time.Second), minute(5), minute(17), minute(10_000)} {
		batch = append(batch, at(at0, "s", "r", float64(i)), at(at0.Add(time.Microsecond), "t", "r", float64(i)))
	}
	add(t, s, batch...)
	m.append(batch)
	for _, r := range batch {
		for _, d := range []time.Duration{-time.Hour, -time.Microsecond, -1, 0, 1, time.Microsecond, time.Second, time.Hour} {
			x := r.At.Add(d)
			equal(t, "watermark at "+x.String(), must(s.Watermark(ctx, x))(t), m.watermark(x))
			equal(t, "first since "+x.String(), must(s.FirstSince(ctx, x))(t), m.firstSince(x))
		}
	}
}
