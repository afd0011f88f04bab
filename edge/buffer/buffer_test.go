package buffer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
	"github.com/2zrhun/city-flow/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testConfig(dir string) Config {
	cfg := Default()
	cfg.Dir, cfg.Edge = dir, "E1"
	cfg.CommitInterval = 0
	return cfg
}

func open(t testing.TB, cfg Config) *Buffer {
	t.Helper()
	b, err := Open(cfg, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// noise returns readings that compress badly.
func noise(prefix string, n int) []traffic.Reading {
	rs := traffictest.Readings(prefix, n)
	for i := range rs {
		rs[i].Sensor = traffic.SensorID(fmt.Sprintf("%s-%d-%016x", prefix, i, rand.Uint64()))
		rs[i].Road = traffic.RoadID(rs[i].Sensor)
		rs[i].Place = &traffic.Place{Label: fmt.Sprintf("%016x%016x%016x", rand.Uint64(), rand.Uint64(), rand.Uint64())}
	}
	return rs
}

// bulky returns readings of about 150 bytes each, whatever the compression.
func bulky(prefix string, n int) []traffic.Reading {
	rs := noise(prefix, n)
	for i := range rs {
		raw := make([]byte, traffic.MaxLabelBytes/2)
		for j := range raw {
			raw[j] = byte(rand.Uint32())
		}
		rs[i].Place = &traffic.Place{Label: hex.EncodeToString(raw)}
	}
	return rs
}

func accept(t testing.TB, b *Buffer, rs []traffic.Reading) {
	t.Helper()
	if err := b.Accept(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
}

// drain returns all batches that are not acknowledged, decoded and checked against
// what the buffer says about them.
func drain(t testing.TB, b *Buffer) (stored []Batch, decoded []*wire.Batch) {
	t.Helper()
	for c := (Cursor{}); ; {
		s, ok := b.Next(c)
		if !ok {
			return stored, decoded
		}
		c = s.Cursor
		d, err := wire.DecodeBatch(s.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if d.Edge != b.cfg.Edge || d.Epoch != s.Epoch || d.Seq != s.Seq || len(d.Readings) != s.Readings || s.At.IsZero() {
			t.Fatalf("stored as %+v, encoded as edge %s epoch %d seq %d with %d readings", s.Cursor, d.Edge, d.Epoch, d.Seq, len(d.Readings))
		}
		stored, decoded = append(stored, s), append(decoded, d)
	}
}

func readings(decoded []*wire.Batch) []traffic.Reading {
	type name struct {
		sensor traffic.SensorID
		at     time.Time
	}
	seen := map[name]bool{}
	var rs []traffic.Reading
	for _, d := range decoded {
		for _, r := range d.Readings {
			if n := (name{r.Sensor, r.At}); !seen[n] {
				seen[n] = true
				rs = append(rs, r)
			}
		}
	}
	return rs
}

// A failer is what testing.TB and rapid.T have in common here.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func segmentFiles(t failer, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.[sa][ev]g"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// settled waits until no segment is being written.
func settled(t failer, b *Buffer) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(100 * time.Microsecond) {
		b.mu.Lock()
		busy := slices.ContainsFunc(b.segments, func(s *segment) bool { return s.settling })
		b.mu.Unlock()
		if !busy {
			b.tidy()
			b.evict()
			return
		}
		if time.Since(begun) > time.Minute {
			t.Fatal("segments are written for ever")
		}
	}
}

func TestSinkContract(t *testing.T) {
	traffictest.TestSink(t, func(t *testing.T) *traffictest.Subject {
		cfg := testConfig(t.TempDir())
		b := open(t, cfg)
		s := &traffictest.Subject{Sink: b}
		s.Kept = func(t *testing.T) []traffic.Reading {
			_, decoded := drain(t, b)
			return readings(decoded)
		}
		s.Restart = func(t *testing.T) {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			b = open(t, cfg)
			s.Sink = b
		}
		return s
	})
}

// No two batches ever have the same name, whatever a restart knows of those before.
func TestNamesAreNeverUsedAgain(t *testing.T) {
	cfg := testConfig(t.TempDir())
	seen := map[[2]uint64]bool{}
	for range 5 {
		b := open(t, cfg)
		for range 3 {
			accept(t, b, traffictest.Readings("a", 10))
		}
		stored, _ := drain(t, b)
		if len(stored) != 3 {
			t.Fatalf("%d batches, want 3", len(stored))
		}
		for i, s := range stored {
			if s.Epoch == 0 || s.Seq != uint64(i+1) || seen[[2]uint64{s.Epoch, s.Seq}] {
				t.Fatalf("epoch %d number %d", s.Epoch, s.Seq)
			}
			seen[[2]uint64{s.Epoch, s.Seq}] = true
			b.Forget(s.Epoch, []uint64{s.Seq})
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(segmentFiles(t, cfg.Dir)); n > 1 {
			t.Fatalf("%d segments are left of acknowledged batches", n)
		}
	}
}

func TestAcknowledgedSegmentsAreUnlinked(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.SegmentBytes, cfg.MaxBytes = 64<<10, 8<<20
	b := open(t, cfg)
	for i := range 40 {
		accept(t, b, noise(fmt.Sprint(i), 500))
	}
	if n := len(segmentFiles(t, cfg.Dir)); n < 3 {
		t.Fatalf("only %d segments: the test is void", n)
	}
	stored, _ := drain(t, b)
	// Acknowledge backwards, so that every segment becomes free at its first batch.
	for i := len(stored) - 1; i >= 0; i-- {
		if n := b.Forget(stored[i].Epoch, []uint64{stored[i].Seq}); n != 1 {
			t.Fatalf("forgot %d batches, want 1", n)
		}
	}
	if n := len(segmentFiles(t, cfg.Dir)); n > 1 {
		t.Errorf("%d segments are left, want the head at most", n)
	}
	if s := b.Stats(); s.Batches != 0 || !s.Oldest.IsZero() || s.Bytes > cfg.overhead()+2*cfg.SegmentBytes {
		t.Errorf("stats of an empty buffer: %+v", s)
	}
	if n := b.Forget(stored[0].Epoch, []uint64{stored[0].Seq, 1 << 40}) + b.Forget(stored[0].Epoch+1, []uint64{stored[3].Seq}); n != 0 {
		t.Errorf("forgot %d batches that it did not have", n)
	}
}

func TestFullBufferRefusesAndRecovers(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.SegmentBytes, cfg.MaxBytes, cfg.WhenFull = 64<<10, journalBytes+576<<10, Refuse
	b := open(t, cfg)
	var kept int
	for {
		err := b.Accept(t.Context(), noise(fmt.Sprint(kept), 500))
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	if s := b.Stats(); s.Bytes < cfg.MaxBytes || s.Bytes > cfg.MaxBytes+2*cfg.SegmentBytes {
		t.Errorf("refuses at %d bytes, the bound is %d", s.Bytes, cfg.MaxBytes)
	}
	stored, decoded := drain(t, b)
	if got := len(readings(decoded)); got != kept*500 {
		t.Errorf("%d readings are kept, want %d", got, kept*500)
	}
	for _, s := range stored {
		b.Forget(s.Epoch, []uint64{s.Seq})
	}
	accept(t, b, traffictest.Readings("again", 10))
}

func TestPendingIsBounded(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.CommitInterval, cfg.BatchReadings, cfg.MaxPending = time.Minute, 1000, 1000
	b := open(t, cfg)
	answers := make(chan error, 4)
	done := func(err error) { answers <- err }
	b.Submit(traffictest.Readings("a", 600), nil, done)
	b.Submit(traffictest.Readings("b", 600), nil, done)
	if err := <-answers; !errors.Is(err, ErrBusy) {
		t.Fatalf("got %v, want ErrBusy", err)
	}
	b.Submit(traffictest.Readings("c", 400), nil, done) // makes a whole batch: written at once
	for range 2 {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
}

// While little is pending it waits for the interval; a full batch, and Close, go at once.
func TestGroupCommit(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.CommitInterval, cfg.BatchReadings = 300*time.Millisecond, 100
	b := open(t, cfg)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { accept(t, b, traffictest.Readings(fmt.Sprint(i), 2)) })
	}
	wg.Wait()
	if d := time.Since(start); d < cfg.CommitInterval {
		t.Errorf("a few readings waited %s for others, want %s", d, cfg.CommitInterval)
	}
	if stored, _ := drain(t, b); len(stored) != 1 {
		t.Errorf("20 callers made %d batches, want 1", len(stored))
	}

	start = time.Now()
	accept(t, b, traffictest.Readings("much", 100))
	if d := time.Since(start); d > cfg.CommitInterval/2 {
		t.Errorf("a full batch waited %s", d)
	}

	answered := make(chan error, 1)
	b.Submit(traffictest.Readings("last", 1), nil, func(err error) { answered <- err })
	start = time.Now()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil || time.Since(start) > cfg.CommitInterval/2 {
		t.Errorf("close answered %v after %s", err, time.Since(start))
	}
	if err := b.Accept(t.Context(), traffictest.Readings("late", 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed buffer answers %v", err)
	}
}

func TestChangedTellsOfNews(t *testing.T) {
	b := open(t, testConfig(t.TempDir()))
	changed := b.Changed()
	if _, ok := b.Next(Cursor{}); ok {
		t.Fatal("an empty buffer has a batch")
	}
	go func() { _ = b.Accept(t.Context(), traffictest.Readings("a", 1)) }()
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	first, ok := b.Next(Cursor{})
	if !ok {
		t.Fatal("told of nothing")
	}
	if again, ok := b.Get(first.Cursor); !ok || string(again.Payload) != string(first.Payload) {
		t.Error("got something else for the same place")
	}
	b.Forget(first.Epoch, []uint64{first.Seq})
	if _, ok := b.Get(first.Cursor); ok {
		t.Error("got an acknowledged batch")
	}
}

func TestRejectionsTravel(t *testing.T) {
	b := open(t, testConfig(t.TempDir()))
	var rejected []traffic.Rejected
	for range 1200 {
		rejected = append(rejected, traffic.Rejected{At: traffictest.Base(), Origin: "cityflow/traffic/x", Payload: []byte("?"), Reason: traffic.ReasonParse})
	}
	answered := make(chan error, 1)
	b.Submit(nil, rejected, func(err error) { answered <- err })
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	n := 0
	_, decoded := drain(t, b)
	for _, d := range decoded {
		n += len(d.Rejected)
	}
	if n != len(rejected) {
		t.Errorf("%d rejections are stored, want %d", n, len(rejected))
	}
}

// A reading that cannot be encoded fails its own caller, not those that shared a commit.
func TestOneBadCallerInAGroup(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.CommitInterval = 100 * time.Millisecond
	b := open(t, cfg)
	bad := traffictest.Readings("bad", 2)
	bad[1].Place = &traffic.Place{Label: "\xff\xfe"}
	errs := make([]chan error, 3)
	for i, rs := range [][]traffic.Reading{traffictest.Readings("a", 2), bad, traffictest.Readings("b", 2)} {
		errs[i] = make(chan error, 1)
		b.Submit(rs, nil, func(err error) { errs[i] <- err })
	}
	if a, bad, c := <-errs[0], <-errs[1], <-errs[2]; a != nil || bad == nil || c != nil {
		t.Errorf("got %v, %v, %v", a, bad, c)
	}
	if _, decoded := drain(t, b); len(readings(decoded)) != 4 {
		t.Errorf("%d readings are kept, want 4", len(readings(decoded)))
	}
}

// Readings with long names of their own make batches that are split to fit.
func TestBatchesThatAreTooLargeAreSplit(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.BatchReadings = wire.MaxBatchReadings
	b := open(t, cfg)
	rs := bulky("x", wire.MaxBatchReadings)
	accept(t, b, rs)
	stored, decoded := drain(t, b)
	if len(stored) < 2 || len(readings(decoded)) != len(rs) {
		t.Errorf("%d batches hold %d readings", len(stored), len(readings(decoded)))
	}
}

func TestTwoProcessesDoNotShare(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := open(t, cfg)
	accept(t, b, traffictest.Readings("a", 1))
	_, err := Open(cfg, nil, prometheus.NewRegistry())
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v", err)
	}
	accept(t, b, traffictest.Readings("b", 1))
}

func TestSmallestBound(t *testing.T) {
	cfg := Default()
	cfg.Dir, cfg.Edge, cfg.MaxBytes = t.TempDir(), "E1", 64<<20
	if err := cfg.Validate(); err != nil {
		t.Errorf("64 MiB with the default segments: %v", err)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	cfg := Default()
	cfg.BatchReadings, cfg.MaxBytes = 0, 1
	err := cfg.Validate()
	for _, want := range []string{"dir: empty", `edge: ""`, "batch readings: 0", "max bytes: 1 "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}
