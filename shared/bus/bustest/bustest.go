package bustest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// Test runs the suite. open returns a bus that carries nothing from elsewhere; the
// suite closes it.
func Test(t *testing.T, open func(t *testing.T) bus.Bus) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, bus.Bus)
	}{
		{"every topic arrives whole", testContent},
		{"events of one publisher stay in order", testOrder},
		{"only the topics asked for", testTopics},
		{"every subscriber hears everything", testSubscribers},
		{"nothing from before", testBefore},
		{"a large event is one event", testLarge},
		{"a slow subscriber loses the oldest and is told", testSlow},
		{"losses are counted per topic", testSlowTopics},
		{"wrong arguments are refused", testRefused},
		{"the end of ctx ends a subscription", testContext},
		{"Close ends everything", testClose},
		{"many at once", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			t.Cleanup(func() {
				if err := b.Close(); err != nil && !errors.Is(err, bus.ErrClosed) {
					t.Errorf("Close: %v", err)
				}
			})
			if err := b.Ping(t.Context()); err != nil {
				t.Fatalf("Ping of a new bus: %v", err)
			}
			c.run(t, b)
		})
	}
}

func testContent(t *testing.T, b bus.Bus) {
	for _, e := range Events() {
		in := Subscribe(t, b, e.Topic)
		Publish(t, b, e)
		got := Next(t, in)
		if len(e.Reroutes) == 0 && len(got.Reroutes) == 0 {
			got.Reroutes = e.Reroutes // nil and empty say the same
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("topic %s:\n got %+v\nwant %+v", e.Topic, got, e)
		}
	}
}

func testOrder(t *testing.T, b bus.Bus) {
	in := Subscribe(t, b, bus.TopicLive)
	for i := range 40 {
		Publish(t, b, Live(i))
		if got := Number(t, Next(t, in)); got != i {
			t.Fatalf("event %d arrived, want %d", got, i)
		}
	}
}

func testTopics(t *testing.T, b bus.Bus) {
	in := Subscribe(t, b, bus.TopicReroutes, bus.TopicPredictions)
	Publish(t, b, Live(1))
	Publish(t, b, bus.Event{Topic: bus.TopicPredictions})
	Publish(t, b, Live(2))
	Publish(t, b, bus.Event{Topic: bus.TopicReroutes})
	heard := map[bus.Topic]bool{Next(t, in).Topic: true, Next(t, in).Topic: true}
	if !heard[bus.TopicPredictions] || !heard[bus.TopicReroutes] {
		t.Errorf("heard the topics %v, want predictions and reroutes", heard)
	}
	Silence(t, in)
}

func testSubscribers(t *testing.T, b bus.Bus) {
	first, second := Subscribe(t, b, bus.TopicLive), Subscribe(t, b, bus.TopicLive, bus.TopicReroutes)
	for i := range 5 {
		Publish(t, b, Live(i))
	}
	for i := range 5 {
		if f, s := Number(t, Next(t, first)), Number(t, Next(t, second)); f != i || s != i {
			t.Fatalf("the subscribers heard %d and %d, want %d", f, s, i)
		}
	}
}

func testBefore(t *testing.T, b bus.Bus) {
	Publish(t, b, Live(1))
	in := Subscribe(t, b, bus.TopicLive)
	Silence(t, in)
	Publish(t, b, Live(2))
	e := Next(t, in)
	if got := Number(t, e); got != 2 || e.Missed != 0 {
		t.Errorf("heard event %d with Missed %d, want 2 with 0", got, e.Missed)
	}
}

func testLarge(t *testing.T, b bus.Bus) {
	in := Subscribe(t, b, bus.TopicPredictions)
	e := bus.Event{Topic: bus.TopicPredictions}
	for i := range 30_000 {
		e.Predictions = append(e.Predictions, traffic.Prediction{
			At: time.Unix(1_772_438_700, 0).UTC(), Road: traffic.RoadID(fmt.Sprintf("R-%d", i)),
			HorizonMin: 30, Score: float64(i%100) / 100, Confidence: 0.5, Model: "ewma-lr-v2",
		})
	}
	Publish(t, b, e)
	if got := Next(t, in); !reflect.DeepEqual(got, e) {
		t.Errorf("heard %d predictions, Missed %d; want the %d that were published", len(got.Predictions), got.Missed, len(e.Predictions))
	}
	Publish(t, b, bus.Event{Topic: bus.TopicPredictions})
	if got := Next(t, in); len(got.Predictions) != 0 || got.Missed != 0 {
		t.Errorf("the event after the large one has %d predictions and Missed %d, want none", len(got.Predictions), got.Missed)
	}
}

func testSlow(t *testing.T, b bus.Bus) {
	const events = 3000
	in := Subscribe(t, b, bus.TopicLive)
	for i := range events {
		began := time.Now()
		Publish(t, b, Live(i))
		if took := time.Since(began); took > patience/2 {
			t.Fatalf("Publish took %v with a subscriber that does not read", took)
		}
	}
	heard, missed, last := 0, uint64(0), -1
	for last < events-1 {
		e := Next(t, in)
		n := Number(t, e)
		if want := last + 1 + int(e.Missed); n != want {
			t.Fatalf("after event %d came %d with Missed %d, want %d", last, n, e.Missed, want)
		}
		heard, missed, last = heard+1, missed+e.Missed, n
	}
	if heard+int(missed) != events || missed == 0 {
		t.Errorf("heard %d and missed %d of %d events: they must add up, and some must be missed", heard, missed, events)
	}
}

func testSlowTopics(t *testing.T, b bus.Bus) {
	const events = 3000
	in := Subscribe(t, b, bus.TopicLive, bus.TopicReroutes)
	Publish(t, b, bus.Event{Topic: bus.TopicReroutes})
	for i := range events {
		Publish(t, b, Live(i))
	}
	// The first event may be in the hands of the subscription already, the others
	// of reroutes are heard.
	Publish(t, b, bus.Event{Topic: bus.TopicReroutes})
	seen := map[bus.Topic]int{}
	for seen[bus.TopicReroutes] < 2 || seen[bus.TopicLive] < events {
		e := Next(t, in)
		seen[e.Topic] += 1 + int(e.Missed)
	}
	if seen[bus.TopicReroutes] != 2 || seen[bus.TopicLive] != events {
		t.Errorf("heard or missed %v, want 2 of reroutes and %d of live", seen, events)
	}
}

func testRefused(t *testing.T, b bus.Bus) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, e := range map[string]bus.Event{
		"no topic":      {},
		"unknown topic": {Topic: "weather"},
		"other content": {Topic: bus.TopicLive, Reroutes: []traffic.Reroute{}},
	} {
		if err := b.Publish(t.Context(), e); err == nil {
			t.Errorf("%s: Publish took it", name)
		}
	}
	if err := b.Publish(ended, Live(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish with an ended context: %v, want context.Canceled", err)
	}
	if _, err := b.Subscribe(t.Context()); err == nil {
		t.Error("Subscribe to no topic: no error")
	}
	if _, err := b.Subscribe(t.Context(), "weather"); err == nil {
		t.Error("Subscribe to an unknown topic: no error")
	}
	if _, err := b.Subscribe(ended, bus.TopicLive); !errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe with an ended context: %v, want context.Canceled", err)
	}
}

func testContext(t *testing.T, b bus.Bus) {
	ctx, cancel := context.WithCancel(t.Context())
	ends, err := b.Subscribe(ctx, bus.TopicLive)
	if err != nil {
		t.Fatal(err)
	}
	stays := Subscribe(t, b, bus.TopicLive)
	Publish(t, b, Live(1))
	Next(t, stays)
	cancel()
	drained(t, ends)
	Publish(t, b, Live(2))
	if got := Number(t, Next(t, stays)); got != 2 {
		t.Errorf("the other subscriber heard event %d, want 2", got)
	}
}

func testClose(t *testing.T, b bus.Bus) {
	in := Subscribe(t, b, bus.Topics()...)
	if err := b.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	drained(t, in)
	_, subErr := b.Subscribe(t.Context(), bus.TopicLive)
	for call, err := range map[string]error{
		"Publish":   b.Publish(t.Context(), Live(1)),
		"Subscribe": subErr,
		"Ping":      b.Ping(t.Context()),
		"Close":     b.Close(),
	} {
		if !errors.Is(err, bus.ErrClosed) {
			t.Errorf("%s after Close: %v, want %v", call, err, bus.ErrClosed)
		}
	}
}

func testConcurrent(t *testing.T, b bus.Bus) {
	const publishers, events, subscribers = 4, 50, 4
	var all sync.WaitGroup
	for range subscribers {
		in := Subscribe(t, b, bus.TopicLive)
		all.Go(func() {
			for seen := 0; seen < publishers*events; {
				select {
				case e := <-in:
					seen += 1 + int(e.Missed)
				case <-time.After(patience):
					t.Errorf("a subscriber accounts for %d events, want %d", seen, publishers*events)
					return
				}
			}
		})
	}
	for range publishers {
		all.Go(func() {
			for i := range events {
				if err := b.Publish(t.Context(), Live(i)); err != nil {
					t.Errorf("Publish: %v", err)
				}
			}
		})
	}
	// Subscriptions that come and go disturb nobody.
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := b.Subscribe(ctx, bus.Topics()...); err != nil {
			t.Errorf("Subscribe: %v", err)
		}
		cancel()
	}
	all.Wait()
}

// Events returns one of each kind, with every field in use and with none.
func Events() []bus.Event {
	at := time.Date(2026, 3, 2, 8, 5, 0, 123456000, time.UTC)
	full := traffic.RoadState{SpeedEstimated: true, Reading: traffic.Reading{
		At: at, Sensor: "S-1", Road: "PARIS-4264", Speed: traffic.Some(31.5), Flow: traffic.Some(840), Occupancy: traffic.Some(0.17),
		Score: traffic.Some(1.0 / 3), Quality: traffic.QualityLate | traffic.QualityClock, Edge: "edge-7",
		Place: &traffic.Place{Label: "Bd \"Voltaire\" – été", Lat: traffic.Some(48.858), Lng: traffic.Some(2.379)},
	}}
	bare := traffic.RoadState{Reading: traffic.Reading{At: at.Truncate(time.Second), Sensor: "S-2", Road: "R-2", Speed: traffic.Some(0)}}
	return []bus.Event{
		{Topic: bus.TopicLive, Roads: []traffic.RoadState{full, bare}},
		{Topic: bus.TopicPredictions, Predictions: []traffic.Prediction{
			{At: at, Road: "R-2", HorizonMin: 30, Score: 0.7, Confidence: 0.9, Model: "ewma-lr-v2"},
			{At: at, Road: "R-2", HorizonMin: 60, Model: "m", Speed: traffic.Some(12.25), Lower: traffic.Some(0), Upper: traffic.Some(math.Nextafter(1, 0))},
		}},
		{Topic: bus.TopicReroutes, Reroutes: []traffic.Reroute{{
			At: at, Route: "R-1", Alt: "R-2", Reason: "congested for 20 min", CO2GainKg: -1.5, ETAGainMin: 4.25,
			Path: []traffic.RoadID{"R-2", "R-3"}, Share: 0.3, Status: traffic.RerouteProposed,
		}}},
		{Topic: bus.TopicReroutes, Reroutes: []traffic.Reroute{}},
		{Topic: bus.TopicAlerts, Alerts: []traffic.Alert{
			{
				Kind: traffic.AlertIncident, Road: "R-1", Start: at, End: at.Add(time.Hour), Updated: at.Add(time.Hour), Severity: traffic.SeverityMajor,
				Roads: []traffic.RoadID{"R-1", "R-2"}, Observed: 0.75, Expected: 0.25, Lat: traffic.Some(48.5), Lng: traffic.Some(2.25), Detail: "a jam",
			},
			{Kind: traffic.AlertIncident, Road: "R-2", Start: at, Updated: at},
		}},
	}
}

// Live returns an event of the live topic that Number recognises.
func Live(n int) bus.Event {
	return bus.Event{Topic: bus.TopicLive, Roads: []traffic.RoadState{{Reading: traffic.Reading{
		At: time.Unix(1_772_438_700+int64(n), 0).UTC(), Sensor: "S", Road: "R", Speed: traffic.Some(float64(n % 250)), Flow: traffic.Some(float64(n)),
	}}}}
}

// Number returns the n of Live.
func Number(t *testing.T, e bus.Event) int {
	t.Helper()
	if len(e.Roads) != 1 {
		t.Fatalf("event has %d roads, want 1: %+v", len(e.Roads), e)
	}
	return int(e.Roads[0].Flow.Or(-1))
}

// Subscribe subscribes until the test ends.
func Subscribe(t *testing.T, b bus.Subscriber, topics ...bus.Topic) <-chan bus.Event {
	t.Helper()
	in, err := b.Subscribe(t.Context(), topics...)
	if err != nil {
		t.Fatalf("Subscribe(%v): %v", topics, err)
	}
	return in
}

// Publish publishes e or fails the test.
func Publish(t *testing.T, b bus.Publisher, e bus.Event) {
	t.Helper()
	if err := b.Publish(t.Context(), e); err != nil {
		t.Fatalf("Publish on %s: %v", e.Topic, err)
	}
}

// Next returns the next event or fails the test when none comes.
func Next(t *testing.T, in <-chan bus.Event) bus.Event {
	t.Helper()
	select {
	case e, ok := <-in:
		if !ok {
			t.Fatal("the channel was closed, want an event")
		}
		return e
	case <-time.After(patience):
		t.Fatalf("no event came within %v", patience)
		panic("unreachable")
	}
}

// Silence fails the test when an event comes that should not.
func Silence(t *testing.T, in <-chan bus.Event) {
	t.Helper()
	select {
	case e, ok := <-in:
		t.Fatalf("an event came that should not: %+v (channel open: %v)", e, ok)
	case <-time.After(100 * time.Millisecond):
	}
}

// drained fails the test unless the channel is closed, after what was under way.
func drained(t *testing.T, in <-chan bus.Event) {
	t.Helper()
	end := time.After(patience)
	for {
		select {
		case _, ok := <-in:
			if !ok {
				return
			}
		case <-end:
			t.Fatalf("the channel was not closed within %v", patience)
		}
	}
}
