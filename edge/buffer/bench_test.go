package buffer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// backlog makes a folder with segments of 8 MiB of batches. They are links to one file, or
// files of their own.
func backlog(tb testing.TB, segments int, link bool) Config {
	tb.Helper()
	cfg := testConfig(tb.TempDir())
	cfg.MaxBytes = 4 << 30
	first := &segment{header: header{ordinal: 1, epoch: 7, first: 1, created: time.Now()}, next: 1}
	random := rand.NewChaCha8([32]byte{})
	var entries []entry
	for size := int64(0); size < cfg.SegmentBytes; size += 2700 {
		value := make([]byte, 2700)
		_, _ = random.Read(value) // never fails
		entries = append(entries, entry{key: key{seq: first.next, at: time.Now(), readings: 250, sum: checksum(value)}, value: value})
		first.next++
	}
	db, _, err := first.create(filepath.Join(cfg.Dir, first.fileName()), cfg.SegmentBytes, entries, first.state(mark{}))
	if err != nil {
		tb.Fatal(err)
	}
	if err := db.Close(); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(cfg.Dir, first.fileName())
	content, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	for first.ordinal = 2; first.ordinal <= uint64(segments); first.ordinal++ {
		to := filepath.Join(cfg.Dir, first.fileName())
		if link {
			err = os.Link(path, to)
		} else {
			err = os.WriteFile(to, content, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return cfg
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Opening reads the beginning and the end of each segment and nothing else.
func TestOpeningABacklogTakesLittleMemory(t *testing.T) {
	cfg := backlog(t, 32, true)
	before := heap()
	start := time.Now()
	b := open(t, cfg)
	t.Logf("opened %d MiB in %s", b.Stats().Bytes>>20, time.Since(start))
	if s := b.Stats(); s.Bytes < 256<<20 || s.Batches < 32*3000 {
		t.Fatalf("stats %+v", s)
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("takes %d KiB of memory", (after-before)>>10)
	}
	if _, ok := b.Next(Cursor{}); !ok {
		t.Error("nothing to read")
	}
}

// BenchmarkOpenBacklog opens 1 GiB that the kernel has not in memory.
func BenchmarkOpenBacklog(b *testing.B) {
	cfg := backlog(b, 128, false)
	for b.Loop() {
		b.StopTimer()
		for _, path := range segmentFiles(b, cfg.Dir) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			forgetPages(f)
			_ = f.Close()
		}
		before := heap()
		b.StartTimer()
		buf, err := Open(cfg, nil, prometheus.NewRegistry())
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/(1<<10), "heap-KiB")
		if err := buf.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
