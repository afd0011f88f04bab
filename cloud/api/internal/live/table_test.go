package live

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/cloud/api/internal/network"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Paging through a list with any limit gives each row once, in order, also when rows
// are added meanwhile.
func TestPagesAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := NewPicture(unnamed, time.Now)
		id := rapid.StringMatching(`[a-d]{1,3}`)
		before := rapid.SliceOfNDistinct(id, 0, 30, rapid.ID[string]).Draw(t, "roads")
		add := func(ids ...string) {
			var news []traffic.RoadState
			for _, id := range ids {
				news = append(news, state(id, 0, 1))
			}
			p.applyRoads(news)
		}
		add(before...)
		limit := rapid.IntRange(1, 7).Draw(t, "limit")
		var seen []string
		var after traffic.RoadID
		for {
			part, err := p.States(func(traffic.RoadID) bool { return true }, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range part.Items {
				var r struct {
					Road string `json:"road_id"`
				}
				if err := json.Unmarshal(text, &r); err != nil {
					t.Fatal(err)
				}
				seen = append(seen, r.Road)
			}
			if !part.More {
				break
			}
			after = part.Last
			add(id.Draw(t, "meanwhile"))
		}
		if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
			t.Fatalf("not in order, or twice: %v", seen)
		}
		for _, id := range before {
			if !slices.Contains(seen, id) {
				t.Fatalf("%s is missing in %v", id, seen)
			}
		}
	})
}

// A late reading changes nothing; one of the same moment, from another sensor, does.
func TestNewerWins(t *testing.T) {
	tab := newTable(cmp.Compare[string], func(v *time.Time) time.Time { return *v }, func(v *time.Time) any { return v })
	put := func(rev uint64, at time.Time) { tab.put(rev, []string{"k"}, []time.Time{at}) }
	put(1, noon)
	first, err := tab.json(tab.rows["k"])
	if err != nil || string(first) != `"2026-08-24T12:00:00Z"` {
		t.Fatalf("%s %v", first, err)
	}
	tab.announce(7)
	put(2, noon.Add(-time.Second))
	if r := tab.rows["k"]; r.dirty || r.seq != 7 || !r.value.Equal(noon) {
		t.Errorf("a late value: %+v", r)
	}
	put(3, noon)
	if r := tab.rows["k"]; !r.dirty || r.touched != 3 {
		t.Errorf("a value of the same moment: %+v", r)
	}
	put(4, noon.Add(time.Second))
	if text, _ := tab.json(tab.rows["k"]); string(text) != `"2026-08-24T12:00:01Z"` {
		t.Errorf("JSON of before: %s", text)
	}
	if changed := tab.announce(8); len(changed) != 1 || changed[0].seq != 8 || len(tab.announce(9)) != 0 {
		t.Errorf("announced %v", changed)
	}
}

// Clients that follow everything get the very same bytes, encoded once; a filtered
// client gets its own.
func TestMessagesAreShared(t *testing.T) {
	p := NewPicture(unnamed, time.Now)
	if err := p.reconcile(p.Revision(), held{}); err != nil {
		t.Fatal(err)
	}
	next := func(v *view) message {
		t.Helper()
		msgs, err := v.next()
		if err != nil || len(msgs) != 1 {
			t.Fatalf("%v %v", msgs, err)
		}
		return msgs[0]
	}
	follow := func(s Subscription) *view {
		v := &view{picture: p, network: func() *network.Roads { return nil }}
		v.subscribe(s)
		return v
	}
	a, b, c := follow(Subscription{}), follow(Subscription{}), follow(Subscription{Roads: []traffic.RoadID{"x"}})
	if next(a).prepared != next(b).prepared || next(c).prepared != nil {
		t.Error("snapshots")
	}
	p.applyRoads([]traffic.RoadState{state("x", 1, 1), state("y", 1, 1)})
	p.tick(false)
	ma, mb, mc := next(a), next(b), next(c)
	if ma.prepared == nil || ma.prepared != mb.prepared {
		t.Error("updates are encoded for each client")
	}
	if mc.prepared != nil || len(mc.text) >= len(ma.text) {
		t.Errorf("the filtered client got %s", mc.text)
	}
	if msgs, err := a.next(); err != nil || len(msgs) != 0 {
		t.Errorf("told twice: %v %v", msgs, err)
	}
}

// Forecasts may be held back while traffic goes on; none is lost.
func TestForecastsWaitForTheirTurn(t *testing.T) {
	p := NewPicture(unnamed, time.Now)
	if err := p.reconcile(p.Revision(), held{}); err != nil {
		t.Fatal(err)
	}
	v := &view{picture: p, network: func() *network.Roads { return nil }}
	v.subscribe(Subscription{})
	if _, err := v.next(); err != nil {
		t.Fatal(err)
	}
	p.applyPredictions([]traffic.Prediction{prediction("x", 0, 30, 0.1)})
	if p.tick(false) {
		t.Error("a tick without forecasts announced something")
	}
	p.applyRoads([]traffic.RoadState{state("x", 1, 1)})
	p.tick(false)
	if msgs, _ := v.next(); len(msgs) != 1 || msgs[0].kind != "traffic_update" {
		t.Errorf("%v", msgs)
	}
	p.applyPredictions([]traffic.Prediction{prediction("x", 5, 30, 0.2), prediction("x", 5, 60, 0.2)})
	p.tick(true)
	msgs, _ := v.next()
	if len(msgs) != 1 || msgs[0].kind != "predictions" {
		t.Fatalf("%v", msgs)
	}
	var m struct {
		Data []struct {
			Score float64 `json:"congestion_score"`
		}
	}
	if err := json.Unmarshal(msgs[0].text, &m); err != nil || len(m.Data) != 1 || m.Data[0].Score != 0.2 {
		t.Errorf("%s %v", msgs[0].text, err)
	}
}
