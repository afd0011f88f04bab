package wire

import (
	"strconv"
	"testing"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// batches cuts readings into batches of n.
func batches(rs []traffic.Reading, n int) []*Batch {
	var out []*Batch
	for ; len(rs) >= n; rs = rs[n:] {
		out = append(out, &Batch{Edge: rs[0].Edge, Epoch: 1, Seq: uint64(len(out) + 1), Readings: rs[:n]})
	}
	return out
}

// BenchmarkBatch encodes and decodes real readings in batches as an edge makes them;
// bytes/reading is what its uplink carries.
func BenchmarkBatch(b *testing.B) {
	for _, c := range []struct {
		name string
		load func(testing.TB) []traffic.Reading
	}{
		{"los-angeles", func(tb testing.TB) []traffic.Reading { return losAngeles(tb, 2) }},
		{"los-angeles-mph", func(tb testing.TB) []traffic.Reading { return losAngeles(tb, -1) }},
		{"paris", func(tb testing.TB) []traffic.Reading { return paris(tb) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			for _, n := range []int{500, 2000} {
				benchBatches(b, batches(c.load(b), n))
			}
		})
	}
}

func benchBatches(b *testing.B, bs []*Batch) {
	n := len(bs[0].Readings)
	var packed [][]byte
	b.Run("encode/"+strconv.Itoa(n), func(b *testing.B) {
		size := 0
		for i := 0; b.Loop(); i++ {
			p, err := EncodeBatch(bs[i%len(bs)])
			if err != nil {
				b.Fatal(err)
			}
			size += len(p)
		}
		b.ReportMetric(float64(size)/float64(b.N*n), "bytes/reading")
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/reading")
	})
	for _, x := range bs {
		p, err := EncodeBatch(x)
		if err != nil {
			b.Fatal(err)
		}
		packed = append(packed, p)
	}
	b.Run("decode/"+strconv.Itoa(n), func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := DecodeBatch(packed[i%len(packed)]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/reading")
	})
}
