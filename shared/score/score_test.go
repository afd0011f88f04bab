package score

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// seedScore is the seed's computeCongestionScore, copied.
func seedScore(avgSpeed, avgOccupancy, avgFlow float64) float64 {
	speedScore := 1.0 - (avgSpeed / 90.0)
	occupancyScore := avgOccupancy
	flowScore := avgFlow / 120.0

	score := float64(0.4*speedScore) + float64(0.4*occupancyScore) + float64(0.2*flowScore)
	return math.Max(0.0, math.Min(1.0, score))
}

func some(v float64) traffic.Value { return traffic.Some(v) }

func TestV1EqualsSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(0, 250).Draw(t, "speed")
		k := rapid.Float64Range(0, 1).Draw(t, "occupancy")
		q := rapid.Float64Range(0, 20000).Draw(t, "flow")
		got, ok := V1(some(v), some(k), some(q))
		if want := seedScore(v, k, q); !ok || got != want {
			t.Fatalf("got %v, %v; the seed gives %v", got, ok, want)
		}
	})
}

func TestV1Golden(t *testing.T) {
	var none traffic.Value
	for name, c := range map[string]struct {
		speed, occupancy, flow traffic.Value
		want                   float64
	}{
		"urban free flow":          {some(50), some(0), some(0), 0.4 * (1 - 50.0/90)},
		"the protocol's example":   {some(31.5), some(0.17), some(840), 0.4*0.65 + 0.4*0.17 + 0.2*7},
		"standstill":               {some(0), some(1), some(120), 1},
		"faster than 90":           {some(130), some(0), some(0), 0},
		"speed only":               {some(45), none, none, 0.5},
		"occupancy only":           {none, some(0.17), none, 0.17},
		"flow only":                {none, none, some(60), 0.5},
		"without flow":             {some(45), some(0.25), none, (0.5 + 0.25) / 2},
		"without speed":            {none, some(0.25), some(60), (0.4*0.25 + 0.2*0.5) / 0.6},
		"without occupancy":        {some(45), none, some(60), 0.5},
		"flow saturates the scale": {none, none, some(840), 1},
	} {
		got, ok := V1(c.speed, c.occupancy, c.flow)
		if !ok || math.Abs(got-min(1, c.want)) > 1e-12 {
			t.Errorf("%s: got %v, %v; want %v", name, got, ok, c.want)
		}
	}
	if _, ok := V1(none, none, none); ok {
		t.Error("all absent: got a score")
	}
}

func genMaybe(limit float64) *rapid.Generator[traffic.Value] {
	return rapid.Custom(func(t *rapid.T) traffic.Value {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return traffic.Value{}
		case 1:
			return some(0)
		}
		return some(rapid.Float64Range(0, limit).Draw(t, "v"))
	})
}

func genReference() *rapid.Generator[Reference] {
	return rapid.Custom(func(t *rapid.T) Reference {
		return Reference{
			FreeFlowKMH: rapid.Float64Range(-1, 130).Draw(t, "free flow"),
			CapacityVPH: rapid.Float64Range(-1, 8000).Draw(t, "capacity"),
		}
	})
}

func TestV2Properties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := traffic.Reading{Speed: genMaybe(250).Draw(t, "speed"), Flow: genMaybe(20000).Draw(t, "flow"), Occupancy: genMaybe(1).Draw(t, "occupancy")}
		ref := genReference().Draw(t, "reference")
		s, ok := V2(&r, ref)
		if want := r.Speed.Known() || r.Flow.Known() || r.Occupancy.Known(); ok != want {
			t.Fatalf("scored %v, want %v", ok, want)
		}
		if !(s >= 0 && s <= 1) {
			t.Fatalf("score %v", s)
		}
		if v, ok := r.Speed.Get(); ok {
			slower := r
			slower.Speed = some(v * rapid.Float64Range(0, 1).Draw(t, "slower"))
			if s2, _ := V2(&slower, ref); s2 < s {
				t.Fatalf("slower scored %v < %v", s2, s)
			}
		}
		if k, ok := r.Occupancy.Get(); ok {
			fuller := r
			fuller.Occupancy = some(k + (1-k)*rapid.Float64Range(0, 1).Draw(t, "fuller"))
			s2, _ := V2(&fuller, ref)
			if s2 < s {
				t.Fatalf("fuller scored %v < %v", s2, s)
			}
			if !r.Speed.Known() && band(s) != operatorBand(k) {
				t.Fatalf("occupancy %v is band %d, score %v is band %d", k, operatorBand(k), s, band(s))
			}
		}
	})
}

// operatorBand counts the publisher's four states of traffic from 0.
func operatorBand(k float64) int {
	switch {
	case k < 0.15:
		return 0
	case k < 0.30:
		return 1
	case k < 0.50:
		return 2
	}
	return 3
}

func band(s float64) int { return min(3, int(s*4)) }

func TestV2Values(t *testing.T) {
	var none traffic.Value
	ref := Reference{FreeFlowKMH: 50, CapacityVPH: 1000}
	for name, c := range map[string]struct {
		speed, occupancy, flow traffic.Value
		want                   float64
	}{
		"free flow":                     {some(50), none, none, 0},
		"above free flow":               {some(70), none, none, 0},
		"half speed":                    {some(25), none, none, 0.5},
		"standstill":                    {some(0), none, none, 1},
		"fluid":                         {none, some(0.075), some(500), 0.125},
		"pre-saturated begins":          {none, some(0.15), some(500), 0.25},
		"saturated begins":              {none, some(0.30), some(500), 0.5},
		"blocked begins":                {none, some(0.50), some(500), 0.75},
		"full":                          {none, some(1), some(0), 1},
		"fast over a blocked loop":      {some(50), some(0.5), some(500), 0.75},
		"slow over a fluid loop":        {some(10), some(0.1), some(500), 0.8},
		"nobody passed":                 {some(0), some(0), some(0), 0},
		"one passed, occupancy too low": {some(25), some(0), some(30), 0.5},
		"flow alone, half":              {none, none, some(500), 0.25},
		"flow alone, capacity":          {none, none, some(1000), 0.5},
		"flow alone, beyond":            {none, none, some(9000), FlowOnlyMax},
	} {
		r := traffic.Reading{Speed: c.speed, Occupancy: c.occupancy, Flow: c.flow}
		if got, ok := V2(&r, ref); !ok || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: got %v, %v; want %v", name, got, ok, c.want)
		}
	}
}

func TestPrior(t *testing.T) {
	classes := []traffic.Class{traffic.ClassMotorway, traffic.ClassTrunk, traffic.ClassPrimary, traffic.ClassSecondary, traffic.ClassTertiary, traffic.ClassResidential}
	for i, c := range classes[1:] {
		slow, fast := Prior(c), Prior(classes[i])
		if slow.FreeFlowKMH > fast.FreeFlowKMH || slow.CapacityVPH >= fast.CapacityVPH {
			t.Errorf("%s %+v is not below %s %+v", c, slow, classes[i], fast)
		}
	}
	if Prior("") != Prior(traffic.ClassSecondary) || Prior("footway") != Prior("") {
		t.Error("an unknown class is not secondary")
	}
}

func TestEstimateSpeed(t *testing.T) {
	var none traffic.Value
	ref := Reference{FreeFlowKMH: 50, CapacityVPH: 1000}
	for name, c := range map[string]struct {
		flow, occupancy traffic.Value
		want            float64
		ok              bool
	}{
		"steady":         {some(840), some(0.17), 840 * 6 / (1000 * 0.17), true},
		"clamped":        {some(840), some(0.01), 50, true},
		"standing":       {some(0), some(0.9), 0, true},
		"nobody":         {some(0), some(0), 0, false},
		"zero occupancy": {some(272), some(0), 0, false},
		"no flow":        {none, some(0.2), 0, false},
		"no occupancy":   {some(840), none, 0, false},
	} {
		got, ok := EstimateSpeed(c.flow, c.occupancy, ref)
		if ok != c.ok || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %v, %v; want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
	if got, _ := EstimateSpeed(some(9000), some(0.01), Reference{}); got != Prior("").FreeFlowKMH {
		t.Errorf("without a reference: got %v", got)
	}
}
