package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// differ2 is empty when the two readings are equal, also in where their places point.
func differ2(got, want traffic.Reading) string {
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("got  %+v %+v\nwant %+v %+v", got, got.Place, want, want.Place)
	}
	return ""
}

func genID() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"a", "PARIS-4264", "773869", "Ç/+#%é"}), rapid.StringMatching(`[a-zA-Z0-9 _é-]{1,20}`))
}

// genValue draws absent, decimal, nearly decimal and arbitrary quantities.
func genValue(limit float64) *rapid.Generator[traffic.Value] {
	return rapid.Custom(func(t *rapid.T) traffic.Value {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return traffic.Value{}
		case 1:
			return traffic.Some(rapid.Float64Range(0, limit).Draw(t, "any"))
		case 2:
			return traffic.Some(float64(rapid.IntRange(0, int(limit*1000)).Draw(t, "n")) / 1000 / 100)
		default:
			digits := math.Pow10(rapid.IntRange(0, 4).Draw(t, "digits"))
			return traffic.Some(math.Floor(rapid.Float64Range(0, limit).Draw(t, "v")*digits) / digits)
		}
	})
}

func genPlace() *rapid.Generator[*traffic.Place] {
	return rapid.Custom(func(t *rapid.T) *traffic.Place {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		p := &traffic.Place{Label: rapid.SampledFrom([]string{"", "Bd Voltaire", "Av. é"}).Draw(t, "label")}
		if rapid.Bool().Draw(t, "positioned") {
			p.Lat, p.Lng = traffic.Some(rapid.Float64Range(-90, 90).Draw(t, "lat")), traffic.Some(rapid.Float64Range(-180, 180).Draw(t, "lng"))
		}
		return p
	})
}

// genReading draws readings of the edge "e".
func genReading() *rapid.Generator[traffic.Reading] {
	return rapid.Custom(func(t *rapid.T) traffic.Reading {
		sensor := genID().Draw(t, "sensor")
		road := sensor
		if rapid.IntRange(0, 3).Draw(t, "own road") == 0 {
			road = genID().Draw(t, "road")
		}
		unit := rapid.SampledFrom([]int64{1, 1000, 1e6, 300e6}).Draw(t, "unit")
		return traffic.Reading{
			At:        testNow.Add(-time.Duration(rapid.Int64Range(0, 500e6).Draw(t, "ago")/unit*unit) * time.Microsecond),
			Sensor:    traffic.SensorID(sensor),
			Road:      traffic.RoadID(road),
			Speed:     genValue(250).Draw(t, "speed"),
			Flow:      genValue(20000).Draw(t, "flow"),
			Occupancy: genValue(1).Draw(t, "occupancy"),
			Score:     genValue(1).Draw(t, "score"),
			Quality:   rapid.SampledFrom([]traffic.Quality{0, 0, 0, traffic.QualityReceiveTime, traffic.QualityLate | traffic.QualityClock, math.MaxUint32}).Draw(t, "quality"),
			Edge:      "e",
			Place:     genPlace().Draw(t, "place"),
		}
	})
}

func genRejected() *rapid.Generator[traffic.Rejected] {
	return rapid.Custom(func(t *rapid.T) traffic.Rejected {
		r := traffic.Rejected{
			At:     testNow.Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "at")) * time.Microsecond),
			Edge:   "e",
			Origin: rapid.String().Draw(t, "origin"),
			Reason: traffic.ReasonParse,
			Detail: rapid.String().Draw(t, "detail"),
		}
		if p := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "payload"); len(p) > 0 {
			r.Payload = p
		}
		return r
	})
}

func genGap() *rapid.Generator[traffic.Gap] {
	return rapid.Custom(func(t *rapid.T) traffic.Gap {
		first := rapid.Uint64().Draw(t, "first")
		g := traffic.Gap{
			Edge: "e", Cause: rapid.SampledFrom([]traffic.GapCause{traffic.GapThinned, traffic.GapEvicted, traffic.GapDamaged, "new"}).Draw(t, "cause"),
			Epoch: rapid.Uint64().Draw(t, "epoch"), FirstSeq: first, LastSeq: first + min(math.MaxUint64-first, rapid.Uint64().Draw(t, "more")),
			Readings: rapid.IntRange(0, maxGapReadings).Draw(t, "readings"), Noticed: testNow,
		}
		if rapid.Bool().Draw(t, "timed") {
			g.From = testNow.Add(-time.Duration(rapid.IntRange(0, 1e9).Draw(t, "from")) * time.Microsecond)
			g.To = testNow
		}
		return g
	})
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &Batch{Edge: "e", Epoch: rapid.Uint64().Draw(t, "epoch"), Seq: rapid.Uint64().Draw(t, "seq")}
		if rs := rapid.SliceOfN(genReading(), 0, 60).Draw(t, "readings"); len(rs) > 0 {
			want.Readings = rs
		}
		if rs := rapid.SliceOfN(genRejected(), 0, 5).Draw(t, "rejected"); len(rs) > 0 {
			want.Rejected = rs
		}
		if gs := rapid.SliceOfN(genGap(), 0, 5).Draw(t, "gaps"); len(gs) > 0 {
			want.Gaps = gs
		}
		p, err := EncodeBatch(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeBatch(p)
		if err != nil {
			t.Fatal(err)
		}
		if got.Edge != want.Edge || got.Epoch != want.Epoch || got.Seq != want.Seq || len(got.Readings) != len(want.Readings) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		for i := range want.Readings {
			if d := differ2(got.Readings[i], want.Readings[i]); d != "" {
				t.Fatalf("reading %d:\n%s", i, d)
			}
		}
		if !reflect.DeepEqual(got.Rejected, want.Rejected) {
			t.Fatalf("got %+v\nwant %+v", got.Rejected, want.Rejected)
		}
		if !reflect.DeepEqual(got.Gaps, want.Gaps) {
			t.Fatalf("got %+v\nwant %+v", got.Gaps, want.Gaps)
		}
		if h, err := PeekHeader(p); err != nil || h != (Header{want.Epoch, want.Seq}) {
			t.Fatalf("header %+v, %v", h, err)
		}
		again, err := EncodeBatch(want)
		if err != nil || !bytes.Equal(p, again) {
			t.Fatalf("the same batch gave other bytes (%v)", err)
		}
	})
}

// TestBatchKeepsRealData sends all real readings through batches and compares every
// bit.
func TestBatchKeepsRealData(t *testing.T) {
	for name, load := range map[string]func() []traffic.Reading{
		"los angeles":             func() []traffic.Reading { return losAngeles(t, 2) },
		"los angeles, not metric": func() []traffic.Reading { return losAngeles(t, -1) },
		"paris":                   func() []traffic.Reading { return paris(t) },
	} {
		t.Run(name, func(t *testing.T) {
			size, n := 0, 0
			for i, b := range batches(load(), 1000) {
				if i%9 != 0 {
					continue // a ninth shows as much as all of them
				}
				p, err := EncodeBatch(b)
				if err != nil {
					t.Fatal(err)
				}
				got, err := DecodeBatch(p)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, b) {
					t.Fatalf("batch %d differs", b.Seq)
				}
				size, n = size+len(p), n+len(b.Readings)
			}
			perReading := float64(size) / float64(n)
			t.Logf("%.2f bytes per reading", perReading)
			if perReading > 6 && name != "los angeles, not metric" {
				t.Errorf("%.2f bytes per reading, want at most 6", perReading)
			}
		})
	}
}

// percent divides as a sensor does; written as constants, Go would divide exactly.
func percent(k float64) float64 { return k / 100 }

// TestScaledColumns pins down which numbers are kept as small integers.
func TestScaledColumns(t *testing.T) {
	tenth := 0.1
	for name, c := range map[string]struct {
		values   []float64
		exponent uint32
		scaled   bool
		ulps     bool
	}{
		"integers":          {[]float64{0, 840, 20000}, 0, true, false},
		"one decimal":       {[]float64{31.5, 2}, 1, true, false},
		"mixed decimals":    {[]float64{31.5, 0.1234567}, 7, true, false},
		"a step off":        {[]float64{tenth + 0.2}, 1, true, true},
		"percent over 100":  {[]float64{percent(6.63944), percent(17.94573), percent(9.77834)}, 7, true, true},
		"eight decimals":    {[]float64{0.12345678}, 0, false, false},
		"a third":           {[]float64{1.0 / 3}, 0, false, false},
		"large and small":   {[]float64{1e12, 0.0000001}, 0, false, false},
		"infinite":          {[]float64{math.Inf(1)}, 0, false, false},
		"minus zero":        {[]float64{math.Copysign(0, -1)}, 0, false, false},
		"smallest positive": {[]float64{math.SmallestNonzeroFloat64}, 0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			each := identity(len(c.values))
			col := encodeColumn(each, func(i int) traffic.Value { return traffic.Some(c.values[i]) })
			if got := len(col.GetScaled()) > 0; got != c.scaled || col.GetExponent() != c.exponent || (len(col.GetUlps()) > 0) != c.ulps {
				t.Errorf("column %v, want scaled %v, exponent %d, ulps %v", col, c.scaled, c.exponent, c.ulps)
			}
			err := decodeColumn(col, each, func(i int, v traffic.Value) {
				if f, ok := v.Get(); !ok || math.Float64bits(f) != math.Float64bits(c.values[i]) {
					t.Errorf("value %d: got %v, want %v", i, v, c.values[i])
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// goldenBatch is the content of testdata/batch-v2.bin.
func goldenBatch() *Batch {
	voltaire := &traffic.Place{Label: "Bd Voltaire", Lat: traffic.Some(48.858), Lng: traffic.Some(2.379)}
	at := time.Date(2026, 3, 2, 8, 5, 0, 0, time.UTC)
	return &Batch{
		Edge: "edge-1", Epoch: 3, Seq: 17,
		Readings: []traffic.Reading{
			{At: at, Sensor: "PARIS-4521", Road: "PARIS-4521", Speed: traffic.Some(31.5), Flow: traffic.Some(840), Occupancy: traffic.Some(0.17), Score: traffic.Some(0.37), Edge: "edge-1", Place: voltaire},
			{At: at, Sensor: "s2", Road: "r2", Flow: traffic.Some(12.25), Quality: traffic.QualityReceiveTime, Edge: "edge-1"},
			{At: at.Add(5 * time.Minute), Sensor: "PARIS-4521", Road: "PARIS-4521", Speed: traffic.Some(29), Occupancy: traffic.Some(percent(6.63944)), Score: traffic.Some(0.42), Edge: "edge-1", Place: voltaire},
			{At: at.Add(5*time.Minute + 125*time.Millisecond), Sensor: "s2", Road: "r2", Speed: traffic.Some(1.0 / 3), Quality: traffic.QualityLate, Edge: "edge-1"},
		},
		Rejected: []traffic.Rejected{{
			At: at.Add(time.Second), Edge: "edge-1", Origin: "cityflow/traffic/s3", Payload: []byte(`{"sensor_id":"s3"}`),
			Reason: traffic.ReasonEmpty, Detail: "speed_kmh, flow_rate, occupancy: all absent is not allowed: want at least one of them",
		}},
		Gaps: []traffic.Gap{
			{Edge: "edge-1", Cause: traffic.GapThinned, Epoch: 3, FirstSeq: 4, LastSeq: 9, From: at.Add(-time.Hour), To: at.Add(-time.Minute), Readings: 1800, Noticed: at},
			{Edge: "edge-1", Cause: traffic.GapDamaged, Epoch: 2, FirstSeq: 77, LastSeq: 77, Noticed: at.Add(time.Second)},
		},
	}
}

// TestGoldenBatch holds the format still: what was published once must stay readable.
// The protobuf inside is compared as bytes, the compression around it is the library's.
func TestGoldenBatch(t *testing.T) {
	path := filepath.Join("testdata", "batch-v2.bin")
	p, err := EncodeBatch(goldenBatch())
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, p, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeBatch(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, goldenBatch()) {
		t.Errorf("golden file decodes to %+v", got)
	}
	now, was := plainOf(t, p), plainOf(t, golden)
	if !bytes.Equal(now, was) {
		t.Errorf("the encoding changed: this needs a new BatchVersion\nnow %x\nwas %x", now, was)
	}
}

// TestRejectedTextIsCut: a record with a bad text must not keep its batch from being
// sent.
func TestRejectedTextIsCut(t *testing.T) {
	long := strings.Repeat("é", maxRejectedText)
	p, err := EncodeBatch(&Batch{Rejected: []traffic.Rejected{{At: testNow, Origin: "a\xff" + long, Detail: long, Payload: make([]byte, 9999)}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeBatch(p)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Rejected[0]
	if !strings.HasPrefix(r.Origin, "aé") || len(r.Origin) > maxRejectedText || len(r.Detail) > maxRejectedText || len(r.Payload) != traffic.MaxRejectedPayload {
		t.Errorf("got %+v", r)
	}
}

func TestEncodeBatchBounds(t *testing.T) {
	one := goldenBatch().Readings[0]
	many := make([]traffic.Reading, MaxBatchReadings+1)
	for i := range many {
		many[i] = one
		many[i].Sensor = traffic.SensorID(fmt.Sprintf("sensor-%06d", i))
		many[i].Road = traffic.RoadID(fmt.Sprintf("road-%06d", i))
		many[i].Place = &traffic.Place{Label: fmt.Sprint(i), Lat: traffic.Some(float64(i) / 1000), Lng: traffic.Some(2)}
	}
	if _, err := EncodeBatch(&Batch{Readings: many}); err == nil {
		t.Error("too many readings were encoded")
	}
	if _, err := EncodeBatch(&Batch{Rejected: make([]traffic.Rejected, MaxBatchRejected+1)}); err == nil {
		t.Error("too many rejections were encoded")
	}
	full := &Batch{Readings: many[:MaxBatchReadings], Rejected: make([]traffic.Rejected, MaxBatchRejected)}
	for i := range full.Rejected {
		full.Rejected[i] = traffic.Rejected{At: testNow, Payload: bytes.Repeat([]byte{byte(i)}, traffic.MaxRejectedPayload)}
	}
	p, err := EncodeBatch(full)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeBatch(p); err != nil || len(got.Readings) != MaxBatchReadings {
		t.Errorf("a full batch: %v", err)
	}
}

// TestDecodeBatchRefuses changes one thing of a good batch at a time.
func TestDecodeBatchRefuses(t *testing.T) {
	for want, change := range map[string]func(*wirepb.Batch){
		"10001 readings":           func(m *wirepb.Batch) { m.Count = MaxBatchReadings + 1 },
		"4 sensor steps for 5":     func(m *wirepb.Batch) { m.Count++ },
		"time steps for":           func(m *wirepb.Batch) { m.TimeSteps = m.TimeSteps[1:] },
		"time unit":                func(m *wirepb.Batch) { m.TimeUnitUs = 0 },
		"outside the years":        func(m *wirepb.Batch) { m.TimeBaseUs = math.MaxInt64 },
		"reading 2: time":          func(m *wirepb.Batch) { m.TimeSteps[1] = math.MaxInt64 / 3 },
		"reading 1 is of sensor":   func(m *wirepb.Batch) { m.SensorSteps[1] = -5 },
		"of sensor 7":              func(m *wirepb.Batch) { m.SensorSteps[1] = 6 },
		"1 roads for 2 sensors":    func(m *wirepb.Batch) { m.Roads = m.Roads[1:] },
		"1 places for 2 sensors":   func(m *wirepb.Batch) { m.Places = m.Places[1:] },
		"has place 9 of 1":         func(m *wirepb.Batch) { m.Places[0] = 9 },
		"column lat: 2 values":     func(m *wirepb.Batch) { m.Lat.Scaled = append(m.Lat.Scaled, 1) },
		"column speed_kmh":         func(m *wirepb.Batch) { m.SpeedKmh.Present[0] = 0xff },
		"presence of 2 bytes":      func(m *wirepb.Batch) { m.FlowVph.Present = []byte{1, 1} },
		"both 2 scaled and 1 raw":  func(m *wirepb.Batch) { m.FlowVph.Raw = []float64{1} },
		"exponent 8":               func(m *wirepb.Batch) { m.FlowVph.Exponent = 8 },
		"1 ulps for 2 values":      func(m *wirepb.Batch) { m.Occupancy.Ulps = []int32{1} },
		"3 ulps":                   func(m *wirepb.Batch) { m.Occupancy.Ulps = []int32{3, 0} },
		"not a number":             func(m *wirepb.Batch) { m.SpeedKmh.Raw[0] = math.NaN() },
		"quality flags for":        func(m *wirepb.Batch) { m.QualityFlags = m.QualityFlags[1:] },
		"runs are longer":          func(m *wirepb.Batch) { m.QualityRuns[0] = math.MaxUint32 },
		"runs cover":               func(m *wirepb.Batch) { m.QualityRuns[0] = 0 },
		"rejection 0: time":        func(m *wirepb.Batch) { m.Rejected[0].TimeUs = math.MinInt64 },
		"2001 rejections":          func(m *wirepb.Batch) { m.Rejected = make([]*wirepb.Rejected, MaxBatchRejected+1) },
		"257 gaps":                 func(m *wirepb.Batch) { m.Gaps = make([]*wirepb.Gap, MaxBatchGaps+1) },
		"gap 1: batches 77 to 7":   func(m *wirepb.Batch) { m.Gaps[1].LastSeq = 7 },
		"gap 0: time":              func(m *wirepb.Batch) { m.Gaps[0].FromUs = math.MaxInt64 },
		"more than 32288 fields":   func(m *wirepb.Batch) { m.Labels = make([]string, maxFields+1) },
		"decompressed size exceed": func(m *wirepb.Batch) { m.Rejected[0].Payload = make([]byte, maxPlainBytes) },
	} {
		t.Run(want, func(t *testing.T) {
			m := goldenMessage(t)
			change(m)
			plain, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeBatch(packed(t, plain))
			if !errors.Is(err, ErrDamaged) || got != nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %+v, error %v", got, err)
			}
		})
	}
	for name, p := range map[string][]byte{
		"not protobuf": packed(t, []byte{0xff}), "text that is not UTF-8": packed(t, []byte{0x12, 1, 0xff}),
		"not zstd": append(appendHeader(nil, Header{1, 2}, []byte("hello")), "hello"...),
		"too long": append(appendHeader(nil, Header{1, 2}, make([]byte, MaxBatchBytes)), make([]byte, MaxBatchBytes)...),
	} {
		if got, err := DecodeBatch(p); !errors.Is(err, ErrDamaged) || got != nil {
			t.Errorf("%s: got %+v, error %v", name, got, err)
		}
	}
}

func goldenMessage(tb testing.TB) *wirepb.Batch {
	tb.Helper()
	p, err := EncodeBatch(goldenBatch())
	if err != nil {
		tb.Fatal(err)
	}
	m := new(wirepb.Batch)
	if err := proto.Unmarshal(plainOf(tb, p), m); err != nil {
		tb.Fatal(err)
	}
	return m
}

// plainOf returns the message inside a batch.
func plainOf(tb testing.TB, p []byte) []byte {
	tb.Helper()
	_, body, err := openBody(p)
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := decompress(body)
	if err != nil {
		tb.Fatal(err)
	}
	return plain
}

// packed is a batch around any bytes.
func packed(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	body := compress(plain)
	return append(appendHeader(nil, Header{3, 17}, body), body...)
}

// FuzzDecodeBatch works on the bytes inside the compression, where all the structure
// is: decoding never panics, and what decodes can be encoded again to the same batch.
func FuzzDecodeBatch(f *testing.F) {
	plain, err := proto.Marshal(goldenMessage(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte{8, 1, 88, 1})
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) > maxPlainBytes {
			return
		}
		got, err := DecodeBatch(packed(t, plain))
		if err != nil {
			return
		}
		p, err := EncodeBatch(got)
		if err != nil {
			return // more text than one message may hold
		}
		again, err := DecodeBatch(p)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("got %+v\nthen %+v, %v", got, again, err)
		}
	})
}

// FuzzDecodeBatchRaw covers the compression too.
func FuzzDecodeBatchRaw(f *testing.F) {
	p, err := EncodeBatch(goldenBatch())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Add(p[headerBytes:])
	hello, err := EncodeHello("edge-1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hello)
	f.Fuzz(func(t *testing.T, p []byte) {
		b, err := DecodeBatch(p)
		if err == nil && b == nil {
			t.Error("neither a batch nor an error")
		}
		h, peek := PeekHeader(p)
		if named := errors.Is(err, ErrDamaged) || errors.Is(err, ErrVersion) || err == nil; named != (peek == nil) {
			t.Errorf("decoding says %v, the header %v", err, peek)
		}
		if b != nil && h != (Header{b.Epoch, b.Seq}) {
			t.Errorf("header %+v of batch %d of epoch %d", h, b.Seq, b.Epoch)
		}
	})
}
