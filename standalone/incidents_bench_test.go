package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/predictor"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/roadnet/synth"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/city"
	"github.com/2zrhun/city-flow/simulator/source"
)

// noticeable is how much of a road an incident must close, and how long, for sensors to
// see anything of it.
const noticeable = 15 * time.Minute

// BenchmarkIncidents runs the predictor over two days of a synthetic city of 400 roads and
// holds its alerts against the incidents that the city had. An incident counts as found when
// an alert that touches its road or one beside it begins while it lasts or in the
// 20 minutes after. The first six hours are not counted: nothing is known then.
func BenchmarkIncidents(b *testing.B) {
	begin := time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC)
	end := begin.Add(48 * time.Hour)
	for b.Loop() {
		net := synth.Generate(synth.Params{Seed: 3, Arcs: 400})
		cfg := city.DefaultConfig()
		cfg.Seed, cfg.Interval, cfg.Speed, cfg.Start, cfg.Until, cfg.IncidentsPerDay = 3, 5*time.Minute, source.SpeedMax, begin, end, 40
		c, err := city.New(cfg, net)
		if err != nil {
			b.Fatal(err)
		}
		db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "city.db"), nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := db.PutRoads(b.Context(), net.Roads); err != nil {
			b.Fatal(err)
		}
		fill(b, c, db)
		alerts := predictAll(b, db, end)
		all := slices.DeleteFunc(c.Incidents(begin, end), func(in city.Incident) bool {
			return in.Begin.Before(begin.Add(6*time.Hour)) || in.End.After(end) || in.End.Sub(in.Begin) < noticeable
		})
		grade(b, "all", alerts, all, net.Roads)
		all = slices.DeleteFunc(all, func(in city.Incident) bool { return !slowed(b, db, in) })
		grade(b, "slowing", alerts, all, net.Roads)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// fill stores everything that a city measures.
func fill(b *testing.B, c *city.City, db *sqlite.Store) {
	b.Helper()
	var batch []traffic.Reading
	put := func() error {
		_, err := db.Append(b.Context(), store.Delivery{Readings: batch})
		batch = batch[:0]
		return err
	}
	err := c.Run(b.Context(), func(_ context.Context, rs []traffic.Reading) error {
		if batch = append(batch, rs...); len(batch) < 5000 {
			return nil
		}
		return put()
	})
	if err == nil {
		err = put()
	}
	if err != nil {
		b.Fatal(err)
	}
}

// predictAll runs a predictor until it has caught up, and returns the alerts.
func predictAll(b *testing.B, db *sqlite.Store, end time.Time) []traffic.Alert {
	b.Helper()
	cfg := predictor.Default()
	cfg.Training.Off = true
	p, err := predictor.New(cfg, predictor.Deps{Store: db, News: inproc.New()}, nil, prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	for last := (time.Time{}); last.Before(end.Add(-5 * time.Minute)); time.Sleep(time.Second) {
		for _, m := range cfg.Models {
			at, err := db.LastCycle(b.Context(), m)
			if err != nil {
				b.Fatal(err)
			}
			if at.After(last) {
				last = at
			}
		}
	}
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	out, _, err := db.Alerts(b.Context(), store.AlertQuery{From: end.Add(-42 * time.Hour), Page: store.Page{Limit: 100_000}})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// slowed reports whether an incident made its road slower than 0.7 of what it was in the
// half-hour before: many close a part of a road that nobody needs.
func slowed(b *testing.B, db *sqlite.Store, in city.Incident) bool {
	b.Helper()
	mean := func(from, to time.Time) (float64, bool) {
		got, err := db.Buckets(b.Context(), store.BucketQuery{Roads: []traffic.RoadID{in.Road}, From: from, To: to, Width: 5 * time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		sum, n := 0.0, 0.0
		for i := range got {
			if v, ok := got[i].Speed.Get(); ok {
				sum, n = sum+v, n+1
			}
		}
		return sum / max(1, n), n > 0
	}
	before, known := mean(in.Begin.Add(-30*time.Minute), in.Begin)
	during, also := mean(in.Begin.Add(5*time.Minute), in.End)
	return known && also && during < 0.7*before
}

// grade prints recall, precision and delay.
func grade(b *testing.B, name string, alerts []traffic.Alert, incidents []city.Incident, roads []traffic.Road) {
	b.Helper()
	near := beside(roads)
	right := map[int]bool{}
	found, delay := 0, 0.0
	for _, in := range incidents {
		best := time.Duration(-1)
		for i := range alerts {
			a := &alerts[i]
			if a.Start.Before(in.Begin.Add(-5*time.Minute)) || a.Start.After(in.End.Add(20*time.Minute)) || !touches(a, near[in.Road]) {
				continue
			}
			right[i] = true
			if d := a.Start.Sub(in.Begin); best < 0 || d < best {
				best = max(0, d)
			}
		}
		if best >= 0 {
			found++
			delay += best.Minutes()
		}
	}
	fmt.Printf("BENCH incident_city_%s_recall %.2f (%d of %d incidents)\n", name, float64(found)/max(1, float64(len(incidents))), found, len(incidents))
	fmt.Printf("BENCH incident_city_%s_precision %.2f (%d of %d alerts)\n", name, float64(len(right))/max(1, float64(len(alerts))), len(right), len(alerts))
	fmt.Printf("BENCH incident_city_%s_delay_min %.1f min from its begin to the alert's start\n", name, delay/max(1, float64(found)))
}

// beside are the roads that begin or end where a road does, and the road.
func beside(roads []traffic.Road) map[traffic.RoadID]map[traffic.RoadID]bool {
	at := map[traffic.NodeID][]traffic.RoadID{}
	for i := range roads {
		at[roads[i].FromNode] = append(at[roads[i].FromNode], roads[i].ID)
		at[roads[i].ToNode] = append(at[roads[i].ToNode], roads[i].ID)
	}
	out := map[traffic.RoadID]map[traffic.RoadID]bool{}
	for i := range roads {
		r := &roads[i]
		out[r.ID] = map[traffic.RoadID]bool{r.ID: true}
		for _, n := range []traffic.NodeID{r.FromNode, r.ToNode} {
			for _, o := range at[n] {
				out[r.ID][o] = true
			}
		}
	}
	return out
}

func touches(a *traffic.Alert, roads map[traffic.RoadID]bool) bool {
	for _, r := range a.Roads {
		if roads[r] {
			return true
		}
	}
	return false
}
