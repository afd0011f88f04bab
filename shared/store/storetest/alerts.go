package storetest

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func alerts(t testing.TB, s store.AlertReader, q store.AlertQuery, limit int) []traffic.Alert {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.Alert, store.Cursor, error) {
		q.Page = p
		return s.Alerts(context.Background(), q)
	})
}

// alert is one with nothing but what it needs.
func alert(m int, road string) traffic.Alert {
	return traffic.Alert{
		Kind: traffic.AlertIncident, Road: traffic.RoadID(road), Start: minute(m), Updated: minute(m + 5),
		Severity: traffic.SeverityMinor, Roads: []traffic.RoadID{},
	}
}

// Alerts come back whole, the newest first, each once, by whether they go on.
func testAlerts(t *testing.T, s store.Store) {
	whole := alert(5, "é\x00")
	whole.End, whole.Severity, whole.Roads = minute(30), traffic.SeveritySevere, []traffic.RoadID{"a", "é"}
	whole.Observed, whole.Expected, whole.Lat, whole.Lng, whole.Detail = 0.9, 0.25, traffic.Some(48.5), traffic.Some(-2.25), "a jam"
	older, twin := alert(0, "z"), alert(5, "b")
	check(t, s.PutAlerts(context.Background(), []traffic.Alert{older, whole, twin, twin}))
	check(t, s.PutAlerts(context.Background(), nil))
	whole.Road = "é\ufffd"
	for limit := 1; limit <= 3; limit++ {
		equal(t, "all", alerts(t, s, store.AlertQuery{}, limit), []traffic.Alert{twin, whole, older})
	}
	equal(t, "active", alerts(t, s, store.AlertQuery{State: store.AlertActive}, 1), []traffic.Alert{twin, older})
	equal(t, "ended", alerts(t, s, store.AlertQuery{State: store.AlertEnded}, 1), []traffic.Alert{whole})
	equal(t, "of a time", alerts(t, s, store.AlertQuery{From: minute(0), To: minute(5)}, 1), []traffic.Alert{older})

	older.End, older.Updated = minute(60), minute(60)
	check(t, s.PutAlerts(context.Background(), []traffic.Alert{older}))
	equal(t, "ended later", alerts(t, s, store.AlertQuery{State: store.AlertEnded}, 5), []traffic.Alert{whole, older})
	bad := alert(9, "x")
	bad.Observed = math.NaN()
	if err := s.PutAlerts(context.Background(), []traffic.Alert{alert(9, "y"), bad}); err == nil {
		t.Error("an alert with NaN was stored")
	}
	equal(t, "nothing of the bad batch", len(alerts(t, s, store.AlertQuery{From: minute(9)}, 5)), 0)
	if _, _, err := s.Alerts(context.Background(), store.AlertQuery{Page: store.Page{After: "x"}}); err == nil {
		t.Error("a cursor of nobody was taken")
	}
}

// A shard replaces what it said, and shards that are no more go.
func testSkills(t *testing.T, s store.Store) {
	ctx := context.Background()
	read := func() []traffic.Skill { return must(s.Skills(ctx))(t) }
	equal(t, "empty", len(read()), 0)
	whole := traffic.Skill{
		Model: "mlp", HorizonMin: 30, Group: "primary", Through: time.Date(2026, 3, 2, 8, 0, 0, 1000, time.UTC), Served: true, Demoted: true,
		Weight: 1.5, AbsErr: 0.25, Err: -0.125, Intervals: 1.25, Covered: 1,
		Persistence: traffic.Duel{Weight: 1, Own: 2, Other: 3}, Profile: traffic.Duel{Weight: 4, Own: 5, Other: 6},
	}
	other := traffic.Skill{Model: "a\xff", HorizonMin: 5, Group: "trunk", Through: minute(0)}
	check(t, s.PutSkills(ctx, 0, 3, []traffic.Skill{whole, other}))
	check(t, s.PutSkills(ctx, 2, 3, []traffic.Skill{whole}))
	far := whole
	far.Shard, other.Model = 2, "a\ufffd"
	equal(t, "two shards", read(), []traffic.Skill{other, whole, far})
	whole.Weight = 7
	check(t, s.PutSkills(ctx, 0, 2, []traffic.Skill{whole, whole}))
	equal(t, "one shard", read(), []traffic.Skill{whole})
	bad := whole
	bad.Err = math.Inf(1)
	if err := s.PutSkills(ctx, 0, 1, []traffic.Skill{bad}); err == nil {
		t.Error("a skill with an infinite sum was stored")
	}
	equal(t, "still", read(), []traffic.Skill{whole})
}
