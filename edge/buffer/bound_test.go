package buffer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// fleet makes the readings of sensors that measure every ten seconds.
type fleet struct {
	sensors int
	at      time.Time
	sent    []traffic.Reading
}

func newFleet(sensors int) *fleet {
	return &fleet{sensors: sensors, at: time.Now().UTC().Add(-48 * time.Hour).Truncate(time.Hour)}
}

// rounds returns the next n readings of every sensor.
func (f *fleet) rounds(n int) []traffic.Reading {
	var rs []traffic.Reading
	for range n {
		for i := range f.sensors {
			id := fmt.Sprintf("sensor-%d", i)
			rs = append(rs, traffic.Reading{
				At: f.at, Sensor: traffic.SensorID(id), Road: traffic.RoadID(id),
				Speed: traffic.Some(rand.Float64() * 120), Flow: traffic.Some(rand.Float64() * 2000), Occupancy: traffic.Some(rand.Float64()),
			})
		}
		f.at = f.at.Add(10 * time.Second)
	}
	f.sent = append(f.sent, rs...)
	return rs
}

func smallConfig(t *testing.T, segments int64) Config {
	cfg := testConfig(t.TempDir())
	cfg.SegmentBytes = 64 << 10
	cfg.MaxBytes = cfg.overhead() + segments*cfg.SegmentBytes
	return cfg
}

// fill hands readings in until done says so, at a pace that thinning can follow.
func fill(t *testing.T, b *Buffer, f *fleet, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(end) {
			t.Fatalf("filled in vain: %+v", b.Stats())
		}
		accept(t, b, f.rounds(10))
		settled(t, b)
		if s := b.Stats(); s.Bytes > s.MaxBytes {
			t.Fatalf("%d bytes, the bound is %d", s.Bytes, s.MaxBytes)
		}
		for b.size() >= b.cfg.evictAt() && time.Now().Before(end) {
			time.Sleep(time.Millisecond)
		}
	}
}

func count(b *Buffer, k kind) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.segments {
		if s.kind == k && s.path != "" {
			n++
		}
	}
	return n
}

// A buffer that fills is thinned: what is oldest arrives as averages, what is newest as it
// was, and the record of losses has each reading that was replaced.
func TestNearlyFullIsThinned(t *testing.T) {
	cfg := smallConfig(t, 6)
	b := open(t, cfg)
	f := newFleet(20)
	fill(t, b, f, func() bool { return count(b, kindAverages) >= 6 })
	_, decoded := drain(t, b)
	raw, averages := map[string]traffic.Reading{}, []traffic.Reading{}
	for _, d := range decoded {
		for _, r := range d.Readings {
			if r.Quality&traffic.QualityThinned != 0 {
				averages = append(averages, r)
			} else {
				raw[nameOf(r)] = r
			}
		}
	}
	first := f.at
	for _, r := range raw {
		first = earlier(first, r.At)
	}
	lost := 0
	for _, r := range f.sent {
		if _, ok := raw[nameOf(r)]; !ok {
			lost++
			if r.At.After(first) {
				t.Fatalf("a reading of %s is thinned, one of %s is not", r.At, first)
			}
		}
	}
	gaps := knownGaps(b)
	if len(gaps) != 1 || gaps[0].Cause != traffic.GapThinned || gaps[0].Readings != lost || !gaps[0].From.Equal(f.sent[0].At) || gaps[0].To.After(first) {
		t.Errorf("%d readings are thinned, reported is %+v", lost, gaps)
	}
	checkAverages(t, f.sent[:lost], averages)
	if s := b.Stats(); s.Gaps != 1 || s.Bytes >= cfg.evictAt() {
		t.Errorf("stats %+v", s)
	}
}

// checkAverages compares averages with the readings that they stand for.
func checkAverages(t *testing.T, rs, averages []traffic.Reading) {
	t.Helper()
	type name struct {
		sensor traffic.SensorID
		at     time.Time
	}
	seen := map[name]bool{}
	vehicles, flow, n := map[traffic.SensorID]float64{}, map[traffic.SensorID]float64{}, 0
	for _, r := range rs {
		vehicles[r.Sensor] += flowOf(r)
	}
	aligned := 0
	for _, a := range averages {
		k := name{a.Sensor, a.At}
		if seen[k] {
			t.Fatalf("two averages of %s at %s", a.Sensor, a.At)
		}
		seen[k] = true
		begin := a.At.Truncate(thinInterval)
		if a.At.Equal(begin) {
			aligned++
		}
		flow[a.Sensor] += flowOf(a)
		n++
		lowest, highest := math.Inf(1), math.Inf(-1)
		for _, r := range rs {
			if v, _ := r.Speed.Get(); r.Sensor == a.Sensor && !r.At.Before(a.At) && r.At.Before(begin.Add(thinInterval)) {
				lowest, highest = min(lowest, v), max(highest, v)
			}
		}
		if v, ok := a.Speed.Get(); !ok || v < lowest-0.01 || v > highest+0.01 {
			t.Errorf("mean speed %v of %s at %s, the readings are %v to %v", a.Speed, a.Sensor, a.At, lowest, highest)
		}
		if err := a.Validate(time.Now()); err != nil {
			t.Error(err)
		}
	}
	if aligned < n*3/4 {
		t.Errorf("%d of %d averages begin with their 5 minutes", aligned, n)
	}
	for sensor, total := range vehicles {
		want, got := total/float64(len(rs))*float64(len(vehicles)), flow[sensor]/float64(n)*float64(len(vehicles))
		if math.Abs(got-want) > 0.1*want {
			t.Errorf("mean flow of %s is %.1f, was %.1f", sensor, got, want)
		}
	}
}

func flowOf(r traffic.Reading) float64 {
	v, _ := r.Flow.Get()
	return v
}

// Where averages save nothing, and where they fill the buffer themselves, what is oldest
// goes; no reading vanishes without a record, and sensors are never sent away.
func TestFullBufferEvicts(t *testing.T) {
	cfg := smallConfig(t, 5)
	reg := prometheus.NewRegistry()
	b, err := Open(cfg, nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	taken := 0
	for i := range 60 {
		rs := noise(fmt.Sprint(i), 300) // each sensor once: nothing to average
		accept(t, b, rs)
		taken += len(rs)
		settled(t, b)
		for b.size() >= cfg.evictAt() {
			time.Sleep(time.Millisecond)
		}
	}
	_, decoded := drain(t, b)
	kept := len(readings(decoded))
	gaps := knownGaps(b)
	if len(gaps) != 1 || gaps[0].Cause != traffic.GapEvicted || gaps[0].FirstSeq != 1 || gaps[0].Readings != taken-kept || kept == 0 {
		t.Errorf("%d of %d readings are left, reported is %+v", kept, taken, gaps)
	}
	if got := metric(t, reg, "cityflow_edge_buffer_lost_readings_total"); got != float64(taken-kept) {
		t.Errorf("the metric counts %v lost readings, want %d", got, taken-kept)
	}
	if last := decoded[len(decoded)-1]; last.Seq < 60 {
		t.Errorf("the newest batch is %d", last.Seq)
	}
}

// Raw readings that cannot be thinned go before averages, and old averages before new ones.
func TestEvictionOrder(t *testing.T) {
	cfg := smallConfig(t, 8)
	b := open(t, cfg)
	plain, dense, read := segment{}, segment{dense: true}, segment{readAt: b.now()}
	closed := func(ordinal uint64, k kind, s segment) *segment {
		s.ordinal, s.kind, s.path = ordinal, k, "x"
		return &s
	}
	for _, c := range []struct {
		name     string
		bytes    int64
		segments []*segment
		want     uint64
	}{
		{"room", cfg.evictAt() - 1, []*segment{closed(1, kindRaw, plain)}, 0},
		{"raw can be thinned", cfg.evictAt(), []*segment{closed(1, kindAverages, plain), closed(2, kindRaw, plain)}, 0},
		{"no time to thin", cfg.MaxBytes, []*segment{closed(1, kindAverages, plain), closed(2, kindRaw, plain)}, 2},
		{"averages fill it", cfg.evictAt(), []*segment{closed(1, kindRaw, dense), closed(2, kindAverages, plain)}, 1},
		{"raw that was read", cfg.evictAt(), []*segment{closed(1, kindAverages, plain), closed(2, kindRaw, read)}, 1},
		{"all was read", cfg.evictAt(), []*segment{closed(1, kindAverages, read), closed(2, kindRaw, read)}, 0},
		{"all was read, and full", cfg.MaxBytes, []*segment{closed(1, kindAverages, read), closed(2, kindRaw, read)}, 1},
		{"averages only", cfg.evictAt(), []*segment{closed(1, kindAverages, plain), closed(2, kindAverages, plain)}, 1},
		{"the head stays", cfg.MaxBytes, []*segment{closed(1, kindRaw, segment{head: true})}, 0},
	} {
		b.mu.Lock()
		segments, bytes := b.segments, b.bytes
		b.segments, b.bytes = c.segments, c.bytes
		b.mu.Unlock()
		got := uint64(0)
		if v := b.victim(); v != nil {
			got = v.ordinal
		}
		b.mu.Lock()
		b.segments, b.bytes = segments, bytes
		b.mu.Unlock()
		if got != c.want {
			t.Errorf("%s: segment %d goes, want %d", c.name, got, c.want)
		}
	}
}

// A crash between writing averages and removing the readings, and between noting an
// eviction and removing the segment, is finished at the next start.
func TestCrashWhileMakingRoom(t *testing.T) {
	cfg := smallConfig(t, 6)
	b := open(t, cfg)
	f := newFleet(20)
	before := map[string][]byte{}
	fill(t, b, f, func() bool {
		for _, path := range segmentFiles(t, cfg.Dir) {
			if content, err := os.ReadFile(path); err == nil && before[path] == nil && len(filepath.Base(path)) > 45 {
				before[path] = content
			}
		}
		return count(b, kindAverages) >= 3
	})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	sound := payloads(t, open(t, withoutRoom(cfg, t)))
	gaps := knownGaps(open(t, withoutRoom(cfg, t)))
	for path, content := range before {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	b = open(t, withoutRoom(cfg, t))
	again := payloads(t, b)
	for name := range again {
		if _, ok := sound[name]; !ok && name[0] != b.commit.epoch { // which reports the losses
			t.Errorf("batch %v came back", name)
		}
	}
	if got := knownGaps(b); !slices.EqualFunc(got, gaps, sameGap) {
		t.Errorf("on record are %+v, were %+v", got, gaps)
	}
}

// withoutRoom is a copy of the folder in which nothing is thinned or dropped.
func withoutRoom(cfg Config, t *testing.T) Config {
	t.Helper()
	from := cfg.Dir
	cfg.Dir, cfg.WhenFull = filepath.Join(t.TempDir(), "copy"), Refuse
	if err := os.CopyFS(cfg.Dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func sameGap(a, b traffic.Gap) bool {
	return a.Cause == b.Cause && a.Epoch == b.Epoch && a.FirstSeq == b.FirstSeq && a.LastSeq == b.LastSeq && a.Readings == b.Readings
}

// Batches that were just handed out are left alone.
func TestThinningLeavesAloneWhatIsRead(t *testing.T) {
	cfg := smallConfig(t, 8)
	b := open(t, cfg)
	f := newFleet(20)
	fill(t, b, f, func() bool { return count(b, kindRaw) >= 2 })
	first, ok := b.Next(Cursor{})
	if !ok {
		t.Fatal("nothing to read")
	}
	fill(t, b, f, func() bool { return count(b, kindAverages) >= 2 })
	again, ok := b.Get(first.Cursor)
	if !ok || string(again.Payload) != string(first.Payload) {
		t.Error("a batch that was handed out is gone")
	}
}

// The mean of a sensor without flow is that over its readings; with flow, over vehicles.
func TestMeanSpeed(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	reading := func(speed float64, flow traffic.Value) traffic.Reading {
		return traffic.Reading{At: at, Sensor: "a", Road: "a", Speed: traffic.Some(speed), Flow: flow}
	}
	for name, c := range map[string]struct {
		rs   []traffic.Reading
		want float64
	}{
		"weighted":         {[]traffic.Reading{reading(30, traffic.Some(900)), reading(90, traffic.Some(100))}, 36},
		"no flow":          {[]traffic.Reading{reading(30, traffic.Value{}), reading(90, traffic.Value{})}, 60},
		"one without flow": {[]traffic.Reading{reading(30, traffic.Some(900)), reading(90, traffic.Value{})}, 60},
		"no vehicle":       {[]traffic.Reading{reading(30, traffic.Some(0)), reading(90, traffic.Some(0))}, 60},
	} {
		m := &mean{first: c.rs[0]}
		for i := range c.rs {
			m.add(&c.rs[i])
		}
		got := m.reading(at)
		if got.Speed != traffic.Some(c.want) || got.Quality != traffic.QualityThinned || got.Occupancy.Known() {
			t.Errorf("%s: %+v, want a speed of %v", name, got, c.want)
		}
	}
	empty := (&mean{first: traffic.Reading{At: at}}).reading(at)
	if empty.Speed.Known() || empty.Flow.Known() {
		t.Errorf("an average of nothing is %+v", empty)
	}
}

// A segment with more sensors than are averaged at once.
func TestThinningIsBounded(t *testing.T) {
	th := &thinning{from: &segment{}, into: &segment{header: header{epoch: 1, first: 1}, next: 1}, edge: "E1", readings: 2000, means: map[meanKey]*mean{}, begun: map[traffic.SensorID]time.Time{}}
	f := newFleet(300)
	for _, r := range f.rounds(60) {
		th.add(&r)
	}
	if err := th.flush(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range th.entries {
		d, err := wire.DecodeBatch(e.value)
		if err != nil {
			t.Fatal(err)
		}
		n += len(d.Readings)
	}
	if n != 600 || len(th.means) != 0 || th.size > int64(n*14) {
		t.Errorf("%d averages take %d bytes", n, th.size)
	}
}
