package rerouter

import (
	"context"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/emission"
	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Both gains are recomputed by hand from the path.
func TestGainsComeFromThePath(t *testing.T) {
	tn := newTown(t, Default(), block())
	tn.measure(jam("main"), traffic.Reading{Road: "up", Speed: traffic.Some(25)})
	tn.forecast(congested("main", 1-6.0/90))
	rs := tn.adviseNow()
	if len(rs) != 1 {
		t.Fatalf("%d pieces of advice: want 1", len(rs))
	}
	r := rs[0]
	if want := []traffic.RoadID{"up", "down"}; !slices.Equal(r.Path, want) || r.Alt != "up" || r.Route != "main" {
		t.Fatalf("got %+v", r)
	}
	seconds := 600/(6/3.6) - 200/(25/3.6) - 600/(50/3.6)
	if math.Abs(r.ETAGainMin-seconds/60) > 0.1/60+1e-9 { // each time is stated to a tenth of a second
		t.Errorf("gain %g min: want %g", r.ETAGainMin, seconds/60)
	}
	grams := 0.6*emission.GramsPerKM(6) - 0.2*emission.GramsPerKM(25) - 0.6*emission.GramsPerKM(50)
	if math.Abs(r.CO2GainKg-grams/10) > 0.01+1e-9 {
		t.Errorf("CO2 %g kg per 100 vehicles: want %g", r.CO2GainKg, grams/10)
	}
	if r.Share < 0.05 || r.Share > 0.5 {
		t.Errorf("share %g", r.Share)
	}
	checkReason(t, &r)
}

// checkReason recomputes the gains from what the advice says of itself, to the digit.
func checkReason(t *testing.T, r *traffic.Reroute) {
	t.Helper()
	figures := regexp.MustCompile(`takes (\d+\.\d) s instead of (\d+\.\d) s.*CO2 of a car: (\d+\.\d) g instead of (\d+\.\d) g\.$`).FindStringSubmatch(r.Reason)
	if figures == nil {
		t.Fatalf("no figures in %q", r.Reason)
	}
	number := func(i int) float64 {
		v, err := strconv.ParseFloat(figures[i], 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if want := (number(2) - number(1)) / 60; math.Abs(r.ETAGainMin-want) > 1e-9 {
		t.Errorf("gain %g min, but %q", r.ETAGainMin, r.Reason)
	}
	if want := (number(4) - number(3)) / 10; math.Abs(r.CO2GainKg-want) > 1e-9 {
		t.Errorf("CO2 %g kg per 100 vehicles, but %q", r.CO2GainKg, r.Reason)
	}
}

func TestReasonIsASentenceForTheOperator(t *testing.T) {
	cfg := Default()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Zone = paris
	roads := block()
	roads[1].Label, roads[3].Label = "Bd Voltaire", "Rue Oberkampf"
	tn := newTown(t, cfg, roads)
	tn.measure(jam("main"))
	tn.forecast(congested("main", 1-6.0/90))
	const want = "Bd Voltaire is forecast at score 0.93 (about 6 km/h) for 09:00, in 30 min: " +
		"the detour by Rue Oberkampf and down takes 57.6 s instead of 360.0 s, " +
		"and once 50 % of the drivers (300 an hour) take it, 59.8 s instead of 256.1 s. CO2 of a car: 142.5 g instead of 204.5 g."
	if got := tn.adviseNow()[0].Reason; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAdviceExpiresWithTheNextCycle(t *testing.T) {
	tn := newTown(t, Default(), block())
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	if rs := tn.adviseNow(); len(rs) != 1 {
		t.Fatalf("%d pieces of advice: want 1", len(rs))
	}
	clear := congested("main", 0.3)
	clear.At = cycleAt.Add(5 * time.Minute)
	tn.forecast(clear)
	if rs := tn.adviseNow(); len(rs) != 0 {
		t.Errorf("still advised: %+v", rs)
	}
	if rs := tn.advice(traffic.RerouteExpired); len(rs) != 1 {
		t.Errorf("%d expired: want 1", len(rs))
	}
	if got := tn.count("cityflow_rerouter_reroutes_generated_total", ""); got != 1 {
		t.Errorf("generated %g: want 1", got)
	}
}

// A cycle is computed again when late readings change its forecasts.
func TestAdviceIsWithdrawnWithinACycle(t *testing.T) {
	tn := newTown(t, Default(), block())
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	tn.adviseNow()
	if rs := tn.adviseNow(); len(rs) != 1 {
		t.Errorf("the same again: %d pieces of advice, want 1", len(rs))
	}
	tn.forecast(congested("main", 0.3))
	if rs := tn.adviseNow(); len(rs) != 0 {
		t.Errorf("still advised: %+v", rs)
	}
	tn.forecast(congested("main", 0.93))
	if rs := tn.adviseNow(); len(rs) != 1 {
		t.Errorf("%d pieces of advice: want it back", len(rs))
	}
}

func TestOldForecastsAndReadingsDoNotCount(t *testing.T) {
	tn := newTown(t, Default(), block())
	old := jam("main")
	old.At = cycleAt.Add(-2 * time.Hour)
	tn.measure(old)
	late := congested("main", 0.95)
	late.At = cycleAt.Add(-20 * time.Minute)
	tn.forecast(late, congested("in", 0.1))
	if rs := tn.adviseNow(); len(rs) != 0 {
		t.Errorf("advised on a forecast of 20 min ago: %+v", rs)
	}
	tn.forecast(congested("main", 0.8))
	rs := tn.adviseNow()
	if len(rs) != 1 {
		t.Fatalf("%d pieces of advice: want 1", len(rs))
	}
	// Without the old reading, score 0.8 is 18 km/h: 120 s against 57.6 s.
	if got, want := rs[0].ETAGainMin, (120-57.6)/60; math.Abs(got-want) > 1e-6 {
		t.Errorf("gain %g min: want %g, from the forecast alone", got, want)
	}
}

func TestTheMostConfidentModelCounts(t *testing.T) {
	day := time.Date(2024, 3, 5, 0, 0, 0, 0, time.UTC)
	p := func(road string, minute int, model string, confidence float64) traffic.Prediction {
		return traffic.Prediction{Road: traffic.RoadID(road), At: day.Add(time.Duration(minute) * time.Minute), Model: model, Confidence: confidence}
	}
	got := best([]traffic.Prediction{
		p("a", 10, "m1", 0.5), p("a", 10, "m2", 0.7), p("a", 5, "m3", 0.9),
		p("b", 1, "m1", 1), p("c", 10, "m1", 0.4), p("c", 10, "m2", 0.4),
	}, day.Add(3*time.Minute))
	want := []traffic.Prediction{p("a", 10, "m2", 0.7), p("c", 10, "m1", 0.4)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEveryCongestedRoadIsAccountedFor(t *testing.T) {
	roads := append(block(), arc("bridge", "y", "z", 500), arc("lane", "z", "w", 500), traffic.Road{ID: "sensor"})
	tn := newTown(t, Default(), roads)
	tn.measure(jam("main"), jam("bridge"), jam("sensor"), traffic.Reading{Road: "in", Speed: traffic.Some(30)}, jam("up"),
		traffic.Reading{Road: "lane", Speed: traffic.Some(48)})
	unsure := congested("up", 0.95)
	unsure.Confidence = 0.001
	tn.forecast(congested("main", 0.93), congested("bridge", 0.95), congested("sensor", 0.95), congested("nowhere", 0.95), unsure,
		congested("down", 0.5), congested("lane", 0.95))
	flowing := congested("in", 0.95)
	flowing.Speed = traffic.Some(45)
	tn.forecast(flowing)
	tn.adviseNow()
	for outcome, want := range map[string]float64{
		"found": 1, "no_detour": 1, "no_network": 2, "flowing": 1, "unsure": 1, "no_gain": 0, "no_sign": 1, "minor": 0,
	} {
		if got := tn.count("cityflow_rerouter_congested_roads_total", outcome); got != want {
			t.Errorf("%s: %g, want %g", outcome, got, want)
		}
	}
}

func TestOnlyTheAdviceThatSavesMostIsGiven(t *testing.T) {
	cfg := Default()
	cfg.MaxAdvice = 1
	// Two equal blocks; twice as many vehicles stand on the second's main road.
	roads := block()
	for _, r := range block() {
		r.ID, r.FromNode, r.ToNode = "2-"+r.ID, "2-"+r.FromNode, "2-"+r.ToNode
		roads = append(roads, r)
	}
	tn := newTown(t, cfg, roads)
	few, many := jam("main"), jam("2-main")
	few.Flow, many.Flow = traffic.Some(200), traffic.Some(400)
	tn.measure(few, many)
	tn.forecast(congested("main", 0.95), congested("2-main", 0.95))
	rs := tn.adviseNow()
	if len(rs) != 1 || rs[0].Route != "2-main" {
		t.Errorf("advice %+v: want one piece, about 2-main", rs)
	}
	if n := tn.count("cityflow_rerouter_congested_roads_total", "minor"); n != 1 {
		t.Errorf("minor: %g, want 1", n)
	}
}

func TestNetworkIsReadAgainWhenItChanged(t *testing.T) {
	tn := newTown(t, Default(), nil)
	tn.refresh(t.Context())
	if err := tn.Ready(t.Context()); !errors.Is(err, errNoNetwork) {
		t.Errorf("ready without a network: %v", err)
	}
	tn.putRoads(block())
	tn.refresh(t.Context())
	if err := tn.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	before := tn.state.graph
	tn.putRoads(block()[:1]) // touched, not changed
	tn.refresh(t.Context())
	if tn.state.graph != before {
		t.Error("a new graph of the same network")
	}
	slower := block()[1]
	slower.FreeFlowKMH = traffic.Some(30)
	tn.putRoads([]traffic.Road{slower})
	tn.refresh(t.Context())
	if i, _ := tn.state.graph.Find("main"); tn.state.refs[i].FreeFlowKMH != 30 {
		t.Errorf("free flow of main: %g, want 30", tn.state.refs[i].FreeFlowKMH)
	}
	if got := tn.count("cityflow_rerouter_network_roads", ""); got != 5 {
		t.Errorf("%g roads: want 5", got)
	}
}

// running starts Run and returns what ends it and waits.
func (tn *town) running() (stop func()) {
	ctx, cancel := context.WithCancel(tn.t.Context())
	done := make(chan error, 1)
	go func() { done <- tn.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			tn.t.Error(err)
		}
	}
}

// next waits for an event that satisfies ok.
func next(t *testing.T, in <-chan bus.Event, ok func(bus.Event) bool) bus.Event {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case e := <-in:
			if ok(e) {
				return e
			}
		case <-deadline:
			t.Fatal("no such event within 10 s")
		}
	}
}

func TestRunAdvisesOnEachPredictionCycle(t *testing.T) {
	cfg := Default()
	cfg.MinPause = time.Millisecond
	cfg.PollEvery = time.Hour
	tn := newTown(t, cfg, block())
	in, err := tn.bus.Subscribe(t.Context(), bus.TopicReroutes)
	if err != nil {
		t.Fatal(err)
	}
	defer tn.running()()
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	tell := func() {
		if err := tn.bus.Publish(t.Context(), bus.Event{Topic: bus.TopicPredictions}); err != nil {
			t.Fatal(err)
		}
	}
	heard := false
	for !heard { // Run may not have subscribed yet
		tell()
		select {
		case e := <-in:
			heard = len(e.Reroutes) == 1 && e.Reroutes[0].Route == "main"
		case <-time.After(20 * time.Millisecond):
		}
	}
	clear := congested("main", 0.2)
	clear.At = cycleAt.Add(5 * time.Minute)
	tn.forecast(clear)
	tell()
	next(t, in, func(e bus.Event) bool { return e.Reroutes != nil && len(e.Reroutes) == 0 })
	if err := tn.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// The bus says nothing at all: the store is asked from time to time.
func TestRunPollsTheStore(t *testing.T) {
	cfg := Default()
	cfg.MinPause = 0
	cfg.PollEvery = time.Second
	tn := newTown(t, cfg, block())
	in, err := tn.bus.Subscribe(t.Context(), bus.TopicReroutes)
	if err != nil {
		t.Fatal(err)
	}
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	defer tn.running()()
	next(t, in, func(e bus.Event) bool { return len(e.Reroutes) == 1 })
}

// Cycles that arrive while one is handled are handled as one, the newest.
func TestRunSkipsToTheNewestCycle(t *testing.T) {
	cfg := Default()
	cfg.MinPause = 300 * time.Millisecond
	cfg.PollEvery = time.Hour
	tn := newTown(t, cfg, block())
	in, err := tn.bus.Subscribe(t.Context(), bus.TopicReroutes)
	if err != nil {
		t.Fatal(err)
	}
	defer tn.running()()
	var last time.Time
	for i := range 20 {
		p := congested("main", 0.93)
		p.At = cycleAt.Add(time.Duration(i) * 5 * time.Minute)
		last = p.At
		tn.forecast(p)
		if err := tn.bus.Publish(t.Context(), bus.Event{Topic: bus.TopicPredictions}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	var cycles int
	next(t, in, func(e bus.Event) bool {
		cycles++
		return len(e.Reroutes) == 1 && e.Reroutes[0].At.Equal(last)
	})
	if cycles > 5 {
		t.Errorf("%d cycles handled of 20 within 0.1 s: want a few", cycles)
	}
}

// A gone store is said by Ready and survived.
func TestRunSurvivesTheStore(t *testing.T) {
	cfg := Default()
	cfg.MinPause = time.Millisecond
	tn := newTown(t, cfg, block())
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	broken := &flaky{Store: tn.store, err: errors.New("disk on fire")}
	tn.Rerouter.store = broken
	in, err := tn.bus.Subscribe(t.Context(), bus.TopicReroutes)
	if err != nil {
		t.Fatal(err)
	}
	tn.cycle(t.Context())
	if err := tn.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("Ready: %v", err)
	}
	if got := tn.count("cityflow_rerouter_cycles_failed_total", ""); got != 1 {
		t.Errorf("%g failed cycles: want 1", got)
	}
	broken.err = nil
	tn.cycle(t.Context())
	next(t, in, func(e bus.Event) bool { return len(e.Reroutes) == 1 })
	if err := tn.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// flaky is a store that fails to list while err is set.
type flaky struct {
	Store
	err error
}

func (f *flaky) LatestPredictions(ctx context.Context, q store.PredictionQuery) ([]traffic.Prediction, store.Cursor, error) {
	if f.err != nil {
		return nil, "", f.err
	}
	return f.Store.LatestPredictions(ctx, q)
}

// Advice is stored also when nobody can be told.
func TestAClosedBusLosesNoAdvice(t *testing.T) {
	cfg := Default()
	cfg.PollEvery = time.Second
	tn := newTown(t, cfg, block())
	tn.measure(jam("main"))
	tn.forecast(congested("main", 0.93))
	if err := tn.bus.Close(); err != nil {
		t.Fatal(err)
	}
	stop := tn.running()
	defer stop()
	for begin := time.Now(); len(tn.advice(traffic.RerouteProposed)) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("no advice within 10 s")
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Default()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*Config){
		"horizon 0: want 1 to 1440 minutes": func(c *Config) { c.HorizonMin = 0 },
		"threshold 1.5":                     func(c *Config) { c.Threshold = 1.5 },
		"min confidence NaN":                func(c *Config) { c.MinConfidence = math.NaN() },
		"slow ratio -1":                     func(c *Config) { c.SlowRatio = -1 },
		"min gain -1s":                      func(c *Config) { c.MinGain = -time.Second },
		"forecast max age -1ns":             func(c *Config) { c.ForecastMaxAge = -1 },
		"live max age":                      func(c *Config) { c.LiveMaxAge = -1 },
		"min pause":                         func(c *Config) { c.MinPause = -1 },
		"poll interval 0s":                  func(c *Config) { c.PollEvery = 0 },
		"refresh interval 0s":               func(c *Config) { c.RefreshEvery = 0 },
		"timeout 0s":                        func(c *Config) { c.Timeout = 0 },
		"time zone":                         func(c *Config) { c.Zone = nil },
	} {
		cfg := Default()
		spoil(&cfg)
		if _, err := New(cfg, nil, nil, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
