package traffictest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A Subject is one sink under test.
type Subject struct {
	Sink traffic.Sink
	// Kept returns what the sink answers for, each (Sensor, At) once, in any
	// order.
	Kept func(t *testing.T) []traffic.Reading
	// Restart closes the sink and opens it again on what it had kept.
	Restart func(t *testing.T)
}

// TestSink tests that the sinks which open makes keep the contract of traffic.Sink.
// Each call of open must make an empty one.
func TestSink(t *testing.T, open func(t *testing.T) *Subject) {
	for name, test := range map[string]func(*testing.T, *Subject){
		"nothing is kept of nothing":              nothing,
		"kept readings are whole":                 whole,
		"offered twice counts once":               twice,
		"refusals are named and the rest is kept": refusals,
		"the caller may use its slice again":      reuse,
		"an ended context is no half promise":     ended,
		"many callers at once":                    concurrent,
		"large batches":                           large,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Base is the time of the first of Readings.
func Base() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// Readings returns n valid readings that differ in their keys and in what they lack.
func Readings(prefix string, n int) []traffic.Reading {
	rs := make([]traffic.Reading, n)
	for i := range rs {
		sensor := fmt.Sprintf("%s-%d", prefix, i%50)
		rs[i] = traffic.Reading{
			At:     Base().Add(time.Duration(i/50) * time.Minute),
			Sensor: traffic.SensorID(sensor),
			Road:   traffic.RoadID(sensor),
			Speed:  traffic.Some(float64(i%130) + 0.5),
		}
		if i%3 != 0 {
			rs[i].Flow = traffic.Some(float64(i % 2000))
		}
		if i%4 != 0 {
			rs[i].Occupancy = traffic.Some(float64(i%100) / 100)
		}
	}
	return rs
}

func nothing(t *testing.T, s *Subject) {
	must(t, s.Sink.Accept(t.Context(), nil))
	wantKept(t, s, nil)
}

func whole(t *testing.T, s *Subject) {
	want := Readings("whole", 120)
	want[7].Place = &traffic.Place{Label: "Bd Voltaire", Lat: traffic.Some(48.858), Lng: traffic.Some(2.379)}
	want[8].Quality = traffic.QualityReceiveTime
	want[9].Score = traffic.Some(0.4375) // collectors round to 1/1024
	must(t, s.Sink.Accept(t.Context(), want))
	wantKept(t, s, want)
	s.Restart(t)
	wantKept(t, s, want)
}

func twice(t *testing.T, s *Subject) {
	want := Readings("twice", 60)
	must(t, s.Sink.Accept(t.Context(), want))
	must(t, s.Sink.Accept(t.Context(), want[10:]))
	s.Restart(t)
	must(t, s.Sink.Accept(t.Context(), want[:20]))
	wantKept(t, s, want)
}

func refusals(t *testing.T, s *Subject) {
	batch := Readings("refused", 20)
	batch[3].Speed = traffic.Some(1000)
	batch[11].Sensor = ""
	err := s.Sink.Accept(t.Context(), batch)
	var refused *traffic.Refused
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a *traffic.Refused", err)
	}
	var indices []int
	for _, item := range refused.Items {
		indices = append(indices, item.Index)
		if item.Err == nil {
			t.Errorf("refusal of %d gives no reason", item.Index)
		}
	}
	if !slices.Equal(indices, []int{3, 11}) {
		t.Errorf("refused %v, want 3 and 11", indices)
	}
	wantKept(t, s, slices.Concat(batch[:3], batch[4:11], batch[12:]))
}

func reuse(t *testing.T, s *Subject) {
	want := Readings("reuse", 30)
	batch := slices.Clone(want)
	must(t, s.Sink.Accept(t.Context(), batch))
	for i := range batch {
		batch[i].Speed = traffic.Some(1)
	}
	wantKept(t, s, want)
}

func ended(t *testing.T, s *Subject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want := Readings("ended", 10)
	if err := s.Sink.Accept(ctx, want); err == nil {
		s.Restart(t)
		wantKept(t, s, want)
		return
	}
	must(t, s.Sink.Accept(t.Context(), want)) // it was still ours to offer
	wantKept(t, s, want)
}

func concurrent(t *testing.T, s *Subject) {
	const callers, rounds = 8, 10
	var want []traffic.Reading
	errs := make(chan error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		own := Readings(fmt.Sprintf("caller%d", i), 20*rounds)
		want = append(want, own...)
		wg.Go(func() {
			for batch := range slices.Chunk(own, 20) {
				if err := s.Sink.Accept(t.Context(), batch); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	wantKept(t, s, want)
}

func large(t *testing.T, s *Subject) {
	want := Readings("large", 25_000)
	must(t, s.Sink.Accept(t.Context(), want))
	wantKept(t, s, want)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
}

// wantKept compares what the sink kept with what it was given. Who delivered a reading
// is the sink's to say, and whether it has a score where it had none.
func wantKept(t *testing.T, s *Subject, want []traffic.Reading) {
	t.Helper()
	got := slices.Clone(s.Kept(t))
	want = slices.Clone(want)
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	if len(got) != len(want) {
		t.Fatalf("%d readings are kept, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		g.Edge, w.Edge = "", ""
		if !w.Score.Known() {
			g.Score = w.Score
		}
		gp, wp := g.Place, w.Place
		g.Place, w.Place = nil, nil
		if g != w || (gp == nil) != (wp == nil) || gp != nil && *gp != *wp {
			t.Fatalf("kept %+v with place %v, want %+v with place %v", g, gp, w, wp)
		}
	}
}

func byKey(a, b traffic.Reading) int {
	return cmp.Or(cmp.Compare(a.Sensor, b.Sensor), a.At.Compare(b.At))
}
