package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// maintain calls Maintain until there is nothing left to do and returns what was done
// altogether.
func maintain(t testing.TB, s store.Maintainer, now time.Time, u store.Upkeep) (sum store.Maintained) {
	t.Helper()
	for {
		done := must(s.Maintain(t.Context(), now, u))(t)
		sum.RolledUp += done.RolledUp
		sum.Dropped += done.Dropped
		sum.Compressed += done.Compressed
		if !done.More && !done.Skipped {
			return sum
		}
	}
}

// scattered are readings of five roads in some hours of so many days from start on.
func scattered(rng *rand.Rand, n, days int) []traffic.Reading {
	var out []traffic.Reading
	for range n {
		r := randomReading(rng)
		hour := []int{0, 9, 23}[rng.IntN(3)]
		r.At = start().AddDate(0, 0, rng.IntN(days)).Add(time.Duration(hour)*time.Hour + time.Duration(rng.IntN(180))*20*time.Second)
		r.Place = nil
		out = append(out, r)
	}
	return out
}

// averagesAsked counts the times that averages are compared: each time some questions
// are asked, and after averageTurns times all.
type averagesAsked int

const averageTurns = 4

// same compares averages of all widths with those of a model.
func (turn *averagesAsked) same(t testing.TB, s store.ReadingReader, m *model, from, to time.Time) {
	t.Helper()
	*turn++
	n := int(*turn)
	for _, width := range []time.Duration{7 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour} {
		for _, only := range [][]traffic.RoadID{nil, {"r3", "r0", "none"}} {
			for _, cut := range []time.Duration{0, time.Second, 5 * time.Minute, 47*time.Minute + 3*time.Microsecond} {
				if n++; n%averageTurns != 0 {
					continue
				}
				q := store.BucketQuery{Roads: only, From: from.Add(cut), To: to.Add(-cut), Width: width}
				sameBuckets(t, fmt.Sprintf("%+v", q), must(s.Buckets(t.Context(), q))(t), m.buckets(q))
			}
		}
	}
}

// testAverages compares averages with those of a model before and after they were made
// ahead, and when readings come late and in between.
func testAverages(t *testing.T, s store.Store) {
	const days = 2
	rng := rand.New(rand.NewPCG(31, 32))
	m := newModel()
	var asked averagesAsked
	end := start().AddDate(0, 0, days)
	batch := scattered(rng, fewer(700), days)
	equal(t, "answer", add(t, s, batch...), m.append(batch))
	asked.same(t, s, m, start(), end)
	if done := maintain(t, s, end.Add(time.Hour), store.Upkeep{}); done.RolledUp < 40 || done.Dropped > 0 {
		t.Fatalf("%+v, want blocks that were averaged, and nothing dropped", done)
	}
	asked.same(t, s, m, start(), end)
	for range 3 {
		late := scattered(rng, 60, days)
		equal(t, "answer", add(t, s, late...), m.append(late))
		asked.same(t, s, m, start(), end)
	}
	if done := maintain(t, s, end.Add(time.Hour), store.Upkeep{}); done.RolledUp == 0 {
		t.Fatal("late readings did not change averages")
	}
	if done := maintain(t, s, end.Add(time.Hour), store.Upkeep{}); done.RolledUp > 0 {
		t.Fatalf("%+v, want nothing to do", done)
	}
	asked.same(t, s, m, start(), end)
}

// after returns the part of a model that is not before a time.
func (m *model) after(from time.Time) *model {
	out := newModel()
	for k, r := range m.readings {
		if !r.At.Before(from) {
			out.readings[k] = r
		}
	}
	return out
}

// testRetention drops what is old and nothing else: single readings first, then averages
// of five minutes, then those of hours.
func testRetention(t *testing.T, s store.Store) {
	const days = 6
	rng := rand.New(rand.NewPCG(41, 42))
	m := newModel()
	end := start().AddDate(0, 0, days)
	batch := scattered(rng, fewer(900), days)
	equal(t, "answer", add(t, s, batch...), m.append(batch))
	latest := states(t, s, store.RoadFilter{}, 100)
	u := store.Upkeep{Raw: 2 * store.Day, FiveMinutes: 4 * store.Day, Hours: 5 * store.Day}
	now := end.Add(time.Hour) // what is kept begins with a day, at 00:00
	day := func(n int) time.Time { return start().AddDate(0, 0, days-n) }
	expect := func() {
		t.Helper()
		kept := m.after(day(2))
		for _, road := range []traffic.RoadID{"r0", "r1", "r2", "r3", "r4"} {
			q := store.ReadingQuery{Road: road}
			equal(t, "readings of "+string(road), readings(t, s, q, 1000), kept.readingsOf(q))
		}
		equal(t, "first", must(s.FirstSince(t.Context(), time.Time{}))(t), kept.firstSince(time.Time{}))
		equal(t, "watermark", must(s.Watermark(t.Context(), end))(t), kept.watermark(end))
		equal(t, "watermark of the past", must(s.Watermark(t.Context(), day(3)))(t), time.Time{})
		for _, b := range []struct {
			width time.Duration
			keep  int
		}{{7 * time.Minute, 2}, {5 * time.Minute, 4}, {30 * time.Minute, 4}, {time.Hour, 5}, {24 * time.Hour, 5}} {
			q := store.BucketQuery{From: start(), To: end, Width: b.width}
			if b.width < 5*time.Minute || b.width%(5*time.Minute) != 0 {
				q.From = day(b.keep)
			}
			sameBuckets(t, fmt.Sprintf("%+v", q), must(s.Buckets(t.Context(), q))(t), m.after(day(b.keep)).buckets(q))
		}
		equal(t, "latest", states(t, s, store.RoadFilter{}, 100), latest)
	}
	if done := maintain(t, s, now, u); done.RolledUp == 0 {
		t.Fatalf("%+v, want averages that were made", done)
	}
	expect()
	// What comes after its time is over is taken, does not spoil the averages, and goes.
	late := at(day(3).Add(9*time.Hour+time.Second), "late", "r1", 200)
	added(t, add(t, s, late), 1, 0)
	maintain(t, s, now, u)
	expect()
	if _, err := s.Maintain(t.Context(), now, store.Upkeep{Raw: time.Hour}); err == nil {
		t.Error("readings were to be kept for an hour, want an error")
	}
}

// testForecastRetention drops old predictions, advice, records, and nothing else.
func testForecastRetention(t *testing.T, s store.Store) {
	ctx := t.Context()
	m := newModel()
	for d := range 6 {
		ps := []traffic.Prediction{predict(d*1440+5, "r", 5, 0.5), predict(d*1440+10, "r", 30, 0.25), predict(d*1440, fmt.Sprintf("only%d", d), 5, 0.5)}
		check(t, s.PutPredictions(ctx, ps))
		rs := []traffic.Reroute{advise(d*1440+5, "r", "a", traffic.RerouteProposed)}
		check(t, s.PutReroutes(ctx, minute(d*1440+5), rs))
		if d >= 3 {
			m.putPredictions(ps)
			m.putReroutes(minute(d*1440+5), rs)
		}
		report(t, s, gap("a", uint64(d+1), d*1440))
	}
	maintain(t, s, minute(6*1440+60), store.Upkeep{Forecasts: 3 * store.Day, Records: 2 * store.Day})
	equal(t, "predictions", predictions(t, s, store.PredictionQuery{}, 100), m.predictionList(store.PredictionQuery{}))
	equal(t, "latest predictions", latestPredictions(t, s, store.PredictionQuery{}, 100), m.latestPredictions(store.PredictionQuery{}))
	equal(t, "reroutes", reroutes(t, s, store.RerouteQuery{}, 100), m.rerouteList(store.RerouteQuery{}))
	equal(t, "gaps", gaps(t, s, store.GapQuery{}, 100), []traffic.Gap{gap("a", 6, 5*1440), gap("a", 5, 4*1440)})
}

// testLateIntoCompressed sends duplicates and late readings in all mixtures to days that
// were compressed, where the database can do that.
func testLateIntoCompressed(t *testing.T, s store.Store) {
	const days = 3
	rng := rand.New(rand.NewPCG(51, 52))
	m := newModel()
	batch := scattered(rng, 600, days)
	equal(t, "answer", add(t, s, batch...), m.append(batch))
	u := store.Upkeep{CompressAfter: store.Day}
	now := start().AddDate(0, 0, days+2)
	for round := range 3 {
		done := maintain(t, s, now, u)
		t.Logf("%+v", done)
		for range 4 {
			late := append(scattered(rng, 20, days), batch[rng.IntN(500):][:30]...)
			rng.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
			equal(t, fmt.Sprintf("answer in round %d", round), add(t, s, late...), m.append(late))
		}
		for _, road := range []traffic.RoadID{"r0", "r4"} {
			q := store.ReadingQuery{Road: road, From: start().Add(time.Hour)}
			equal(t, "readings of "+string(road), readings(t, s, q, 70), m.readingsOf(q))
		}
		q := store.BucketQuery{From: start(), To: now, Width: time.Hour}
		sameBuckets(t, "averages", must(s.Buckets(t.Context(), q))(t), m.buckets(q))
	}
}
