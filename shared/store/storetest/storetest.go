package storetest

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
)

// A Backend tells the suite how to reach one kind of store.
type Backend struct {
	// New makes room for an empty database that lives until t ends, and returns
	// its address.
	New func(t testing.TB) (address string)
	// Open opens the store at an address. Several may be open at once.
	Open func(ctx context.Context, address string) (store.Store, error)
}

// fewer is n, and a share of it where the race detector makes everything slow.
func fewer(n int) int {
	if slow {
		return n * 2 / 5
	}
	return n
}

// open opens the store at an address and closes it when t ends.
func (b Backend) open(t testing.TB, address string) store.Store {
	t.Helper()
	s, err := b.Open(context.Background(), address)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

// fresh opens an empty store.
func (b Backend) fresh(t testing.TB) store.Store {
	t.Helper()
	return b.open(t, b.New(t))
}

// Test runs the whole suite, its tests in parallel, each on a database of its own. The
// name of the calling test must find it alone: the crash test runs it again in a
// child process.
func Test(t *testing.T, b Backend) {
	if address := os.Getenv(envCrash); address != "" {
		crashChild(t, b, address)
		return
	}
	onStore := func(test func(*testing.T, store.Store)) func(*testing.T) {
		return func(t *testing.T) { test(t, b.fresh(t)) }
	}
	onBackend := func(test func(*testing.T, Backend)) func(*testing.T) {
		return func(t *testing.T) { test(t, b) }
	}
	tests := []struct {
		name string
		run  func(*testing.T)
	}{
		{"Empty", onStore(testEmpty)},
		{"AppendThenLatest", onStore(testAppendThenLatest)},
		{"Replay", onStore(testReplay)},
		{"FirstValueWins", onStore(testFirstValueWins)},
		{"LateReadings", onStore(testLateReadings)},
		{"EqualTimesOnOneRoad", onStore(testEqualTimesOnOneRoad)},
		{"RoundTrip", onStore(testRoundTrip)},
		{"HalfOpenRanges", onStore(testHalfOpenRanges)},
		{"PageEdges", onStore(testPageEdges)},
		{"SensorMoves", onStore(testSensorMoves)},
		{"ByteOrder", onStore(testByteOrder)},
		{"Cursors", onStore(testCursors)},
		{"OddText", onStore(testOddText)},
		{"EdgesOfTime", onStore(testEdgesOfTime)},
		{"Buckets", onStore(testBuckets)},
		{"BucketQueries", onStore(testBucketQueries)},
		{"LargeBatch", onStore(testLargeBatch)},
		{"Volume", onStore(testVolume)},
		{"Scan", onStore(testScan)},
		{"Places", onStore(testPlaces)},
		{"PartialRoads", onStore(testPartialRoads)},
		{"RoadFilters", onStore(testRoadFilters)},
		{"Batches", onStore(testBatches)},
		{"RejectedBounded", onStore(testRejectedBounded)},
		{"RejectedPages", onStore(testRejectedPages)},
		{"RejectedSettled", onStore(testRejectedSettled)},
		{"Gaps", onStore(testGaps)},
		{"GapsCommitTogether", onStore(testGapsCommitTogether)},
		{"Averages", onStore(testAverages)},
		{"Retention", onStore(testRetention)},
		{"ForecastRetention", onStore(testForecastRetention)},
		{"LateIntoCompressed", onStore(testLateIntoCompressed)},
		{"Sensors", onStore(testSensors)},
		{"SensorStatus", onStore(testSensorStatus)},
		{"Alerts", onStore(testAlerts)},
		{"Skills", onStore(testSkills)},
		{"PredictionsReplace", onStore(testPredictionsReplace)},
		{"LatestPredictions", onStore(testLatestPredictions)},
		{"PredictionPages", onStore(testPredictionPages)},
		{"PredictionsRefused", onStore(testPredictionsRefused)},
		{"ReroutesExpire", onStore(testReroutesExpire)},
		{"ReroutePages", onStore(testReroutePages)},
		{"Users", onStore(testUsers)},
		{"UserCare", onStore(testUserCare)},
		{"Keys", onStore(testKeys)},
		{"RefreshTokens", onStore(testRefreshTokens)},
		{"RefreshRace", onStore(testRefreshRace)},
		{"EdgeLife", onStore(testEdgeLife)},
		{"EdgeAgain", onStore(testEdgeAgain)},
		{"EdgePages", onStore(testEdgePages)},
		{"EdgeRace", onStore(testEdgeRace)},
		{"RandomSteps", onStore(testRandomSteps)},
		{"ParallelUse", onStore(testParallelUse)},
		{"Cancel", onStore(testCancel)},
		{"Reopen", onBackend(testReopen)},
		{"CloseWaits", onBackend(testCloseWaits)},
		{"TwoStores", onBackend(testTwoStores)},
		{"ManyRoads", onBackend(testManyRoads)},
		{"Crash", onBackend(testCrash)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t)
		})
	}
}

// equal fails when got is not want, to the last bit.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	if g.Kind() == reflect.Slice && w.Kind() == reflect.Slice {
		if g.Len() == 0 && w.Len() == 0 {
			return // nil or empty is the same to callers
		}
		for i := range min(g.Len(), w.Len()) {
			if a, b := g.Index(i).Interface(), w.Index(i).Interface(); !reflect.DeepEqual(a, b) {
				t.Fatalf("%s: %d items, want %d; first difference at %d:\n got %+v\nwant %+v", what, g.Len(), w.Len(), i, a, b)
			}
		}
		t.Fatalf("%s: %d items, want %d: %s", what, g.Len(), w.Len(), clip(fmt.Sprintf("\n got %+v\nwant %+v", got, want)))
	}
	t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
}

func clip(s string) string {
	const most = 2000
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// must returns the value of a call that may not fail.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// check fails the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// all reads a list to its end in pages of the given length and checks that no
// page is longer and that only the last has no cursor.
func all[T any](t testing.TB, limit int, read func(store.Page) ([]T, store.Cursor, error)) []T {
	t.Helper()
	var out []T
	p := store.Page{Limit: limit}
	for {
		items, next, err := read(p)
		if err != nil {
			t.Fatalf("read page after %q: %v", p.After, err)
		}
		if len(items) > limit {
			t.Fatalf("page of %d items, limit %d", len(items), limit)
		}
		out = append(out, items...)
		if next == "" {
			return out
		}
		if len(items) < limit {
			t.Fatalf("page of %d items ends with a cursor, limit %d", len(items), limit)
		}
		p.After = next
	}
}

// start is a round moment: on the edge of every bucket width in use.
func start() time.Time { return time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC) }

// minute is start plus n minutes.
func minute(n int) time.Time { return start().Add(time.Duration(n) * time.Minute) }
