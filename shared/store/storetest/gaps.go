package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func gaps(t testing.TB, s store.GapReader, q store.GapQuery, limit int) []traffic.Gap {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.Gap, store.Cursor, error) {
		q.Page = p
		return s.Gaps(t.Context(), q)
	})
}

func report(t testing.TB, s store.ReadingWriter, gs ...traffic.Gap) {
	t.Helper()
	added(t, must(s.Append(t.Context(), store.Delivery{Gaps: gs}))(t), 0, 0)
}

// gap is a loss of one batch at a minute.
func gap(edge string, seq uint64, m int) traffic.Gap {
	return traffic.Gap{
		Edge: traffic.EdgeID(edge), Cause: traffic.GapEvicted, Epoch: 1<<63 + 5, FirstSeq: seq, LastSeq: seq,
		From: minute(m), To: minute(m).Add(59 * time.Second), Readings: 7, Noticed: minute(m + 60),
	}
}

func testGaps(t *testing.T, s store.Store) {
	equal(t, "at first", gaps(t, s, store.GapQuery{}, 10), none[traffic.Gap]())
	first, damaged := gap("a", 1, 0), traffic.Gap{Edge: "b", Cause: traffic.GapDamaged, Epoch: 2, FirstSeq: 1, LastSeq: 9, Noticed: minute(30)}
	thinned := first // the same batches, lost in another way
	thinned.Cause = traffic.GapThinned
	report(t, s, first)
	report(t, s, damaged)
	report(t, s, thinned, thinned)
	report(t, s, first, damaged)
	want := []traffic.Gap{thinned, damaged, first}
	equal(t, "each once, newest first", gaps(t, s, store.GapQuery{}, 10), want)
	equal(t, "page by page", gaps(t, s, store.GapQuery{}, 1), want)

	grown, shrunk := first, first
	grown.LastSeq, grown.To, grown.Readings = 3, minute(8), 21
	shrunk.LastSeq, shrunk.Readings = 2, 14
	report(t, s, shrunk, grown, shrunk)
	report(t, s, shrunk)
	want[2] = grown
	equal(t, "one that has grown", gaps(t, s, store.GapQuery{}, 10), want)

	equal(t, "of one edge", gaps(t, s, store.GapQuery{Edge: "b"}, 10), want[1:2])
	equal(t, "of nobody", gaps(t, s, store.GapQuery{Edge: "c"}, 10), none[traffic.Gap]())
	for _, tt := range []struct {
		from, to time.Time
		lo, hi   int
	}{
		{minute(8), minute(30), 2, 3},                   // the last moment of the grown one
		{minute(8).Add(1000), minute(30), 3, 3},         // after it
		{minute(30), minute(31), 1, 2},                  // nobody knows what was lost, but when that was noticed
		{time.Time{}, minute(0), 3, 3},                  // half open
		{minute(-10), time.Time{}, 0, 3},                //
		{minute(100), minute(200), 3, 3},                // noticed then, but lost before
		{minute(30).Add(1000), time.Time{}, 3, 3},       //
		{time.Time{}, minute(30).Add(1000), 0, 3},       //
		{minute(0).Add(time.Minute), time.Time{}, 1, 3}, // the thinned one ends before
	} {
		equal(t, fmt.Sprintf("in [%s, %s)", tt.from, tt.to), gaps(t, s, store.GapQuery{From: tt.from, To: tt.to}, 2), want[tt.lo:tt.hi])
	}
	if _, _, err := s.Gaps(t.Context(), store.GapQuery{Page: store.Page{After: "?"}}); err == nil {
		t.Error("a cursor of nobody was taken")
	}
}

// testGapsCommitTogether looks for a gap that is there without the rest of its
// delivery.
func testGapsCommitTogether(t *testing.T, s store.Store) {
	for i := range 12 {
		m, road := i, fmt.Sprintf("r%d", i)
		batch := make([]traffic.Reading, 500)
		for j := range batch {
			batch[j] = at(minute(j%50), fmt.Sprintf("%s-%d", road, j), road, 1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*i)*150*time.Microsecond)
		_, err := s.Append(ctx, store.Delivery{Readings: batch, Gaps: []traffic.Gap{gap(road, 1, m)}})
		cancel()
		stored, lost := count(t, s, road), len(gaps(t, s, store.GapQuery{Edge: traffic.EdgeID(road)}, 10))
		if stored != lost*len(batch) || (err == nil && lost == 0) {
			t.Fatalf("append answered %v, %d readings and %d gaps are there", err, stored, lost)
		}
	}
}
