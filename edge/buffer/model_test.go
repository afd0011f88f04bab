package buffer

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// A model is what a buffer should hold: the readings taken, by name, and how far each got.
type model struct {
	t     *rapid.T
	cfg   Config
	b     *Buffer
	calls int
	// taken are the readings that were kept, acked those of acknowledged batches.
	taken map[string]bool
	acked map[string]bool
	// names are the readings of each batch that was delivered.
	names map[Cursor][]string
	last  Cursor
}

func nameOf(r traffic.Reading) string { return fmt.Sprintf("%s@%d", r.Sensor, r.At.Unix()) }

func (m *model) reopen(dir string) {
	m.cfg.Dir = dir
	b, err := Open(m.cfg, nil, prometheus.NewRegistry())
	if err != nil {
		m.t.Fatal(err)
	}
	m.b, m.last, m.names = b, Cursor{}, map[Cursor][]string{}
}

func (m *model) accept(n int) {
	m.calls++
	rs := noise(fmt.Sprint(m.calls), n)
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

// deliver reads one batch further; nothing acknowledged may come in one life.
func (m *model) deliver() {
	s, ok := m.b.Next(m.last)
	if !ok {
		return
	}
	if s.Cursor.ordinal < m.last.ordinal || s.Cursor.ordinal == m.last.ordinal && s.Cursor.seq <= m.last.seq {
		m.t.Fatalf("went back from %v to %v", m.last, s.Cursor)
	}
	m.last = s.Cursor
	d, err := wire.DecodeBatch(s.Payload)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, r := range d.Readings {
		m.names[s.Cursor] = append(m.names[s.Cursor], nameOf(r))
	}
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
			got[nameOf(r)]++
		}
	}
	for n := range m.taken {
		if !m.acked[n] && got[n] != 1 {
			m.t.Fatalf("reading %s is offered %d times, want once", n, got[n])
		}
	}
	for n := range got {
		if !m.taken[n] {
			m.t.Fatalf("reading %s comes from nowhere", n)
		}
	}
	stats := m.b.Stats()
	if stats.Batches != batches || stats.Oldest.IsZero() != (batches == 0) {
		m.t.Fatalf("stats say %+v, there are %d batches", stats, batches)
	}
	m.checkFiles()
}

// checkFiles compares the folder with what the buffer knows of it.
func (m *model) checkFiles() {
	m.b.mu.Lock()
	defer m.b.mu.Unlock()
	files := segmentFiles(m.t, m.cfg.Dir)
	size := int64(journalBytes)
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

// TestModel runs random operations, with clean and hard restarts, against the model. Every
// step syncs a disk, so it makes 15 runs unless -rapid.checks says otherwise.
func TestModel(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("15"); err != nil {
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
		m := &model{t: t, cfg: testConfig(""), taken: map[string]bool{}, acked: map[string]bool{}}
		m.cfg.SegmentBytes, m.cfg.MaxBytes, m.cfg.BatchReadings = 64<<10, journalBytes+384<<10, 40
		m.cfg.MaxPending = 1000
		m.reopen(newDir())
		defer func() { m.b.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { m.check() },
			"accept": func(t *rapid.T) {
				m.accept(rapid.IntRange(1, 200).Draw(t, "readings"))
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
				if err := os.CopyFS(image, os.DirFS(m.cfg.Dir)); err != nil {
					m.t.Fatal(err)
				}
				m.b.Close()
				m.reopen(image)
			},
		})
	})
}

// damage is one way to spoil a file.
type damage struct {
	name  string
	spoil func(path string, size int64) error
}

func damages() []damage {
	overwrite := func(at int64, b []byte) func(string, int64) error {
		return func(path string, size int64) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt(b, at)
			return err
		}
	}
	zero := func(n int) []byte { return make([]byte, n) }
	ds := []damage{
		{"empty", func(p string, _ int64) error { return os.Truncate(p, 0) }},
		{"one byte", func(p string, _ int64) error { return os.Truncate(p, 1) }},
		{"half", func(p string, size int64) error { return os.Truncate(p, size/2) }},
		{"two pages", func(p string, _ int64) error { return os.Truncate(p, 8192) }},
		{"no meta pages", overwrite(0, zero(8192))},
	}
	for page := int64(2); page < 12; page++ {
		ds = append(ds,
			damage{fmt.Sprintf("zeros in page %d", page), overwrite(page*4096, zero(4096))},
			damage{fmt.Sprintf("ones in page %d", page), overwrite(page*4096, slices.Repeat([]byte{0xff}, 4096))},
			damage{fmt.Sprintf("a flipped byte in page %d", page), overwrite(page*4096+2500, []byte{0xa5})})
	}
	return ds
}

// Whatever happens to one of three segments, the buffer opens, the other two are
// delivered, nothing wrong is, and new readings get numbers that were never used.
func TestDamagedSegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sound")
	cfg := testConfig(dir)
	var names [3]map[string]bool
	for i := range names {
		b := open(t, cfg)
		names[i] = map[string]bool{}
		for j := range 4 {
			rs := noise(fmt.Sprintf("%d-%d", i, j), 100)
			accept(t, b, rs)
			for _, r := range rs {
				names[i][nameOf(r)] = true
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files := segmentFiles(t, dir)
	if len(files) != 3 {
		t.Fatalf("%d segments, want 3", len(files))
	}
	if err := os.Remove(filepath.Join(dir, journalName)); err != nil { // it still has what the last segment has
		t.Fatal(err)
	}
	for victim := range files {
		for _, d := range damages() {
			t.Run(fmt.Sprintf("segment %d %s", victim, d.name), func(t *testing.T) {
				cfg := cfg
				cfg.Dir = t.TempDir()
				if err := os.CopyFS(cfg.Dir, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
				path := segmentFiles(t, cfg.Dir)[victim]
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := d.spoil(path, info.Size()); err != nil {
					t.Fatal(err)
				}
				checkDamaged(t, cfg, victim, names)
			})
		}
	}
}

func checkDamaged(t *testing.T, cfg Config, victim int, names [3]map[string]bool) {
	b := open(t, cfg)
	fresh := traffictest.Readings("fresh", 10)
	accept(t, b, fresh)
	stored, decoded := drain(t, b)
	got := map[string]bool{}
	for _, r := range readings(decoded) {
		got[nameOf(r)] = true
	}
	for i, want := range names {
		for n := range want {
			if i != victim && !got[n] {
				t.Fatalf("reading %s of sound segment %d is not delivered", n, i)
			}
			delete(got, n)
		}
	}
	if len(got) != len(fresh) {
		t.Errorf("%d readings remain, want the %d fresh ones", len(got), len(fresh))
	}
	seen := map[[2]uint64]bool{}
	for _, s := range stored {
		if id := [2]uint64{s.Epoch, s.Seq}; seen[id] {
			t.Errorf("number %v is used twice", id)
		} else {
			seen[id] = true
		}
		b.Forget(s.Epoch, []uint64{s.Seq})
	}
	if n := len(segmentFiles(t, cfg.Dir)); n > 1 {
		t.Errorf("%d segments are left", n)
	}
	lost := len(names[victim]) - (len(readings(decoded)) - len(fresh) - 2*len(names[victim]))
	_, err := os.Stat(filepath.Join(cfg.Dir, quarantineDir))
	if lost > 0 && errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%d readings are lost and nothing is in quarantine", lost)
	}
}
