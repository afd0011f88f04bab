package source

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var origin = time.Date(2022, 3, 1, 8, 0, 0, 0, time.UTC)

func TestPacerScalesEventTimeGaps(t *testing.T) {
	for _, tc := range []struct {
		speed Speed
		gaps  []time.Duration // event time between neighbours
		wall  time.Duration   // all of it
	}{
		{SpeedReal, []time.Duration{0, time.Second, 5 * time.Minute}, 5*time.Minute + time.Second},
		{60, []time.Duration{time.Hour, time.Hour}, 2 * time.Minute},
		{0.5, []time.Duration{time.Second}, 2 * time.Second},
		{SpeedMax, []time.Duration{24 * 365 * time.Hour}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, start, at := NewPacer(tc.speed), time.Now(), origin
			mustWait(t, p, at)
			if d := time.Since(start); d != 0 {
				t.Errorf("speed %s: first event waited %s", tc.speed, d)
			}
			for _, g := range tc.gaps {
				at = at.Add(g)
				mustWait(t, p, at)
			}
			if d := time.Since(start); d != tc.wall {
				t.Errorf("speed %s: took %s, want %s", tc.speed, d, tc.wall)
			}
		})
	}
}

func TestPacerCatchesUpAfterASlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := NewPacer(60), time.Now()
		mustWait(t, p, origin)
		time.Sleep(10 * time.Minute) // the receiver; worth ten hours of events
		for h := 1; h <= 10; h++ {
			mustWait(t, p, origin.Add(time.Duration(h)*time.Hour))
		}
		if d := time.Since(start); d != 10*time.Minute {
			t.Errorf("late events waited: %s", d)
		}
		mustWait(t, p, origin.Add(11*time.Hour))
		if d := time.Since(start); d != 11*time.Minute {
			t.Errorf("pace drifted: the event of hour 11 came after %s", d)
		}
	})
}

func TestPacerStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p := NewPacer(SpeedReal)
		mustWait(t, p, origin)
		start := time.Now()
		err := p.Wait(ctx, origin.Add(time.Hour))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("got %v after %s", err, time.Since(start))
		}
		if err := NewPacer(SpeedMax).Wait(ctx, origin); err == nil {
			t.Error("a pacer at max must see that its context has ended")
		}
	})
}

func mustWait(t *testing.T, p *Pacer, at time.Time) {
	t.Helper()
	if err := p.Wait(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

func TestParseSpeed(t *testing.T) {
	for in, want := range map[string]Speed{"max": SpeedMax, "MAX": SpeedMax, "1": 1, "60x": 60, " 0.5 ": 0.5} {
		got, err := ParseSpeed(in)
		if err != nil || got != want {
			t.Errorf("ParseSpeed(%q) = %v, %v; want %v", in, got, err, want)
			continue
		}
		if again, err := ParseSpeed(got.String()); err != nil || again != got {
			t.Errorf("%q does not come back from %q", in, got.String())
		}
	}
	for _, in := range []string{"", "fast", "0", "-1", "NaN", "Inf", "1e9"} {
		if got, err := ParseSpeed(in); err == nil {
			t.Errorf("ParseSpeed(%q) = %v, want an error", in, got)
		}
	}
}
