package ingest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/cloud/collector/internal/broker"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

func now() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

func newDecoder() *decoder {
	var n atomic.Int64
	return &decoder{scorer: score.NewScorer(10), now: now, metrics: newMetrics(prometheus.NewRegistry(), &n, &n)}
}

// storable fails the test for what a database would refuse.
func storable(t interface{ Fatalf(string, ...any) }, p piece) {
	limit := now().Add(clockTolerance)
	for _, r := range p.readings {
		if err := r.Validate(limit); err != nil {
			t.Fatalf("a reading that may not be stored was let through: %v", err)
		}
		if s, ok := r.Score.Get(); ok && !(s >= 0 && s <= 1) || r.Quality&^knownQuality != 0 || r.Edge != p.batch.Edge {
			t.Fatalf("score %v, quality %b, edge %q of a batch of %q", r.Score, r.Quality, r.Edge, p.batch.Edge)
		}
	}
	for _, r := range p.rejected {
		for _, s := range []string{r.Origin, r.Detail, string(r.Reason), string(r.Edge)} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) || len(s) > maxText+10 {
				t.Fatalf("a text that no database takes: %q", s)
			}
		}
		if len(r.Payload) > traffic.MaxRejectedPayload || r.At.Before(traffic.Earliest) || r.At.After(limit) {
			t.Fatalf("a rejection with %d bytes of payload at %v", len(r.Payload), r.At)
		}
	}
}

func genReading() *rapid.Generator[traffic.Reading] {
	value := rapid.Custom(func(t *rapid.T) traffic.Value {
		if rapid.Bool().Draw(t, "absent") {
			return traffic.Value{}
		}
		return traffic.Some(rapid.OneOf(rapid.Float64Range(-2, 300), rapid.SampledFrom([]float64{math.Inf(1), math.Inf(-1), 1e300})).Draw(t, "value"))
	})
	return rapid.Custom(func(t *rapid.T) traffic.Reading {
		r := traffic.Reading{
			At:     time.UnixMicro(rapid.OneOf(rapid.Int64Range(0, 4e15), rapid.Int64Range(1.7724e15, 1.7725e15)).Draw(t, "at")).UTC(),
			Sensor: traffic.SensorID(rapid.StringN(0, 5, -1).Draw(t, "sensor")), Road: traffic.RoadID(rapid.StringN(0, 5, -1).Draw(t, "road")),
			Speed: value.Draw(t, "speed"), Flow: value.Draw(t, "flow"), Occupancy: value.Draw(t, "occupancy"), Score: value.Draw(t, "score"),
			Quality: traffic.Quality(rapid.Uint32().Draw(t, "quality")),
		}
		if rapid.Bool().Draw(t, "placed") {
			r.Place = &traffic.Place{Label: rapid.String().Draw(t, "label"), Lat: value.Draw(t, "lat"), Lng: value.Draw(t, "lng")}
		}
		return r
	})
}

// Whatever an edge sends: what is let through can be stored, and nothing vanishes.
func TestBatchesAreMadeStorable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &wire.Batch{
			Edge:  traffic.EdgeID(rapid.SampledFrom([]string{"e", "f", "a/b", "", strings.Repeat("x", 200)}).Draw(t, "edge")),
			Epoch: rapid.Uint64().Draw(t, "epoch"), Seq: rapid.Uint64Range(0, 9).Draw(t, "seq"),
			Readings: rapid.SliceOfN(genReading(), 0, 6).Draw(t, "readings"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "rejections") {
			b.Rejected = append(b.Rejected, traffic.Rejected{
				At:     time.UnixMicro(rapid.Int64Range(-1e15, 1e17).Draw(t, "at")),
				Origin: rapid.String().Draw(t, "origin"), Reason: traffic.Reason(rapid.String().Draw(t, "reason")),
				Detail: rapid.StringN(0, 2000, -1).Draw(t, "detail"), Payload: rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "payload"),
			})
		}
		payload, err := wire.EncodeBatch(b)
		if err != nil {
			return
		}
		d := newDecoder()
		p := d.decode(broker.Message{Topic: wire.BatchTopic("e"), Payload: payload})
		storable(t, p)
		if !p.poison && len(p.readings)+len(p.rejected) != len(b.Readings)+len(b.Rejected) {
			t.Fatalf("%d readings and %d rejections of %d and %d", len(p.readings), len(p.rejected), len(b.Readings), len(b.Rejected))
		}
		if p.poison && (len(p.readings) != 0 || len(p.rejected) != 1) {
			t.Fatalf("poison with %d readings and %d rejections", len(p.readings), len(p.rejected))
		}
		if p.poison != (b.Edge != "e") {
			t.Fatalf("poison %v of a batch of edge %q", p.poison, b.Edge)
		}
	})
}

func FuzzDecode(f *testing.F) {
	good, err := wire.EncodeBatch(&wire.Batch{Edge: "e", Epoch: 1, Seq: 1, Readings: []traffic.Reading{{At: now(), Sensor: "s", Road: "r", Speed: traffic.Some(30)}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire.BatchTopic("e"), good)
	f.Add("cityflow/edge//batch", good)
	f.Add("cityflow/edge/%00/batch", good)
	f.Add("cityflow/traffic/X", []byte(`[{"sensor_id":"X","speed_kmh":1},{"label":"\u0000"}]`))
	f.Add(wire.SensorTopicAlt, []byte("\xff\x00"))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		storable(t, newDecoder().decode(broker.Message{Topic: topic, Payload: payload}))
	})
}

func TestScoring(t *testing.T) {
	d := newDecoder()
	rs := []traffic.Reading{
		{At: now(), Sensor: "a", Road: "a", Speed: traffic.Some(5), Score: traffic.Some(0.125)},
		{At: now(), Sensor: "b", Road: "b", Speed: traffic.Some(5)},
	}
	payload, err := wire.EncodeBatch(&wire.Batch{Edge: "e", Epoch: 1, Seq: 1, Readings: rs})
	if err != nil {
		t.Fatal(err)
	}
	p := d.decode(broker.Message{Topic: wire.BatchTopic("e"), Payload: payload})
	if len(p.readings) != 2 || p.readings[0].Score != traffic.Some(0.125) || !p.readings[1].Score.Known() {
		t.Errorf("the edge's score is to be kept and the missing one computed: %+v", p.readings)
	}
}

// Every score of three decimals can be had back from what is kept of it.
func TestScoresAreRounded(t *testing.T) {
	d := newDecoder()
	for n := range 1001 {
		rs := []traffic.Reading{{Score: traffic.Some(float64(n) / 1000)}}
		d.score(rs)
		kept := rs[0].Score.Or(-1)
		if kept*scoreSteps != math.Trunc(kept*scoreSteps) || math.Round(kept*1000) != float64(n) {
			t.Errorf("of the score %v, %v is kept", float64(n)/1000, kept)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                              "plain",
		"a\x00b\xff":                         "a�b�",
		strings.Repeat("é", 300):             strings.Repeat("é", 256) + "…",
		strings.Repeat("a", maxText-1) + "é": strings.Repeat("a", maxText-1) + "…",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAcksAreGrouped(t *testing.T) {
	var pieces []piece
	add := func(edge traffic.EdgeID, epoch, seq uint64) {
		p := piece{}
		p.batch.Edge, p.batch.Epoch, p.batch.Seq = edge, epoch, seq
		pieces = append(pieces, p)
	}
	add("a", 1, 1)
	add("", 0, 0) // a sensor's message
	add("b", 1, 1)
	add("a", 1, 2)
	add("a", 2, 1)
	for seq := range uint64(wire.MaxAckSeqs) {
		add("c", 1, seq)
	}
	add("c", 1, wire.MaxAckSeqs)
	var got []string
	for _, g := range acks(pieces) {
		got = append(got, fmt.Sprintf("%s/%d:%d", g.edge, g.epoch, len(g.seqs)))
	}
	if want := "[a/1:2 b/1:1 a/2:1 c/1:4096 c/1:1]"; fmt.Sprint(got) != want {
		t.Errorf("groups %v, want %s", got, want)
	}
}

// A gap that an edge with a wild clock reports is kept, without the times that cannot be.
func TestGapsAreMadeStorable(t *testing.T) {
	b := &wire.Batch{Edge: "e", Epoch: 7, Seq: 1, Gaps: []traffic.Gap{
		{Cause: traffic.GapEvicted, Epoch: 7, FirstSeq: 1, LastSeq: 9, From: now().Add(-time.Hour), To: now(), Readings: 180, Noticed: now()},
		{Cause: traffic.GapDamaged, Epoch: 7, FirstSeq: 10, LastSeq: 10, From: time.Unix(37, 0), To: now(), Noticed: now().Add(48 * time.Hour)},
	}}
	payload, err := wire.EncodeBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	p := newDecoder().decode(broker.Message{Topic: wire.BatchTopic("e"), Payload: payload})
	if len(p.gaps) != 2 {
		t.Fatalf("%d gaps, want 2", len(p.gaps))
	}
	want := b.Gaps[0]
	want.Edge = "e"
	if p.gaps[0] != want {
		t.Errorf("gap %+v, want %+v", p.gaps[0], want)
	}
	if g := p.gaps[1]; !g.From.IsZero() || !g.To.IsZero() || !g.Noticed.Equal(now()) || g.FirstSeq != 10 {
		t.Errorf("gap %+v, want one without times, noticed now", g)
	}
}

func TestWindowShrinksAsThePipelineFills(t *testing.T) {
	p := &Pipeline{cfg: Config{Window: 32, MaxPendingBytes: 1000}, writer: new(writer)}
	for _, c := range []struct {
		messages, bytes int64
		want            int
	}{
		{0, 0, 32},
		{10, 500, 16},
		{MaxPending / 4, 0, 24},
		{1, 1000, 0},
		{1, 5000, 0},
	} {
		p.pending.Store(c.messages)
		p.pendingBytes.Store(c.bytes)
		if got := p.window(); got != c.want {
			t.Errorf("%d messages, %d bytes: window %d, want %d", c.messages, c.bytes, got, c.want)
		}
	}
	p.pending.Store(0)
	p.pendingBytes.Store(0)
	p.writer.err = errors.New("no database")
	if got := p.window(); got != 0 {
		t.Errorf("window %d while the store takes nothing, want 0", got)
	}
}
