package city

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/source"
)

// monday is the beginning of an ordinary working day in the default zone.
func monday(t *testing.T) time.Time {
	t.Helper()
	return time.Date(2026, 3, 2, 0, 0, 0, 0, DefaultConfig().Location)
}

// grid is a town of n by n junctions, 250 m apart, with a primary road through the
// middle of it in each direction.
func grid(n int) *roadnet.Network {
	var roads []traffic.Road
	node := func(x, y int) traffic.NodeID { return traffic.NodeID(fmt.Sprintf("%d/%d", x, y)) }
	point := func(x, y int) traffic.Point {
		return traffic.Point{Lat: 48.85 + 0.00225*float64(y), Lng: 2.35 + 0.0034*float64(x)}
	}
	add := func(x, y, tox, toy int) {
		if tox >= n || toy >= n || tox < 0 || toy < 0 {
			return
		}
		class := traffic.ClassTertiary
		if x == n/2 && tox == n/2 || y == n/2 && toy == n/2 {
			class = traffic.ClassPrimary
		}
		roads = append(roads, traffic.Road{
			ID: traffic.RoadID(fmt.Sprintf("%d/%d-%d/%d", x, y, tox, toy)), Class: class,
			FromNode: node(x, y), ToNode: node(tox, toy), LengthM: traffic.Some(250),
			Geometry: [][]traffic.Point{{point(x, y), point(tox, toy)}},
		})
	}
	for x := range n {
		for y := range n {
			add(x, y, x+1, y)
			add(x, y, x-1, y)
			add(x, y, x, y+1)
			add(x, y, x, y-1)
		}
	}
	return roadnet.FromRoads(roads)
}

func newCity(t *testing.T, change func(*Config)) *City {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Speed = source.SpeedMax
	cfg.IncidentsPerDay = 0
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg, grid(10))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drive runs the flow from one time to another and returns the share of the links that
// run at less than 60 % of free flow.
func drive(c *City, from, to time.Time) float64 {
	for t := from; t.Before(to); t = t.Add(Step) {
		c.advance(t)
	}
	slow := 0
	for i := range c.links {
		if c.flow.speed(i) < 0.6*c.links[i].free {
			slow++
		}
	}
	return float64(slow) / float64(len(c.links))
}

func TestDayHasTwoRushHoursAndRecovers(t *testing.T) {
	c, day := newCity(t, nil), monday(t)
	at := func(h float64) time.Time { return day.Add(time.Duration(h * float64(time.Hour))) }
	night := drive(c, day, at(4))
	morning := drive(c, at(4), at(8.75))
	noon := drive(c, at(8.75), at(11.5))
	evening := drive(c, at(11.5), at(18.25))
	late := drive(c, at(18.25), at(23))
	t.Logf("slow links: night %.3f, morning %.3f, noon %.3f, evening %.3f, late %.3f", night, morning, noon, evening, late)
	if night != 0 || late != 0 {
		t.Errorf("the city is not free at night: %.3f, %.3f", night, late)
	}
	if morning < 0.02 || evening < 0.02 || morning > 0.5 || evening > 0.5 {
		t.Errorf("rush hours jam %.3f and %.3f of the links, want a visible part and not all", morning, evening)
	}
	if noon >= morning || noon >= evening {
		t.Errorf("noon (%.3f) is as bad as the rush hours (%.3f, %.3f)", noon, morning, evening)
	}
}

func TestWeekendIsQuieter(t *testing.T) {
	p := profile{DefaultConfig().Location}
	monday := monday(t).Add(8*time.Hour + 15*time.Minute)
	in, gates := p.at(monday)
	sin, sgates := p.at(monday.AddDate(0, 0, 6))
	if sin >= in/2 || sgates >= gates/2 {
		t.Errorf("Sunday 8:15 has %.2f, %.2f of the trips, Monday %.2f, %.2f", sin, sgates, in, gates)
	}
}

func TestVehiclesAreConserved(t *testing.T) {
	c, day := newCity(t, nil), monday(t)
	at := day.Add(8 * time.Hour)
	drive(c, day.Add(5*time.Hour), at)
	f := c.flow
	for range 100 {
		before, waiting := sum(f.n), sum(f.queue)
		inside, gates := c.profile.at(at)
		f.step(inside, gates)
		var born, gone float64
		for i := range f.links {
			l := &f.links[i]
			born += (inside*l.origin + gates*l.gate) * Step.Seconds()
			gone += f.send[i] * l.exit
			if f.n[i] < 0 || f.n[i] > l.jam+1e-9 {
				t.Fatalf("link %s holds %.3f vehicles, jam is %.3f", l.road.ID, f.n[i], l.jam)
			}
		}
		// Trips that found a full waiting place were given up, so at most born.
		if d := sum(f.n) + sum(f.queue) - before - waiting; d > born-gone+1e-6 {
			t.Fatalf("%.6f vehicles came out of nothing", d-(born-gone))
		}
		at = at.Add(Step)
	}
}

func TestIncidentSpillsBackUpstream(t *testing.T) {
	c, day := newCity(t, nil), monday(t)
	start := day.Add(11 * time.Hour)
	drive(c, start.Add(-3*time.Hour), start)
	// The middle of the primary road, eastbound.
	blocked := slices.IndexFunc(c.links, func(l link) bool { return l.road.ID == "5/5-6/5" })
	upstream := slices.IndexFunc(c.links, func(l link) bool { return l.road.ID == "4/5-5/5" })
	downstream := slices.IndexFunc(c.links, func(l link) bool { return l.road.ID == "6/5-7/5" })
	free := c.flow.speed(upstream)
	c.incidents = []incident{{link: blocked, begin: start, end: start.Add(30 * time.Minute), open: 0.05}}

	drive(c, start, start.Add(25*time.Minute))
	if v := c.flow.speed(blocked); v > 0.3*c.links[blocked].free {
		t.Errorf("the blocked road runs at %.1f m/s of %.1f", v, c.links[blocked].free)
	}
	if v := c.flow.speed(upstream); v > 0.6*free {
		t.Errorf("the queue did not reach upstream: %.1f m/s, %.1f before", v, free)
	}
	if v := c.flow.speed(downstream); v < 0.85*c.links[downstream].free {
		t.Errorf("downstream of the incident it is slow: %.1f m/s", v)
	}
	drive(c, start.Add(25*time.Minute), start.Add(80*time.Minute))
	if v := c.flow.speed(upstream); v < 0.85*free {
		t.Errorf("50 minutes after the incident upstream is still slow: %.1f m/s of %.1f", v, free)
	}
}

// record runs a city and copies what it emits.
func record(t *testing.T, c *City) []traffic.Reading {
	t.Helper()
	var all []traffic.Reading
	err := c.Run(t.Context(), func(_ context.Context, rs []traffic.Reading) error {
		all = append(all, rs...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReadingsAreValidOrderedAndRepeatable(t *testing.T) {
	day := monday(t)
	run := func(seed uint64) []traffic.Reading {
		return record(t, newCity(t, func(cfg *Config) {
			cfg.Seed, cfg.Start, cfg.Until = seed, day.Add(7*time.Hour), day.Add(9*time.Hour)
		}))
	}
	all := run(1)
	seen := make(map[string]bool)
	kinds := make(map[string]bool)
	for i, r := range all {
		if err := r.Validate(day.Add(9 * time.Hour)); err != nil {
			t.Fatalf("reading %d: %v", i, err)
		}
		if i > 0 && r.At.Before(all[i-1].At) {
			t.Fatalf("reading %d at %s comes after %s", i, r.At, all[i-1].At)
		}
		if r.At.Before(day.Add(7*time.Hour)) || r.At.Add(time.Minute).After(day.Add(9*time.Hour)) {
			t.Fatalf("reading %d at %s lies outside the hours asked for", i, r.At)
		}
		key := string(r.Sensor) + r.At.String()
		if seen[key] {
			t.Fatalf("%s twice", key)
		}
		seen[key] = true
		kinds[fmt.Sprint(r.Speed.Known(), r.Flow.Known(), r.Occupancy.Known())] = true
	}
	// 360 links, 120 minutes; some sensors are silent for a while.
	if len(all) < 360*110 || len(all) > 360*120 {
		t.Errorf("%d readings in two hours of 360 sensors", len(all))
	}
	for _, k := range []string{"true true true", "false true true", "true false false"} {
		if !kinds[k] {
			t.Errorf("no sensor measures speed, flow, occupancy = %s", k)
		}
	}
	if !slices.Equal(all, run(1)) {
		t.Error("the same seed and start gave other readings")
	}
	if slices.Equal(all, run(2)) {
		t.Error("another seed gave the same readings")
	}
}

func TestSensorsFailAndRecover(t *testing.T) {
	s, f := newSensor(3, 0, 12), newCity(t, nil).flow
	f.n[0] = f.links[0].critical
	f.out[0] = f.links[0].capacity * Step.Seconds()
	s.fault, s.faultEnds = silent, monday(t).Add(time.Minute)
	reported := func(at time.Time) bool {
		s.observe(f)
		_, ok := s.report("r", at, Step)
		return ok
	}
	if reported(monday(t)) {
		t.Error("a silent sensor reported")
	}
	if !reported(monday(t).Add(2 * time.Minute)) {
		t.Error("the sensor did not recover")
	}
	s.hasSpeed, s.hasLoop = true, true
	s.fault, s.faultEnds = stuckAt, monday(t).Add(time.Hour)
	s.stuck = traffic.Reading{Speed: traffic.Some(33)}
	for m := range 5 {
		s.observe(f)
		if r, ok := s.report("r", monday(t).Add(time.Duration(m)*time.Minute), Step); !ok || r.Speed != traffic.Some(33) {
			t.Errorf("a stuck sensor reported %v", r.Speed)
		}
	}
}

func TestRunsInRealTimeAfterTheBackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, func(cfg *Config) { cfg.Speed, cfg.Backfill = source.SpeedReal, 10*time.Minute })
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		start := time.Now()
		var past, live int
		err := c.Run(ctx, func(_ context.Context, rs []traffic.Reading) error {
			for _, r := range rs {
				end := r.At.Add(time.Minute)
				if end.After(time.Now()) {
					t.Fatalf("a reading that ends at %s was emitted at %s", end, time.Now())
				}
				if time.Now().Equal(start) {
					past++
				} else if live++; time.Since(end) > Step {
					t.Fatalf("a live reading came %s late", time.Since(end))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if past < 360*8 || live < 360*4 {
			t.Errorf("%d readings at once and %d in five minutes", past, live)
		}
	})
}

func TestFastCityStopsAtTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCity(t, func(cfg *Config) {
			cfg.Speed, cfg.Start = source.SpeedMax, time.Now().Add(-time.Hour)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		var last time.Time
		err := c.Run(ctx, func(_ context.Context, rs []traffic.Reading) error {
			last = rs[0].At
			if end := last.Add(time.Minute); end.After(time.Now()) {
				t.Fatalf("emitted the future: %s at %s", end, time.Now())
			}
			return nil
		})
		if err != nil || time.Since(last) > 2*time.Minute {
			t.Errorf("the city did not go on with the clock: last %s, now %s, %v", last, time.Now(), err)
		}
	})
}

func TestConfigErrorsNameTheKey(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Interval, cfg.Demand, cfg.Backfill = 7*time.Second, math.NaN(), -1
	_, err := New(cfg, grid(4))
	for _, want := range []string{"interval: 7s", "demand: NaN", "backfill"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if _, err := New(DefaultConfig(), &roadnet.Network{}); err == nil || !strings.Contains(err.Error(), "no roads") {
		t.Errorf("an empty network: %v", err)
	}
}

func sum(xs []float64) float64 {
	var s float64
	for _, x := range xs {
		s += x
	}
	return s
}

func BenchmarkStep(b *testing.B) {
	c, err := New(DefaultConfig(), grid(30))
	if err != nil {
		b.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 7, 0, 0, 0, c.cfg.Location)
	for b.Loop() {
		c.advance(at)
		at = at.Add(Step)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(c.links)), "ns/link")
}
