package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

// damage is one way to spoil a file.
type damage struct {
	name  string
	spoil func(path string) error
}

func overwrite(at int64, b []byte) func(string) error {
	return func(path string) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt(b, at)
		return err
	}
}

func flipBit(at int64) func(string) error {
	return func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[at] ^= 1 << (at % 8)
		return os.WriteFile(path, b, 0)
	}
}

// damages are whole-file damages and, for each page of a file of that size, bits that are
// flipped, pages that are lost and a file that ends there.
func damages(size int64) []damage {
	ds := []damage{
		{"empty", func(p string) error { return os.Truncate(p, 0) }},
		{"one byte", func(p string) error { return os.Truncate(p, 1) }},
		{"no meta pages", overwrite(0, make([]byte, 8192))},
	}
	const page = 4096
	for at := int64(0); at < size; at += page {
		n := at / page
		ds = append(ds,
			damage{fmt.Sprintf("zeros in page %d", n), overwrite(at, make([]byte, page))},
			damage{fmt.Sprintf("ones in page %d", n), overwrite(at, slices.Repeat([]byte{0xff}, page))},
			damage{fmt.Sprintf("cut before page %d", n), func(p string) error { return os.Truncate(p, at) }},
			damage{fmt.Sprintf("bit flipped at the front of page %d", n), flipBit(at + n%16)},
			damage{fmt.Sprintf("bit flipped in page %d", n), flipBit(at + 16 + n*1237%(page-16))})
	}
	return ds
}

// A place names a batch.
type place struct{ epoch, seq uint64 }

// A sound folder is one of three segments, with what is in them.
type sound struct {
	cfg Config
	// at says which batch each reading is in, segment which segment.
	at      map[string]place
	segment map[string]int
	files   []string
}

func soundFolder(t *testing.T) *sound {
	t.Helper()
	f := &sound{cfg: testConfig(filepath.Join(t.TempDir(), "sound")), at: map[string]place{}, segment: map[string]int{}}
	for i := range 3 {
		b := open(t, f.cfg)
		for j := range 4 {
			accept(t, b, noise(fmt.Sprintf("%d-%d", i, j), 100))
		}
		_, decoded := drain(t, b)
		for _, d := range decoded {
			for _, r := range d.Readings {
				if _, known := f.at[nameOf(r)]; !known {
					f.at[nameOf(r)], f.segment[nameOf(r)] = place{d.Epoch, d.Seq}, i
				}
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if f.files = segmentFiles(t, f.cfg.Dir); len(f.files) != 3 {
		t.Fatalf("%d segments, want 3", len(f.files))
	}
	if err := os.Remove(filepath.Join(f.cfg.Dir, journalName)); err != nil { // it still has what the last segment has
		t.Fatal(err)
	}
	return f
}

// Whatever happens to a page of a segment, the buffer opens, the other segments are
// delivered, nothing wrong is, what is lost is reported as lost, and new readings get
// names that were never used.
func TestDamagedSegment(t *testing.T) {
	f := soundFolder(t)
	probe := &segment{path: f.files[1]}
	probe.parseName(filepath.Base(probe.path))
	if _, err := probe.load(); err != nil {
		t.Fatal(err)
	}
	probe.close()
	for i, d := range damages(probe.bytes) {
		victim := i % len(f.files)
		t.Run(fmt.Sprintf("segment %d %s", victim, d.name), func(t *testing.T) {
			t.Parallel()
			f.checkDamaged(t, victim, d)
		})
	}
}

func (f *sound) checkDamaged(t *testing.T, victim int, d damage) {
	cfg := f.cfg
	cfg.Dir = t.TempDir()
	if err := os.CopyFS(cfg.Dir, os.DirFS(f.cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := d.spoil(segmentFiles(t, cfg.Dir)[victim]); err != nil {
		t.Fatal(err)
	}
	b := open(t, cfg)
	accept(t, b, traffictest.Readings("fresh", 10))
	stored, decoded := drain(t, b)
	got := map[string]bool{}
	for _, r := range readings(decoded) {
		got[nameOf(r)] = true
	}
	gaps := knownGaps(b)
	lost := 0
	for name, at := range f.at {
		if got[name] {
			continue
		}
		lost++
		if f.segment[name] != victim {
			t.Fatalf("reading %s of sound segment %d is not delivered", name, f.segment[name])
		}
		if !slices.ContainsFunc(gaps, func(g traffic.Gap) bool {
			return g.Cause == traffic.GapDamaged && g.Epoch == at.epoch && at.seq >= g.FirstSeq && at.seq <= g.LastSeq
		}) {
			t.Fatalf("reading %s of batch %v is lost without a record in %+v", name, at, gaps)
		}
	}
	if len(got) != len(f.at)-lost+10 {
		t.Errorf("%d readings are delivered, want %d and the 10 fresh ones", len(got), len(f.at)-lost)
	}
	if lost == 0 && len(gaps) > 0 {
		t.Errorf("nothing is lost, and reported is %+v", gaps)
	}
	forgetAll(t, b, stored)
	_, err := os.Stat(filepath.Join(cfg.Dir, quarantineDir))
	if lost > 0 && errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%d readings are lost and nothing is in quarantine", lost)
	}
}

// forgetAll acknowledges batches, which have different names.
func forgetAll(t *testing.T, b *Buffer, stored []Batch) {
	t.Helper()
	seen := map[place]bool{}
	for _, s := range stored {
		if id := (place{s.Epoch, s.Seq}); seen[id] {
			t.Errorf("name %v is used twice", id)
		} else {
			seen[id] = true
		}
		b.Forget(s.Epoch, []uint64{s.Seq})
	}
	if n := len(segmentFiles(t, b.cfg.Dir)); n > 1 {
		t.Errorf("%d segments are left", n)
	}
}

func knownGaps(b *Buffer) (gs []traffic.Gap) {
	b.gaps.mu.Lock()
	defer b.gaps.mu.Unlock()
	for _, r := range b.gaps.records {
		gs = append(gs, r.gap)
	}
	return gs
}

// A flipped bit anywhere in the journal costs the commit that it is in, and no other.
func TestDamagedJournal(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := open(t, cfg)
	const commits = 6
	for i := range commits {
		accept(t, b, noise(fmt.Sprint(i), 60))
	}
	image := t.TempDir()
	if err := os.CopyFS(image, os.DirFS(cfg.Dir)); err != nil { // as kill -9 leaves it
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(image, journalName))
	if err != nil {
		t.Fatal(err)
	}
	var begins, ends []int64 // of the commits
	for at := 0; len(begins) < commits; {
		_, n := parseCommit(content[at:])
		begins, ends = append(begins, int64(at)), append(ends, int64(at+n))
		at += pages(n)
	}
	for at := int64(5); at < ends[commits-1]; at += 1777 {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.Dir = t.TempDir()
			if err := os.CopyFS(cfg.Dir, os.DirFS(image)); err != nil {
				t.Fatal(err)
			}
			if err := flipBit(at)(filepath.Join(cfg.Dir, journalName)); err != nil {
				t.Fatal(err)
			}
			b := open(t, cfg)
			_, decoded := drain(t, b)
			hit, _ := slices.BinarySearch(begins, at+1)
			hit--
			n := commits
			for _, d := range decoded {
				n -= min(1, len(d.Readings)) // not the report of the loss
			}
			if padding := at >= ends[hit]; n > 1 || (n == 0) != padding {
				t.Fatalf("%d batches of %d are lost", n, commits)
			}
			gaps := knownGaps(b)
			if n == 1 && hit < commits-1 && (len(gaps) != 1 || gaps[0].FirstSeq != uint64(hit)+1 || gaps[0].LastSeq != gaps[0].FirstSeq) {
				t.Errorf("batch %d is lost, reported is %+v", hit+1, gaps)
			}
		})
	}
}

// A loss is reported in a batch of its own, once, again after a restart, and no more when
// the centre has it.
func TestLossIsReported(t *testing.T) {
	f := soundFolder(t)
	if err := os.Truncate(f.files[1], 0); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	for restart := range 3 {
		b, err := Open(f.cfg, nil, reg)
		if err != nil {
			t.Fatal(err)
		}
		report := awaitReport(t, b)
		if len(report.Gaps) != 1 || report.Gaps[0].Cause != traffic.GapDamaged || report.Gaps[0].FirstSeq != 1 || report.Gaps[0].LastSeq != 4 {
			t.Fatalf("reported is %+v", report.Gaps)
		}
		if restart == 2 {
			b.Forget(report.Epoch, []uint64{report.Seq})
			if n := b.Stats().Gaps; n != 0 {
				t.Errorf("%d gaps are kept after the report", n)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		reg = prometheus.NewRegistry()
	}
	if b := open(t, f.cfg); b.Stats().Gaps != 0 {
		t.Error("a reported gap came back")
	}
	if _, err := os.Stat(filepath.Join(f.cfg.Dir, gapsName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the record of losses is still there: %v", err)
	}
}

// awaitReport reads batches until one of this life's epoch reports something.
func awaitReport(t *testing.T, b *Buffer) *wire.Batch {
	t.Helper()
	for c := (Cursor{}); ; {
		changed := b.Changed()
		s, ok := b.Next(c)
		if !ok {
			<-changed
			continue
		}
		c = s.Cursor
		d, err := wire.DecodeBatch(s.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Gaps) > 0 && d.Epoch == b.commit.epoch {
			return d
		}
	}
}

func TestLossesGrowTogether(t *testing.T) {
	reg := prometheus.NewRegistry()
	cfg := testConfig(t.TempDir())
	b, err := Open(cfg, nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	at := traffictest.Base()
	for seq := uint64(1); seq <= 50; seq++ {
		b.lose(traffic.Gap{Cause: traffic.GapEvicted, Epoch: 7, FirstSeq: seq, LastSeq: seq, From: at, To: at, Readings: 3}, kindRaw)
	}
	for seq := uint64(2); seq <= 600; seq += 2 {
		b.lose(traffic.Gap{Cause: traffic.GapDamaged, Epoch: 8, FirstSeq: seq, LastSeq: seq, Readings: 1}, kindRaw)
	}
	gaps := knownGaps(b)
	if len(gaps) > wire.MaxBatchGaps || gaps[0].FirstSeq != 1 || gaps[0].LastSeq != 50 || gaps[0].Readings != 150 || !gaps[0].To.Equal(at) {
		t.Fatalf("%d gaps, the first is %+v", len(gaps), gaps[0])
	}
	n := 0
	for _, g := range gaps[1:] {
		n += g.Readings
	}
	if n != 300 {
		t.Errorf("%d damaged batches are on record, want 300", n)
	}
	if got := metric(t, reg, "cityflow_edge_buffer_lost_readings_total"); got != 450 {
		t.Errorf("the metric counts %v", got)
	}
	if err := (&ledger{path: b.gaps.path}).load(); err != nil {
		t.Error(err)
	}
}

// metric is the sum of a counter over its labels.
func metric(t *testing.T, reg prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
