package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// scan reads a window whole and checks the pieces.
func scan(t testing.TB, s store.ReadingScanner, from, to time.Time) []traffic.Reading {
	t.Helper()
	var out []traffic.Reading
	check(t, s.ScanReadings(context.Background(), from, to, func(piece []traffic.Reading) error {
		if len(piece) == 0 || len(piece) > store.ScanPiece {
			t.Errorf("a piece of %d readings, want 1 to %d", len(piece), store.ScanPiece)
		}
		out = append(out, piece...)
		return nil
	}))
	return out
}

// A scan returns what was stored, in the order of time and sensor, from the bound on
// and before the other.
func testScan(t *testing.T, s store.Store) {
	begin := time.Date(2026, 3, 2, 7, 59, 30, 0, time.UTC)
	var all []traffic.Reading
	for i := range 3000 { // across blocks of minutes and of five minutes, many at one time
		r := at(begin.Add(time.Duration(i/5)*time.Second), fmt.Sprintf("S%d", (i*7)%5), fmt.Sprintf("R%d", i%3), float64(i%100))
		r.Flow, r.Score, r.Quality, r.Edge = traffic.Some(float64(i)), traffic.Some(0.5), traffic.QualityLate, "e"
		all = append(all, r)
	}
	early := at(time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC), "S0", "R0", 3)
	all = append(all, early, at(begin.AddDate(1, 0, 0), "é", "R0", 4), at(begin.AddDate(1, 0, 0), "z", "R0", 5))
	shuffled := slices.Clone(all)
	for i := range shuffled {
		j := (i * 1021) % len(shuffled)
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	}
	add(t, s, shuffled...)
	slices.SortFunc(all, func(a, b traffic.Reading) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(string(a.Sensor), string(b.Sensor)))
	})
	equal(t, "everything", scan(t, s, time.Time{}, time.Time{}), all)
	from, to := begin.Add(31*time.Second), begin.Add(7*time.Minute)
	within := slices.DeleteFunc(slices.Clone(all), func(r traffic.Reading) bool { return r.At.Before(from) || !r.At.Before(to) })
	equal(t, "a window", scan(t, s, from, to), within)
	equal(t, "nothing", scan(t, s, to, from), []traffic.Reading(nil))

	stop := errors.New("enough")
	if err := s.ScanReadings(t.Context(), time.Time{}, time.Time{}, func([]traffic.Reading) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the scan ended with %v, want the callback's error", err)
	}
}
