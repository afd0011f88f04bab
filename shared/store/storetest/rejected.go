package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func testBatches(t *testing.T, s store.Store) {
	d := store.Delivery{
		Readings: []traffic.Reading{at(minute(0), "s", "r", 1)},
		Batches:  []store.BatchID{{Edge: "e", Epoch: 3, Seq: 1}, {Edge: "e", Epoch: 3, Seq: 2}, {Edge: "e", Epoch: 3, Seq: 1}},
		Rejected: []traffic.Rejected{{At: minute(0), Edge: "e", Origin: "o", Reason: traffic.ReasonParse}},
	}
	added(t, must(s.Append(t.Context(), d))(t), 1, 0)
	added(t, must(s.Append(t.Context(), d))(t), 0, 1)
	equal(t, "rejected once", len(rejected(t, s, 10)), 1)
	// A delivery may carry nothing but a remark.
	added(t, must(s.Append(t.Context(), store.Delivery{Batches: []store.BatchID{{Edge: "e", Epoch: 4, Seq: 1}}}))(t), 0, 0)
}

func rejected(t testing.TB, s store.RejectedReader, limit int) []traffic.Rejected {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.Rejected, store.Cursor, error) { return s.Rejected(t.Context(), p) })
}

func refusals(from, to int) []traffic.Rejected {
	var out []traffic.Rejected
	for i := from; i < to; i++ {
		out = append(out, traffic.Rejected{
			At: minute(0).Add(time.Duration(i%5) * time.Second), Edge: "e", Origin: fmt.Sprintf("file.csv:%d", i),
			Payload: []byte(fmt.Sprint(i)), Reason: traffic.ReasonRange, Detail: "speed_kmh: 999 is not allowed",
		})
	}
	return out
}

func testRejectedPages(t *testing.T, s store.Store) {
	in := refusals(0, 57)
	in[3].Payload = []byte{}
	for i := 0; i < len(in); i += 19 {
		must(s.Append(t.Context(), store.Delivery{Rejected: in[i : i+19]}))(t)
	}
	for _, limit := range []int{1, 10, 57, 100} {
		got := rejected(t, s, limit)
		equal(t, "number", len(got), len(in))
		ids := map[string]bool{}
		for i := range got {
			want := in[len(in)-1-i]
			if len(got[i].Payload) == 0 {
				got[i].Payload = want.Payload[:0] // nil or empty is the same
			}
			want.ID = got[i].ID
			equal(t, "rejected", got[i], want)
			if ids[want.ID] || want.ID == "" {
				t.Fatalf("id %q is empty or not unique", want.ID)
			}
			ids[want.ID] = true
		}
	}
}

func testRejectedBounded(t *testing.T, s store.Store) {
	const step = 3000
	total := row.MaxRejected + 2*step
	for i := 0; i < total; i += step {
		must(s.Append(t.Context(), store.Delivery{Rejected: refusals(i, min(i+step, total))}))(t)
	}
	got := rejected(t, s, 4000)
	equal(t, "kept", len(got), row.MaxRejected)
	equal(t, "newest", got[0].Origin, fmt.Sprintf("file.csv:%d", total-1))
	equal(t, "oldest", got[len(got)-1].Origin, fmt.Sprintf("file.csv:%d", total-row.MaxRejected))
}

// testRejectedSettled stores what was rejected once, takes it off the list, and does so
// again.
func testRejectedSettled(t *testing.T, s store.Store) {
	must(s.Append(t.Context(), store.Delivery{Rejected: refusals(0, 5)}))(t)
	before := rejected(t, s, 10)
	d := store.Delivery{Readings: []traffic.Reading{at(minute(0), "s", "r", 1)}, Settled: []string{before[1].ID, "nonsense", before[3].ID}}
	added(t, must(s.Append(t.Context(), d))(t), 1, 0)
	added(t, must(s.Append(t.Context(), d))(t), 0, 1)
	equal(t, "what is left", rejected(t, s, 10), []traffic.Rejected{before[0], before[2], before[4]})
	must(s.Append(t.Context(), store.Delivery{Rejected: refusals(0, 5)}))(t) // they come again
	equal(t, "listed again", len(rejected(t, s, 10)), 5)
}
