package buffer

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/2zrhun/city-flow/shared/traffic/traffictest"
)

// BenchmarkAccept measures durable readings for callers that each offer 200 at a time.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			buf := open(b, testConfig(b.TempDir()))
			rs := traffictest.Readings("x", 200)
			var n atomic.Int64
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := buf.Accept(b.Context(), rs); err != nil {
						b.Error(err)
						return
					}
					n.Add(int64(len(rs)))
				}
			})
			b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
