package buffer

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A model is what a buffer should hold: the readings taken, by name, how far each got, and
// what the buffer says it lost.
type model struct {
	t     *rapid.T
	cfg   Config
	b     *Buffer
	calls int
	// taken are the readings that were kept, acked those of acknowledged batches.
	taken map[string]bool
	acked map[string]bool
	// at is the batch of each reading, and reported are the gaps that were
	// acknowledged.
	at       map[string]place
	reported []traffic.Gap
	// names are the readings of each batch that was delivered.
	names map[Cursor][]string
	gaps  map[Cursor][]traffic.Gap
	last  Cursor
	// epochs are those of which something was delivered in this life.
	epochs map[uint64]bool
}

func nameOf(r traffic.Reading) string { return fmt.Sprintf("%s@%d", r.Sensor, r.At.Unix()) }

func (m *model) reopen(dir string) {
	m.cfg.Dir = dir
	b, err := Open(m.cfg, nil, prometheus.NewRegistry())
	if err != nil {
		m.t.Fatal(err)
	}
	m.b, m.last, m.names, m.gaps = b, Cursor{}, map[Cursor][]string{}, map[Cursor][]traffic.Gap{}
	m.epochs = map[uint64]bool{}
	b.mu.Lock()
	b.pin = 0 // everything is read all the time here
	b.mu.Unlock()
}

func (m *model) accept(n int) {
	m.calls++
	rs := bulky("s", n)
	for i := range rs { // ten sensors that measure every second
		rs[i].Sensor, rs[i].Road = traffic.SensorID(fmt.Sprint("s", i%10)), "r"
		rs[i].At = traffictest.Base().Add(time.Duration(1000*m.calls+i) * time.Second)
	}
	err := m.b.Accept(m.t.Context(), rs)
	if errors.Is(err, ErrFull) {
		if m.b.Stats().Bytes < m.cfg.MaxBytes {
			m.t.Fatalf("refused although not full: %v", err)
		}
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	for _, r := range rs {
		m.taken[nameOf(r)] = true
	}
}

// deliver reads one batch further; nothing comes twice in one life. Averages that took the
// place of a segment begin where it began, in an epoch of their own.
func (m *model) deliver() {
	s, ok := m.b.Next(m.last)
	if !ok {
		return
	}
	replaced := m.cfg.WhenFull == Thin && s.Cursor.ordinal == m.last.ordinal && !m.epochs[s.Epoch]
	if !m.last.Before(s.Cursor) && !replaced {
		m.t.Fatalf("went back from %v to %v", m.last, s.Cursor)
	}
	m.last, m.epochs[s.Epoch] = s.Cursor, true
	d, err := wire.DecodeBatch(s.Payload)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, r := range d.Readings {
		m.names[s.Cursor] = append(m.names[s.Cursor], nameOf(r))
	}
	m.gaps[s.Cursor] = d.Gaps
}

// acknowledge a batch that was delivered; its readings must be gone.
func (m *model) acknowledge(c Cursor) {
	s, ok := m.b.Get(c)
	if !ok {
		return
	}
	if m.b.Forget(s.Epoch, []uint64{s.Seq}) != 1 || m.b.Forget(s.Epoch, []uint64{s.Seq}) != 0 {
		m.t.Fatal("a batch is not forgotten exactly once")
	}
	if _, ok := m.b.Get(c); ok {
		m.t.Fatal("a forgotten batch is still there")
	}
	for _, n := range m.names[c] {
		m.acked[n] = true
	}
	m.reported = append(m.reported, m.gaps[c]...)
}

// check compares everything that would be delivered with the model.
func (m *model) check() {
	got := map[string]int{}
	batches := uint64(0)
	for c := (Cursor{}); ; {
		s, ok := m.b.Next(c)
		if !ok {
			break
		}
		c = s.Cursor
		batches++
		d, err := wire.DecodeBatch(s.Payload)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, r := range d.Readings {
			if r.Quality&traffic.QualityThinned == 0 {
				got[nameOf(r)]++
				m.at[nameOf(r)] = place{s.Epoch, s.Seq}
			}
		}
	}
	m.checkReadings(got)
	if stats := m.b.Stats(); stats.Bytes > m.cfg.MaxBytes+2*m.cfg.SegmentBytes {
		m.t.Fatalf("%d bytes, the bound is %d", stats.Bytes, m.cfg.MaxBytes)
	} else if m.cfg.WhenFull == Refuse { // nothing goes on in the background
		if stats.Batches != batches || stats.Oldest.IsZero() != (batches == 0) {
			m.t.Fatalf("stats say %+v, there are %d batches", stats, batches)
		}
		m.checkFiles()
	}
}

// checkReadings wants every reading that was taken once, or acknowledged, or on record as
// lost.
func (m *model) checkReadings(got map[string]int) {
	lost := append(knownGaps(m.b), m.reported...)
	for n := range m.taken {
		if m.acked[n] || got[n] == 1 {
			continue
		}
		at, seen := m.at[n]
		covered := slices.ContainsFunc(lost, func(g traffic.Gap) bool {
			return !seen || g.Epoch == at.epoch && g.FirstSeq <= at.seq && at.seq <= g.LastSeq
		})
		if got[n] > 1 || !covered || m.cfg.WhenFull == Refuse {
			m.t.Fatalf("reading %s of batch %v is offered %d times; lost are %+v", n, at, got[n], lost)
		}
	}
	for n := range got {
		if !m.taken[n] {
			m.t.Fatalf("reading %s comes from nowhere", n)
		}
	}
}

// checkFiles compares the folder with what the buffer knows of it.
func (m *model) checkFiles() {
	settled(m.t, m.b)
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	files := segmentFiles(m.t, m.cfg.Dir)
	size := m.cfg.overhead()
	for _, s := range m.b.segments {
		if s.path != "" {
			files = slices.DeleteFunc(files, func(f string) bool { return f == s.path })
		}
		if !s.head && s.unacked() == 0 {
			m.t.Fatalf("segment %s is kept for nothing", s.path)
		}
		size += s.bytes
	}
	if len(files) > 0 || size != m.b.bytes {
		m.t.Fatalf("files %v belong to no segment; %d bytes, want %d", files, m.b.bytes, size)
	}
}

// snapshot copies a folder in which files may come and go.
func snapshot(to, from string) error {
	files, err := os.ReadDir(from)
	err = errors.Join(err, os.MkdirAll(to, 0o750))
	for _, f := range files {
		content, readErr := os.ReadFile(filepath.Join(from, f.Name()))
		if readErr == nil {
			readErr = os.WriteFile(filepath.Join(to, f.Name()), content, 0o600)
		}
		if !errors.Is(readErr, os.ErrNotExist) {
			err = errors.Join(err, readErr)
		}
	}
	return err
}

// TestModel runs random operations, with clean and hard restarts, against the model. Every
// step syncs a disk, so it makes 5 runs unless -rapid.checks says otherwise.
func TestModel(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("5"); err != nil {
			t.Fatal(err)
		}
	}
	base := t.TempDir()
	dirs := 0
	newDir := func() string {
		dirs++
		return filepath.Join(base, fmt.Sprint(dirs))
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &model{t: t, cfg: testConfig(""), taken: map[string]bool{}, acked: map[string]bool{}, at: map[string]place{}}
		m.cfg.SegmentBytes, m.cfg.MaxBytes, m.cfg.BatchReadings = 64<<10, journalBytes+(minSegments+1)*64<<10, 40
		m.cfg.MaxPending, m.cfg.WhenFull = 1000, rapid.SampledFrom([]WhenFull{Thin, Refuse}).Draw(t, "when full")
		m.reopen(newDir())
		defer func() { m.b.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { m.check() },
			"accept": func(t *rapid.T) {
				m.accept(rapid.IntRange(1, 250).Draw(t, "readings"))
			},
			"deliver": func(*rapid.T) { m.deliver() },
			"acknowledge": func(t *rapid.T) {
				if len(m.names) == 0 {
					t.Skip()
				}
				delivered := make([]Cursor, 0, len(m.names))
				for c := range m.names {
					delivered = append(delivered, c)
				}
				slices.SortFunc(delivered, func(a, b Cursor) int { return cmp.Or(cmp.Compare(a.ordinal, b.ordinal), cmp.Compare(a.seq, b.seq)) })
				m.acknowledge(rapid.SampledFrom(delivered).Draw(t, "batch"))
			},
			"restart": func(*rapid.T) {
				if err := m.b.Close(); err != nil {
					m.t.Fatal(err)
				}
				m.reopen(m.cfg.Dir)
			},
			"crash": func(*rapid.T) {
				image := newDir() // the folder as a power cut would leave it
				settled(m.t, m.b)
				if err := snapshot(image, m.cfg.Dir); err != nil {
					m.t.Fatal(err)
				}
				m.b.Close()
				m.reopen(image)
			},
		})
	})
}
