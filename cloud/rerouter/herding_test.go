package rerouter

import (
	"math"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// forecastAt is a forecast of a later cycle.
func forecastAt(minutes int, road string, score float64) traffic.Prediction {
	p := congested(road, score)
	p.At = cycleAt.Add(time.Duration(minutes) * time.Minute)
	return p
}

// withFlow is a jam that so many vehicles an hour get through.
func withFlow(road string, vph float64) traffic.Reading {
	r := jam(road)
	r.Flow = traffic.Some(vph)
	return r
}

// The lane can take 100 vehicles an hour more; a fifth of the 500 on main.
func TestANarrowDetourIsAdvisedToFew(t *testing.T) {
	roads := block()
	for i := range roads {
		roads[i].CapacityVPH = traffic.Some(1000)
	}
	roads[3].CapacityVPH = traffic.Some(400) // up
	tn := newTown(t, Default(), roads)
	tn.measure(withFlow("main", 500), traffic.Reading{Road: "up", Speed: traffic.Some(50), Flow: traffic.Some(280)})
	tn.forecast(congested("main", 0.93))
	rs := tn.adviseNow()
	if len(rs) != 1 || math.Abs(rs[0].Share-0.2) > 1e-9 {
		t.Errorf("%+v: want one piece for a fifth", rs)
	}
}

func TestADetourThatIsFullIsNotAdvised(t *testing.T) {
	roads := block()
	for i := range roads {
		roads[i].CapacityVPH = traffic.Some(1000)
	}
	tn := newTown(t, Default(), roads)
	tn.measure(withFlow("main", 500), traffic.Reading{Road: "down", Speed: traffic.Some(45), Flow: traffic.Some(940)})
	tn.forecast(congested("main", 0.93))
	if rs := tn.adviseNow(); len(rs) != 0 {
		t.Errorf("advised to jam down: %+v", rs)
	}
	if n := tn.count("cityflow_rerouter_congested_roads_total", "moves_jam"); n != 1 {
		t.Errorf("moves_jam: %g, want 1", n)
	}
}

// Two jams whose detours share the road down: what the first is sent leaves no room for
// the second.
func TestAdviceLeavesRoomForOtherAdvice(t *testing.T) {
	roads := append(block(), arc("main2", "a2", "b", 600), arc("up2", "a2", "c", 200), arc("in2", "x2", "a2", 300))
	for i := range roads {
		roads[i].CapacityVPH = traffic.Some(1000)
	}
	tn := newTown(t, Default(), roads)
	tn.measure(withFlow("main", 600), withFlow("main2", 400), traffic.Reading{Road: "down", Speed: traffic.Some(50), Flow: traffic.Some(640)})
	tn.forecast(congested("main", 0.93), congested("main2", 0.93))
	rs := tn.adviseNow()
	// 310 fit: half of 600 on main, and 10 are too few of the 400 on main2.
	if len(rs) != 1 || rs[0].Route != "main" || rs[0].Share != 0.5 {
		t.Errorf("%+v: want half of main alone", rs)
	}
}

// A score that wavers round the threshold of 0.6 does not make advice come and go.
func TestAdviceDoesNotFlap(t *testing.T) {
	tn := newTown(t, Default(), block())
	tn.measure(jam("main"))
	given := func(minutes int, score float64) bool {
		p := forecastAt(minutes, "main", score)
		p.Speed = traffic.Some(6) // slow all the time
		tn.forecast(p)
		return len(tn.adviseNow()) == 1
	}
	for i, step := range []struct {
		score float64
		want  bool
	}{{0.58, false}, {0.61, true}, {0.58, true}, {0.55, true}, {0.50, false}, {0.58, false}, {0.62, true}} {
		if got := given(i, step.score); got != step.want {
			t.Errorf("step %d, score %g: advised %v, want %v", i, step.score, got, step.want)
		}
	}
}

// Of two detours that are nearly as good, the one in force stays.
func TestTheDetourStaysUnlessAnotherIsClearlyBetter(t *testing.T) {
	roads := append(block(), arc("up2", "a", "e", 200), arc("down2", "e", "b", 600))
	tn := newTown(t, Default(), roads)
	alt := func(minutes int, up, up2 float64) traffic.RoadID {
		at := cycleAt.Add(time.Duration(minutes) * time.Minute)
		tn.measure(traffic.Reading{Road: "main", Speed: traffic.Some(6), At: at},
			traffic.Reading{Road: "up", Speed: traffic.Some(up), At: at}, traffic.Reading{Road: "up2", Speed: traffic.Some(up2), At: at})
		tn.forecast(forecastAt(minutes, "main", 0.93))
		rs := tn.adviseNow()
		if len(rs) != 1 {
			t.Fatalf("%d pieces of advice", len(rs))
		}
		return rs[0].Alt
	}
	for i, step := range []struct {
		up, up2 float64
		want    traffic.RoadID
	}{{50, 48, "up"}, {46, 48, "up"}, {48, 46, "up"}, {12, 49, "up2"}, {49, 46, "up2"}} {
		if got := alt(i, step.up, step.up2); got != step.want {
			t.Errorf("step %d: by %s, want %s", i, got, step.want)
		}
	}
}
