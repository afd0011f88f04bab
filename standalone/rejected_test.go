package main

import (
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Refused messages are offered again while somebody else has the folder open: those that
// are valid now are stored once and leave the list, the others stay.
func TestRejectedReplay(t *testing.T) {
	f, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.close() // as `cityflow up` holds it
	st, err := sqlite.Open(t.Context(), f.database(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	record := func(origin, payload string) traffic.Rejected {
		return traffic.Rejected{At: at, Origin: origin, Payload: []byte(payload), Reason: traffic.ReasonFuture, Detail: "ts"}
	}
	later := `{"ts":"2026-03-02T09:00:00Z","sensor_id":"s","speed_kmh":30}` // an hour ahead when it came
	if _, err := st.Append(t.Context(), store.Delivery{Rejected: []traffic.Rejected{
		record("cityflow/traffic/s", later), record("offered", later),
		record("cityflow/traffic/s", `{"ts":"2026-03-02T09:00:00Z","sensor_id":"s","speed_kmh":3000}`), record("a.csv:3", "x;y"),
	}}); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{"messages taken: 2; readings stored: 1, there before: 1\n", "messages taken: 0; readings stored: 0, there before: 0\n"} {
		out := mustRun(t, "rejected", "replay", "--data-dir", f.path)
		for _, want := range []string{taken, "still refused: 2\n", "1  out_of_range: speed_kmh", "import that again"} {
			if !strings.Contains(out, want) {
				t.Errorf("replay says %q, want it to say %q", out, want)
			}
		}
	}
	if list := mustRun(t, "rejected", "list", "--data-dir", f.path); strings.Count(list, "\n") != 3 {
		t.Errorf("the list after the replay:\n%s", list)
	}
	rs, _, err := st.Readings(t.Context(), store.ReadingQuery{Road: "s"})
	if err != nil || len(rs) != 1 || rs[0].Speed != traffic.Some(30) || !rs[0].Score.Known() {
		t.Errorf("readings %v, %v, want one of 30 km/h", rs, err)
	}
}
