package inproc_test

import (
	"context"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/bustest"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBus(t *testing.T) {
	bustest.Test(t, func(*testing.T) bus.Bus { return inproc.New() })
}

// The ring keeps the newest events, exactly as many as it promises.
func TestRingKeepsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := inproc.New()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		in, err := b.Subscribe(ctx, bus.TopicLive)
		if err != nil {
			t.Fatal(err)
		}
		bustest.Publish(t, b, bustest.Live(0))
		synctest.Wait() // event 0 has left the ring and waits for us
		for i := 1; i <= 100; i++ {
			bustest.Publish(t, b, bustest.Live(i))
		}
		if e := bustest.Next(t, in); bustest.Number(t, e) != 0 || e.Missed != 0 {
			t.Errorf("first: %d, Missed %d", bustest.Number(t, e), e.Missed)
		}
		if e := bustest.Next(t, in); bustest.Number(t, e) != 37 || e.Missed != 36 {
			t.Errorf("second: %d, Missed %d; want 37, 36: the ring holds 64", bustest.Number(t, e), e.Missed)
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	s := inproc.New()
	defer s.Close()
	for range 8 {
		in, err := s.Subscribe(b.Context(), bus.TopicLive)
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			for range in {
			}
		}()
	}
	e := bustest.Live(1)
	for b.Loop() {
		if err := s.Publish(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}
