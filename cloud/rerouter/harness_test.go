package rerouter

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cycleAt is the prediction cycle of most tests.
var cycleAt = time.Date(2024, 3, 5, 7, 30, 0, 0, time.UTC)

// A town is a rerouter with a real store and bus.
type town struct {
	t     testing.TB
	store *sqlite.Store
	bus   *inproc.Bus
	reg   *prometheus.Registry
	*Rerouter
}

func newTown(t testing.TB, cfg Config, roads []traffic.Road) *town {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "town.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	b := inproc.New()
	t.Cleanup(func() { _ = b.Close() })
	reg := prometheus.NewRegistry()
	r, err := New(cfg, st, b, nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	tn := &town{t: t, store: st, bus: b, reg: reg, Rerouter: r}
	if len(roads) > 0 {
		tn.putRoads(roads)
	}
	return tn
}

func (tn *town) putRoads(roads []traffic.Road) {
	tn.t.Helper()
	if err := tn.store.PutRoads(tn.t.Context(), roads); err != nil {
		tn.t.Fatal(err)
	}
}

// measure stores readings taken just before the cycle.
func (tn *town) measure(readings ...traffic.Reading) {
	tn.t.Helper()
	for i := range readings {
		if readings[i].At.IsZero() {
			readings[i].At = cycleAt.Add(-5 * time.Minute)
		}
		readings[i].Sensor = traffic.SensorID(readings[i].Road)
	}
	if _, err := tn.store.Append(tn.t.Context(), store.Delivery{Readings: readings}); err != nil {
		tn.t.Fatal(err)
	}
}

// forecast stores predictions for 30 minutes after the cycle.
func (tn *town) forecast(predictions ...traffic.Prediction) {
	tn.t.Helper()
	for i := range predictions {
		p := &predictions[i]
		if p.At.IsZero() {
			p.At = cycleAt
		}
		if p.HorizonMin == 0 {
			p.HorizonMin = 30
		}
		if p.Model == "" {
			p.Model = "ewma-lr-v2"
		}
	}
	if err := tn.store.PutPredictions(tn.t.Context(), predictions); err != nil {
		tn.t.Fatal(err)
	}
}

// adviseNow runs one cycle and returns the advice in force.
func (tn *town) adviseNow() []traffic.Reroute {
	tn.t.Helper()
	if err := tn.advise(tn.t.Context()); err != nil {
		tn.t.Fatal(err)
	}
	return tn.advice(traffic.RerouteProposed)
}

func (tn *town) advice(statuses ...traffic.RerouteStatus) []traffic.Reroute {
	tn.t.Helper()
	rs, _, err := tn.store.Reroutes(context.WithoutCancel(tn.t.Context()), store.RerouteQuery{Statuses: statuses, Page: store.Page{Limit: 1000}})
	if err != nil {
		tn.t.Fatal(err)
	}
	return rs
}

// count reads a counter or gauge; label is the value of its only label, if it has one.
func (tn *town) count(name, label string) float64 {
	tn.t.Helper()
	families, err := tn.reg.Gather()
	if err != nil {
		tn.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	tn.t.Fatalf("no metric %s %s", name, label)
	return 0
}

// arc is a road of a test's network.
func arc(id, from, to string, metres float64) traffic.Road {
	return traffic.Road{
		ID: traffic.RoadID(id), FromNode: traffic.NodeID(from), ToNode: traffic.NodeID(to),
		LengthM: traffic.Some(metres), FreeFlowKMH: traffic.Some(50),
	}
}

// block is a street with a parallel one: main from a to b, and up, down around it.
func block() []traffic.Road {
	return []traffic.Road{
		arc("in", "x", "a", 300), arc("main", "a", "b", 600), arc("out", "b", "y", 300),
		arc("up", "a", "c", 200), arc("down", "c", "b", 600),
	}
}

func jam(road string) traffic.Reading {
	return traffic.Reading{Road: traffic.RoadID(road), Speed: traffic.Some(6)}
}

func congested(road string, score float64) traffic.Prediction {
	return traffic.Prediction{Road: traffic.RoadID(road), Score: score, Confidence: 0.8}
}
