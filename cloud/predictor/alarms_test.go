package predictor

import (
	"context"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// standstill is a history in which nothing moved before a time.
type standstill struct {
	History
	until time.Time
}

func (s standstill) Buckets(ctx context.Context, q store.BucketQuery) ([]traffic.Bucket, error) {
	out, err := s.History.Buckets(ctx, q)
	for i := range out {
		if out[i].Start.Before(s.until) {
			out[i].Speed = traffic.Some(0)
		}
	}
	return out, err
}

// street is four roads one after the other.
func street() []traffic.Road {
	var out []traffic.Road
	nodes := []traffic.NodeID{"A", "B", "C", "D", "E"}
	for i, id := range []traffic.RoadID{"r0", "r1", "r2", "r3"} {
		out = append(out, traffic.Road{
			ID: id, Label: "Street " + string(id), FromNode: nodes[i], ToNode: nodes[i+1], Class: traffic.ClassPrimary,
			Lat: traffic.Some(48.8), Lng: traffic.Some(2.3 + float64(i)/100),
		})
	}
	return out
}

// TestIncident: two roads of a street stop for an hour. The alert says where and since
// when, is told, and ends, with a restart in between.
func TestIncident(t *testing.T) {
	b := newBenchWith(t, allButNet())
	if err := b.db.PutRoads(t.Context(), street()); err != nil {
		t.Fatal(err)
	}
	news := inproc.New()
	b.news = news
	defer news.Close()
	heard, err := news.Subscribe(t.Context(), bus.TopicAlerts)
	if err != nil {
		t.Fatal(err)
	}
	list := func(state store.AlertState) []traffic.Alert {
		got, _, err := b.db.Alerts(t.Context(), store.AlertQuery{State: state})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for k := range 60 {
		at := day.Add(time.Duration(k) * 5 * time.Minute)
		for i, r := range street() {
			v := 50.0
			if k >= 30 && k < 42 && (i == 1 || i == 2) {
				v = 8
			}
			b.add(speed(string(r.ID), at, v))
		}
		b.do(b.r.catchUp)
		switch k {
		case 30:
			if got := list(""); len(got) != 0 {
				t.Fatalf("before it: %+v", got)
			}
		case 33:
			if got := list(store.AlertActive); len(got) != 1 || !got[0].Start.Equal(day.Add(150*time.Minute)) || len(got[0].Roads) != 2 {
				t.Fatalf("ten minutes into it: %+v", got)
			}
			if e := <-heard; len(e.Alerts) != 1 || !e.Alerts[0].Active() || e.Alerts[0].Lat.Or(0) != 48.8 || e.Alerts[0].Observed < 0.8 {
				t.Errorf("told %+v", e)
			}
			b.restart()
			b.news = news
		}
	}
	got := list("")
	if len(got) != 1 || !got[0].End.Equal(day.Add(210*time.Minute)) || got[0].Severity != traffic.SeveritySevere {
		t.Errorf("in the end: %+v", got)
	}
	e := <-heard
	if len(e.Alerts) != 1 || e.Alerts[0].Active() {
		t.Errorf("told of the end: %+v", e)
	}
}
