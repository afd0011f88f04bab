package source

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

func at(d time.Duration) *traffic.Reading {
	return &traffic.Reading{Sensor: "s", Road: "s", At: origin.Add(d), Flow: traffic.Some(1)}
}

func TestPlayerGroupsByInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type chunk struct {
			after time.Duration
			n     int
		}
		var got []chunk
		start := time.Now()
		p := NewPlayer(60, func(_ context.Context, rs []traffic.Reading) error {
			for _, r := range rs {
				if !r.At.Equal(rs[0].At) {
					t.Errorf("a chunk mixes %s and %s", rs[0].At, r.At)
				}
			}
			got = append(got, chunk{time.Since(start), len(rs)})
			return nil
		})
		for _, n := range []int{3, MaxChunk + 1, 1} {
			hour := time.Duration(len(got)) * time.Hour
			for range n {
				if err := p.Add(t.Context(), at(hour)); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := []chunk{{0, 3}, {time.Minute, MaxChunk}, {time.Minute, 1}, {3 * time.Minute, 1}}
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("chunk %d: got %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func TestPlayerPassesErrorsOn(t *testing.T) {
	full := errors.New("full")
	p := NewPlayer(SpeedMax, func(context.Context, []traffic.Reading) error { return full })
	if err := p.Add(t.Context(), at(0)); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(t.Context(), at(time.Hour)); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

func TestPlayerRefusesToGoBack(t *testing.T) {
	p := NewPlayer(SpeedMax, func(context.Context, []traffic.Reading) error { return nil })
	if err := p.Add(t.Context(), at(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(t.Context(), at(0)); err == nil {
		t.Error("an older reading was taken")
	}
}
