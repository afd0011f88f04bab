package buffer

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// stamped returns readings whose times are seconds since boot.
func stamped(prefix string, n int, since time.Duration) []traffic.Reading {
	rs := traffictest.Readings(prefix, n)
	for i := range rs {
		rs[i].At = time.Unix(0, 0).UTC().Add(since + time.Duration(i)*time.Second)
		rs[i].Quality = traffic.QualityReceiveTime
	}
	return rs
}

func unset(cfg Config, boot byte) Config {
	cfg.ClockUnknown, cfg.BootID = true, BootID{boot}
	return cfg
}

// payloads are the batches that may be sent, by name.
func payloads(t *testing.T, b *Buffer) map[[2]uint64]string {
	t.Helper()
	got := map[[2]uint64]string{}
	stored, _ := drain(t, b)
	for _, s := range stored {
		got[[2]uint64{s.Epoch, s.Seq}] = string(s.Payload)
	}
	return got
}

// Readings of a boot without a clock wait, get their times when it is known, and have the
// same times after a restart, whatever is then said about the boot.
func TestStampsWaitForTheClock(t *testing.T) {
	cfg := unset(testConfig(t.TempDir()), 1)
	b := open(t, cfg)
	rs := stamped("s", 10, 30*time.Second)
	rs[9].At = traffictest.Base() // this sensor has a clock of its own
	accept(t, b, rs)
	if s := b.Stats(); s.Undated != 1 || s.Batches != 1 || !s.Oldest.IsZero() {
		t.Errorf("stats %+v", s)
	}
	if _, ok := b.Next(Cursor{}); ok {
		t.Fatal("a batch without times is handed out")
	}
	changed := b.Changed()
	began := traffictest.Base().Add(-time.Hour)
	offset := began.Sub(time.Unix(0, 0))
	if err := b.Resolve(cfg.BootID, offset); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	stored, decoded := drain(t, b)
	if len(decoded) != 1 || len(stored) != 1 {
		t.Fatalf("%d batches", len(decoded))
	}
	for i, r := range decoded[0].Readings {
		want, quality := began.Add(30*time.Second+time.Duration(i)*time.Second), traffic.QualityReceiveTime|traffic.QualityClock
		if i == 9 {
			want, quality = traffictest.Base(), traffic.QualityReceiveTime
		}
		if !r.At.Equal(want) || r.Quality != quality {
			t.Errorf("reading %d: %s %b, want %s %b", i, r.At, r.Quality, want, quality)
		}
	}
	before := payloads(t, b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, cfg)
	if err := b.Resolve(cfg.BootID, offset+time.Minute); err != nil {
		t.Fatal(err)
	}
	after := payloads(t, b)
	for name, p := range before {
		if after[name] != p {
			t.Errorf("batch %v has other bytes after a restart", name)
		}
	}
}

// A stamp that arrives when the clock has become known gets its time at once.
func TestLateStamp(t *testing.T) {
	cfg := unset(testConfig(t.TempDir()), 1)
	b := open(t, cfg)
	accept(t, b, stamped("before", 3, 0))
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := b.Resolve(cfg.BootID, began.Sub(time.Unix(0, 0))); err != nil {
		t.Fatal(err)
	}
	accept(t, b, append(stamped("late", 3, time.Minute), traffictest.Readings("known", 2)...))
	_, decoded := drain(t, b)
	if len(decoded) != 2 || len(decoded[1].Readings) != 5 {
		t.Fatalf("%d batches", len(decoded))
	}
	late := decoded[1].Readings[0]
	if !late.At.Equal(began.Add(time.Minute)) || late.Quality&traffic.QualityClock == 0 {
		t.Errorf("a late stamp became %s, %b", late.At, late.Quality)
	}
	if known := decoded[1].Readings[4]; known.Quality&traffic.QualityClock != 0 {
		t.Error("a known time is flagged")
	}
	if b.Stats().Undated != 0 {
		t.Errorf("stats %+v", b.Stats())
	}
}

// Two boots never learnt the time, and the third does: they follow one another and end
// before it began.
func TestEarlierBootsAreDated(t *testing.T) {
	for _, known := range []bool{true, false} {
		cfg := testConfig(t.TempDir())
		for boot := range byte(2) {
			b := open(t, unset(cfg, 1+boot))
			accept(t, b, stamped("first", 5, time.Minute))
			accept(t, b, stamped("second", 5, 2*time.Minute))
			if _, ok := b.Next(Cursor{}); ok {
				t.Fatal("handed out")
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now().Add(-time.Minute)
		last := cfg
		if last.BootID = (BootID{3}); !known {
			last = unset(cfg, 3)
		}
		b := open(t, last)
		if !known {
			accept(t, b, stamped("third", 5, 0))
			if _, ok := b.Next(Cursor{}); ok {
				t.Fatal("handed out")
			}
			if err := b.Resolve(last.BootID, began.Sub(time.Unix(0, 0))); err != nil {
				t.Fatal(err)
			}
		}
		_, decoded := drain(t, b)
		checkOrder(t, decoded)
		if n := len(decoded[0].Readings); len(decoded) < 4 || n != 5 || time.Since(decoded[0].Readings[0].At) > time.Hour {
			t.Errorf("%d batches, the first at %s", len(decoded), decoded[0].Readings[0].At)
		}
		if end := decoded[3].Readings[4].At; !known && !end.Before(began) {
			t.Errorf("the second boot ends at %s, the third began at %s", end, began)
		}
		first := payloads(t, b)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		for name, p := range payloads(t, open(t, last)) {
			if was, ok := first[name]; ok && was != p {
				t.Errorf("batch %v has other bytes after a restart", name)
			}
		}
	}
}

// checkOrder wants the readings in the order of time, flagged and none of 1970.
func checkOrder(t *testing.T, decoded []*wire.Batch) {
	t.Helper()
	var last time.Time
	for _, d := range decoded {
		for _, r := range d.Readings {
			if !r.At.After(last) || r.Quality&traffic.QualityClock == 0 || r.At.Before(traffic.Earliest) || r.At.After(time.Now()) {
				t.Errorf("reading at %s after one at %s, quality %b", r.At, last, r.Quality)
			}
			last = r.At
		}
	}
}

func TestClockFileDamaged(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := open(t, unset(cfg, 1))
	accept(t, b, stamped("a", 5, 0))
	if err := b.Resolve(BootID{1}, time.Since(time.Unix(0, 0))-time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cfg.Dir, bootsName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range content {
		spoilt := append([]byte(nil), content...)
		spoilt[i] ^= 1
		if got, ok := parseBoots(spoilt); ok || len(got) > 0 {
			t.Fatalf("byte %d: damage was not noticed", i)
		}
	}
	if err := os.WriteFile(path, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.BootID = BootID{2}
	if got := payloads(t, open(t, cfg)); len(got) != 1 {
		t.Errorf("%d batches, want 1 dated anew", len(got))
	}
}

func TestResolveRefuses(t *testing.T) {
	cfg := testConfig(t.TempDir())
	if _, err := Open(unset(cfg, 0), nil, prometheus.NewRegistry()); err == nil {
		t.Error("an unknown clock without a boot id was taken")
	}
	b := open(t, unset(cfg, 1))
	if err := b.Resolve(BootID{1}, time.Hour); err == nil {
		t.Error("a boot of 1970 was taken")
	}
	if err := b.Accept(t.Context(), stamped("a", 1, 0)); err != nil {
		t.Error(err)
	}
	known := open(t, testConfig(t.TempDir()))
	if err := known.Accept(t.Context(), stamped("a", 1, 0)); err == nil {
		t.Error("a stamp was taken although the clock is known")
	}
	answered := make(chan error, 1)
	known.Submit(stamped("a", 1, 0), nil, func(err error) { answered <- err })
	if err := <-answered; err == nil {
		t.Error("a stamp was submitted although the clock is known")
	}
}

// The time becomes known between the look at the clock and the beginning of a segment: its
// batches must not wait for a time that is known.
func TestClockIsKnownWhileASegmentBegins(t *testing.T) {
	cfg := unset(testConfig(t.TempDir()), 1)
	b := open(t, cfg)
	b.turnClock()
	if err := b.Resolve(cfg.BootID, traffictest.Base().Sub(time.Unix(0, 0))); err != nil {
		t.Fatal(err)
	}
	if s := b.ensureHead(); !s.stamps || !s.sendable() {
		t.Errorf("stamps %v, sendable %v; want a segment of stamps whose time is known", s.stamps, s.sendable())
	}
}
