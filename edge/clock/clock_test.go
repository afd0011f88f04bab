package clock

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A box is a machine in a test's time: it booted when the test began, at an uptime of a
// minute.
type box struct {
	began  time.Time
	id     byte
	wrong  atomic.Int64 // what its clock is off by, in ns
	synced atomic.Bool
}

// truth is the true time, in synctest's clock: 2000 is as good as 2026 when Built is earlier.
func truth() time.Time { return time.Now().UTC() }

const uptime = time.Minute

func newBox(id byte, says time.Time) *box {
	b := &box{began: time.Now(), id: id}
	b.set(says)
	return b
}

func (b *box) set(says time.Time) { b.wrong.Store(int64(time.Until(says))) }

func (b *box) machine() machine {
	return machine{
		id:     BootID{b.id},
		wall:   func() time.Time { return time.Now().Add(time.Duration(b.wrong.Load())) },
		boot:   func() time.Duration { return uptime + time.Since(b.began) },
		synced: b.synced.Load,
	}
}

func newClock(t *testing.T, b *box, path string) *Clock {
	t.Helper()
	cfg := Default()
	cfg.Mode, cfg.Path, cfg.Built = Auto, path, truth().AddDate(0, -1, 0)
	c, err := open(cfg, b.machine(), nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var boot1970 = time.Unix(0, 0).Add(uptime)

func wantTime(t *testing.T, c *Clock, off time.Duration) {
	t.Helper()
	got, known := c.Read()
	if !known || got.Sub(truth().Add(off)).Abs() > time.Millisecond {
		t.Errorf("the time is %s (known: %v), want %s", got, known, truth().Add(off))
	}
}

// A box that boots in 1970 stamps, then learns the time from a collector.
func TestBootIn1970(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(1, boot1970)
		booted := truth().Add(-uptime)
		c := newClock(t, b, "")
		defer c.Close()
		told := make(chan time.Time, 10)
		fails := 2
		c.OnKnown(func(booted time.Time) error {
			if fails--; fails >= 0 {
				return errors.New("the disk is full")
			}
			told <- booted
			return nil
		})
		time.Sleep(time.Hour)
		if stamp, known := c.Read(); known || stamp != time.Unix(0, 0).Add(uptime+time.Hour).UTC() {
			t.Errorf("after an hour it reads %s, known: %v", stamp, known)
		}
		if passed, known := c.Now(); known || passed != c.cfg.Built {
			t.Errorf("%s has passed (known: %v), want %s", passed, known, c.cfg.Built)
		}
		c.Learn(boot1970.Add(time.Hour), time.Second) // as bad as ours
		if s := c.State(); s.Source != Unknown {
			t.Errorf("a collector in 1970 was believed: %+v", s)
		}
		time.Sleep(200 * time.Millisecond)
		c.Learn(truth().Add(-100*time.Millisecond), 200*time.Millisecond) // read in the middle of the way
		wantTime(t, c, 0)
		time.Sleep(3 * time.Second)
		if got := <-told; got.Sub(booted).Abs() > time.Millisecond || len(told) > 0 {
			t.Errorf("told of a boot at %s, want %s; %d more times", got, booted, len(told))
		}
		if s := c.State(); s.Source != Server || s.Error < 100*time.Millisecond || s.Error > 101*time.Millisecond ||
			s.Machine.Round(time.Second) != truth().Sub(boot1970).Round(time.Second)-time.Hour-3*time.Second {
			t.Errorf("state %+v", s)
		}
	})
}

// NTP sets the machine's clock; later somebody sets it to something else by hand.
func TestSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(1, boot1970)
		c := newClock(t, b, "")
		defer c.Close()
		time.Sleep(time.Minute)
		b.set(truth())
		time.Sleep(2 * time.Second)
		if s := c.State(); s.Source != Unknown || s.Steps != 1 {
			t.Errorf("a clock that nobody vouches for is believed: %+v", s)
		}
		b.synced.Store(true)
		time.Sleep(2 * time.Second)
		wantTime(t, c, 0)
		for _, by := range []time.Duration{-5 * time.Hour, 48 * time.Hour} {
			b.synced.Store(false) // the kernel does that
			b.set(truth().Add(by))
			time.Sleep(time.Hour)
			wantTime(t, c, 0)
		}
		if s := c.State(); s.Source != NTP || s.Steps != 3 || s.Machine.Round(time.Hour) != -48*time.Hour {
			t.Errorf("state %+v", s)
		}
		// The collector takes over, with the second measurement that says the same.
		for range 2 {
			c.Learn(truth().Add(7*time.Second), 0)
		}
		wantTime(t, c, 7*time.Second)
	})
}

// A machine that is synchronised is not corrected, a difference is told.
func TestTwoClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(1, truth())
		b.synced.Store(true)
		c := newClock(t, b, "")
		defer c.Close()
		for range 3 {
			c.Learn(truth().Add(time.Hour), time.Second)
			time.Sleep(time.Second)
		}
		wantTime(t, c, 0)
		if s := c.State(); !s.Heard || s.Offset != time.Hour+500*time.Millisecond || s.Source != NTP {
			t.Errorf("state %+v", s)
		}
		c.mu.Lock()
		c.cfg.Mode = Trusted
		c.mu.Unlock()
		time.Sleep(2 * time.Second)
		b.synced.Store(false)
		b.set(truth().Add(time.Minute))
		c.Learn(truth(), 0)
		wantTime(t, c, time.Minute)
	})
}

// Of a collector's measurements the best counts, until it is old.
func TestCollectorsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(t, newBox(1, boot1970), "")
		defer c.Close()
		c.Learn(truth().Add(30*time.Millisecond), 0)
		wantTime(t, c, 30*time.Millisecond)
		c.Learn(truth(), time.Second)
		wantTime(t, c, 30*time.Millisecond)
		time.Sleep(2 * time.Hour) // 0.72 s at 100 ppm
		c.Learn(truth().Add(-500*time.Millisecond), time.Second)
		wantTime(t, c, 0)
		time.Sleep(time.Minute)
		c.Learn(truth().Add(-48*time.Hour), 0) // some other collector, once
		wantTime(t, c, 0)
		c.Learn(truth(), 0)
		wantTime(t, c, 0)
	})
}

// A process that starts again in the same boot goes on; after another boot only a time that
// has passed is left.
func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "clock.json")
	synctest.Test(t, func(t *testing.T) {
		b := newBox(1, boot1970)
		c := newClock(t, b, path)
		c.Learn(truth(), 0)
		time.Sleep(time.Second)
		if _, err := os.Stat(path); err != nil {
			t.Errorf("nothing is kept while it runs: %v", err)
		}
		time.Sleep(time.Hour)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		last := truth()
		time.Sleep(time.Minute)
		c = newClock(t, b, path)
		wantTime(t, c, 0)
		if s := c.State(); s.Source != Saved {
			t.Errorf("state %+v", s)
		}
		c.Learn(truth().Add(time.Millisecond*500), 0)
		wantTime(t, c, 500*time.Millisecond)
		c.Close()

		time.Sleep(time.Minute)
		c = newClock(t, newBox(2, boot1970), path)
		defer c.Close()
		if _, known := c.Read(); known {
			t.Error("the time is known after a boot")
		}
		if passed, _ := c.Now(); passed.Sub(last) < time.Minute || passed.After(truth()) {
			t.Errorf("%s has passed, the last known time is a little after %s", passed, last)
		}
		if err := os.WriteFile(path, []byte("\x00\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
		d := newClock(t, newBox(1, boot1970), path)
		defer d.Close()
		if _, known := d.Read(); known {
			t.Error("a damaged file is believed")
		}
	})
}

// This machine has what the package needs.
func TestThisMachine(t *testing.T) {
	c, err := Open(Default(), nil, prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Boot() == (BootID{}) || c.m.boot() <= 0 {
		t.Errorf("boot %x, %s ago", c.Boot(), c.m.boot())
	}
	if now, known := c.Read(); !known || time.Since(now).Abs() > time.Second {
		t.Errorf("the time is %s (known: %v)", now, known)
	}
	t.Logf("synchronised: %v", c.m.synced())
}

func TestBadConfig(t *testing.T) {
	cfg := Default()
	cfg.Mode, cfg.Tolerance = "sundial", 0
	if _, err := Open(cfg, nil, prometheus.NewRegistry()); err == nil ||
		!strings.Contains(err.Error(), `"sundial"`) || !strings.Contains(err.Error(), "tolerance 0s") {
		t.Errorf("got %v", err)
	}
}
