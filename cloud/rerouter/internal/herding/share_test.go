package herding_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/herding"
)

var usual = herding.Limits{MinGainSeconds: 15, MaxLoad: 0.95, MaxShare: 0.5}

// A free motorway beside a jam takes all that may be sent.
func TestAnEmptyDetourTakesTheMost(t *testing.T) {
	way := []herding.Road{{Seconds: 600, FlowVPH: 1000, CapacityVPH: 1000}}
	path := []herding.Road{{Seconds: 60, FlowVPH: 500, CapacityVPH: 6000}}
	if e := herding.Share(way, path, 800, usual); e.Share != 0.5 {
		t.Errorf("%+v: want half", e)
	}
}

// 400 of 600 vehicles an hour are taken; 0.95·600−400 = 170 more fit, 21 % of 800.
func TestANarrowDetourTakesWhatFits(t *testing.T) {
	way := []herding.Road{{Seconds: 600, FlowVPH: 1000, CapacityVPH: 1000}}
	path := []herding.Road{{Seconds: 60, FlowVPH: 400, CapacityVPH: 600}}
	e := herding.Share(way, path, 800, usual)
	if e.Share != 0.21 {
		t.Errorf("%+v: want 21 %%", e)
	}
	// 60 s · (1+0.15·(568/600)⁴)/(1+0.15·(400/600)⁴)
	if want := 60 * (1 + 0.15*math.Pow(568.0/600, 4)) / (1 + 0.15*math.Pow(400.0/600, 4)); math.Abs(e.PathSeconds-want) > 1e-9 {
		t.Errorf("the detour then takes %g s, want %g", e.PathSeconds, want)
	}
}

// Each vehicle that leaves makes the way faster: with 5 % gone, 100 s become 87,
// with 6 % they become 84.5, and 14.5 s are not enough.
func TestTheGainThatIsLeftCounts(t *testing.T) {
	way := []herding.Road{{Seconds: 100, FlowVPH: 2000, CapacityVPH: 1000}}
	path := []herding.Road{{Seconds: 70, FlowVPH: 10, CapacityVPH: 9000}}
	e := herding.Share(way, path, 2000, usual)
	if e.Share != 0.05 || math.Abs(e.WaySeconds-86.9) > 0.05 {
		t.Errorf("%+v: want 5 %%", e)
	}
}

func TestAFullDetourTakesNobody(t *testing.T) {
	way := []herding.Road{{Seconds: 600, FlowVPH: 1000, CapacityVPH: 1000}}
	for _, r := range []herding.Road{{Seconds: 60, FlowVPH: 960, CapacityVPH: 1000}, {Seconds: 590, FlowVPH: 1, CapacityVPH: 1000}} {
		if e := herding.Share(way, []herding.Road{r}, 800, usual); e.Share != 0 {
			t.Errorf("%+v: %+v, want nobody", r, e)
		}
	}
}

// No percent more would keep the limits, and the effect is that of the share.
func TestTheShareIsTheLargest(t *testing.T) {
	road := rapid.Custom(func(t *rapid.T) herding.Road {
		return herding.Road{
			Seconds: rapid.Float64Range(1, 300).Draw(t, "seconds"), FlowVPH: rapid.Float64Range(1, 3000).Draw(t, "flow"),
			CapacityVPH: rapid.Float64Range(300, 4000).Draw(t, "capacity"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		way, path := rapid.SliceOfN(road, 1, 4).Draw(t, "way"), rapid.SliceOfN(road, 1, 4).Draw(t, "path")
		movable := rapid.Float64Range(1, 3000).Draw(t, "movable")
		best := herding.Share(way, path, movable, usual)
		for percent := 1; percent <= 50; percent++ {
			l := usual
			l.MaxShare = float64(percent) / 100
			e := herding.Share(way, path, movable, l)
			if e.Share > best.Share || (best.Share >= l.MaxShare && e.Share != l.MaxShare) {
				t.Fatalf("at most %d %%: %+v, at most 50 %%: %+v", percent, e, best)
			}
		}
		if back := herding.LoadOf(1 + 0.15*math.Pow(0.8, 4)); math.Abs(back-0.8) > 1e-9 {
			t.Fatalf("load %g, want 0.8", back)
		}
	})
}
