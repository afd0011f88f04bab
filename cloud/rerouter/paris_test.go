package rerouter

import (
	"slices"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// parisRoads are the real arcs, beside the repository.
func parisRoads(t testing.TB) []traffic.Road {
	t.Helper()
	file := realdata.Path(t, "paris-referentiel", "referentiel-comptages-routiers.geojson.gz")
	n, _, err := roadnet.Import(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return n.Roads
}

func BenchmarkCycleParis(b *testing.B) {
	tn, _ := parisMorning(b)
	for b.Loop() {
		if err := tn.advise(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// parisMorning has everything measured and about forty roads jammed.
func parisMorning(t testing.TB) (*town, map[traffic.RoadID]bool) {
	t.Helper()
	roads := parisRoads(t)
	tn := newTown(t, Default(), roads)
	var readings []traffic.Reading
	var predictions []traffic.Prediction
	jammed := make(map[traffic.RoadID]bool)
	for i := range roads {
		free := roads[i].FreeFlowKMH.Or(0)
		speed, score := 0.9*free, 1-0.9*free/90
		if i%67 == 0 && roads[i].LengthM.Or(0) > 100 {
			speed, score = 5, 1-5.0/90
			jammed[roads[i].ID] = true
		}
		readings = append(readings, traffic.Reading{Road: roads[i].ID, Speed: traffic.Some(speed)})
		predictions = append(predictions, congested(string(roads[i].ID), score))
	}
	tn.measure(readings...)
	tn.forecast(predictions...)
	if err := tn.loadNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tn, jammed
}

func TestParisMorning(t *testing.T) {
	tn, jammed := parisMorning(t)
	rs := tn.adviseNow()
	now, err := tn.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	tn.compute(now)
	took := time.Since(begin)
	t.Logf("%d of %d jams have a detour, computed in %v; the first: %s", len(rs), len(jammed), took, rs[0].Reason)
	if len(rs) < len(jammed)/3 {
		t.Errorf("%d pieces of advice for %d jams", len(rs), len(jammed))
	}
	if took > time.Second {
		t.Errorf("computing took %v", took)
	}
	byID := make(map[traffic.RoadID]traffic.Road)
	for _, r := range parisRoads(t) {
		byID[r.ID] = r
	}
	for _, r := range rs {
		checkReason(t, &r)
		if !jammed[r.Route] || slices.Contains(r.Path, r.Route) || r.ETAGainMin < 0.25 {
			t.Errorf("%+v", r)
		}
		for i := 1; i < len(r.Path); i++ {
			if byID[r.Path[i-1]].ToNode != byID[r.Path[i]].FromNode {
				t.Errorf("%v is not connected", r.Path)
			}
		}
	}
}
