package upkeep

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/2zrhun/city-flow/shared/store"
)

// A script answers the rounds one after the other, and the later ones with nothing to do.
type script struct {
	answers []answer
	rounds  []time.Time
	// newest is the watermark, nows are the times that Maintain was told.
	newest time.Time
	nows   []time.Time
}

func (s *script) Watermark(context.Context, time.Time) (time.Time, error) { return s.newest, nil }

type answer struct {
	did store.Maintained
	err error
}

func (s *script) Maintain(_ context.Context, now time.Time, _ store.Upkeep) (store.Maintained, error) {
	s.rounds = append(s.rounds, time.Now())
	s.nows = append(s.nows, now)
	if len(s.rounds) > len(s.answers) {
		return store.Maintained{}, nil
	}
	a := s.answers[len(s.rounds)-1]
	return a.did, a.err
}

func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("no room")
		s := &script{answers: []answer{
			{did: store.Maintained{RolledUp: 7, Dropped: 2, More: true}},
			{err: bad},
			{err: bad},
			{did: store.Maintained{Skipped: true}},
		}}
		var log bytes.Buffer
		reg := prometheus.NewRegistry()
		k, err := New(s, store.DefaultUpkeep(), slog.New(slog.NewTextHandler(&log, nil)), reg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- k.Run(ctx) }()
		time.Sleep(11 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		var at []time.Duration
		for _, r := range s.rounds {
			at = append(at, r.Sub(began))
		}
		want := []time.Duration{0, soon, 2 * soon, 3 * soon, 3*soon + every, 3*soon + 2*every}
		if len(at) != len(want) {
			t.Fatalf("rounds at %v, want %v", at, want)
		}
		for i := range want {
			if at[i] != want[i] {
				t.Errorf("round %d at %v, want %v", i, at[i], want[i])
			}
		}
		if n := strings.Count(log.String(), "no room"); n != 1 || !strings.Contains(log.String(), "in shape again") {
			t.Errorf("the failure is logged %d times, want once and its end:\n%s", n, log.String())
		}
		if f, d := testutil.ToFloat64(k.met.failures), testutil.ToFloat64(k.met.dropped); f != 2 || d != 2 {
			t.Errorf("%g failures, %g dropped; want 2 and 2", f, d)
		}
		if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
			t.Errorf("metrics: %v %v", problems, err)
		}
	})
}

func TestRefusesWhatCannotBe(t *testing.T) {
	u := store.DefaultUpkeep()
	u.Raw = time.Hour
	if _, err := New(&script{}, u, nil, prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), "raw 1h") {
		t.Errorf("error %v, want one that names raw", err)
	}
}

// What is old is so beside the other data, not beside the clock: a recorded day is not
// dropped the moment it is stored.
func TestTimeIsTheData(t *testing.T) {
	wall := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for newest, want := range map[time.Time]time.Time{
		{}:                          wall,
		wall.AddDate(-14, 0, 0):     wall.AddDate(-14, 0, 0),
		wall.Add(3 * time.Minute):   wall, // a sensor whose clock is ahead
		wall.Add(-10 * time.Second): wall.Add(-10 * time.Second),
	} {
		s := &script{newest: newest}
		k, err := New(s, store.DefaultUpkeep(), nil, prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		k.now = func() time.Time { return wall }
		k.round(t.Context())
		if len(s.nows) != 1 || !s.nows[0].Equal(want) {
			t.Errorf("newest %v: maintained at %v, want %v", newest, s.nows, want)
		}
	}
}
