package buffer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire"
)

// BenchmarkWear runs 500 sensors that measure once a second, each in a message of its own,
// for 20 s at the default settings, and reports what that costs the disk: by the buffer's
// own counters and, where the kernel counts, by what it says this process wrote. Without
// an uplink everything is settled in the end, as it would be once the journal is full;
// with one it is acknowledged a second after it was written.
func BenchmarkWear(b *testing.B) {
	for _, uplink := range []bool{true, false} {
		b.Run(fmt.Sprintf("uplink=%v", uplink), func(b *testing.B) {
			for b.Loop() {
				benchWear(b, uplink)
			}
		})
	}
}

const wearTime = 20 * time.Second

func benchWear(b *testing.B, uplink bool) {
	cfg := testConfig(b.TempDir())
	cfg.CommitInterval = Default().CommitInterval
	buf := open(b, cfg)
	begin, kernel := buf.Stats(), writtenByProcess(b)
	stop := make(chan struct{})
	defer close(stop)
	if uplink {
		go acknowledge(buf, stop)
	}
	const sensors = 500
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	sent := 0
	for start := time.Now(); time.Since(start) < wearTime; {
		now := <-tick.C
		for due := int(now.Sub(start).Seconds() * sensors); sent < due; sent++ {
			buf.Submit([]traffic.Reading{detector(sent%sensors, now)}, nil, func(err error) {
				if err != nil {
					b.Error(err)
				}
			})
		}
	}
	run, kernelRun := buf.Stats(), writtenByProcess(b)
	if err := buf.Close(); err != nil {
		b.Fatal(err)
	}
	settled := buf.Stats()
	// The journal is settled once for journalHalf, not once for wearTime.
	rounds := float64(run.Written-begin.Written) / journalHalf
	seconds, megabytesPerHour := wearTime.Seconds(), 1/wearTime.Hours()/1e6
	b.ReportMetric((float64(run.Syncs-begin.Syncs)+rounds*float64(settled.Syncs-run.Syncs))/seconds, "syncs/s")
	b.ReportMetric(float64(settled.Written-begin.Written)*megabytesPerHour, "MB/h")
	b.ReportMetric(float64(run.Written-begin.Written)*megabytesPerHour, "journal-MB/h")
	b.ReportMetric(float64(kernelRun-kernel)*megabytesPerHour, "kernel-journal-MB/h")
	b.ReportMetric(float64(writtenByProcess(b)-kernel)*megabytesPerHour, "kernel-MB/h")
	b.ReportMetric(float64(settled.Written-begin.Written)/float64(sent), "written-B/reading")
}

// detector is what a loop detector says, with the decimals that they have.
func detector(i int, at time.Time) traffic.Reading {
	id := fmt.Sprintf("PARIS-%04d", i*7)
	decimal := func(limit float64, digits int) traffic.Value {
		return traffic.Some(round(rand.Float64()*limit, digits))
	}
	return traffic.Reading{
		At: at.UTC().Truncate(time.Millisecond), Sensor: traffic.SensorID(id), Road: traffic.RoadID(id),
		Speed: decimal(90, 1), Flow: traffic.Some(math.Round(rand.Float64() * 1800)), Occupancy: decimal(0.6, 3), Score: decimal(1, 3),
		Quality: traffic.QualityReceiveTime,
	}
}

// acknowledge is an uplink whose centre answers within a second.
func acknowledge(buf *Buffer, stop <-chan struct{}) {
	for c := (Cursor{}); ; {
		select {
		case <-stop:
			return
		case <-time.After(time.Second):
		}
		for {
			s, ok := buf.Next(c)
			if !ok {
				break
			}
			c = s.Cursor
			buf.Forget(s.Epoch, []uint64{s.Seq})
		}
	}
}

// writtenByProcess is what the kernel was given to write, 0 where it does not count.
func writtenByProcess(tb testing.TB) int64 {
	tb.Helper()
	content, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	var rchar, wchar, syscr, syscw, read, written int64
	_, err = fmt.Sscanf(string(content), "rchar: %d\nwchar: %d\nsyscr: %d\nsyscw: %d\nread_bytes: %d\nwrite_bytes: %d", &rchar, &wchar, &syscr, &syscw, &read, &written)
	if err != nil {
		tb.Fatal(err)
	}
	return written
}

// BenchmarkThin makes averages of five minutes of 500 sensors that measured every second.
func BenchmarkThin(b *testing.B) {
	src := &segment{header: header{epoch: 1, first: 1}, next: 1}
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	var batches []*wire.Batch
	for range 600 { // half a second each
		batch := &wire.Batch{Edge: "E1", Epoch: 1, Seq: src.next}
		for i := range 250 {
			batch.Readings = append(batch.Readings, detector(i+int(src.next%2)*250, at))
		}
		at = at.Add(500 * time.Millisecond)
		src.next++
		batches = append(batches, batch)
	}
	encoded := encodeAll(b, batches)
	var size int64
	for b.Loop() {
		t := &thinning{from: src, into: &segment{header: header{epoch: 2, first: 1}, next: 1}, edge: "E1", readings: 2000, means: map[meanKey]*mean{}, begun: map[traffic.SensorID]time.Time{}}
		for _, p := range encoded {
			batch, err := wire.DecodeBatch(p)
			if err != nil {
				b.Fatal(err)
			}
			for i := range batch.Readings {
				t.add(&batch.Readings[i])
			}
		}
		if err := t.flush(); err != nil {
			b.Fatal(err)
		}
		size = t.size
	}
	raw := 0
	for _, p := range encoded {
		raw += len(p)
	}
	b.ReportMetric(float64(raw)/float64(size), "times-smaller")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*600*250), "ns/reading")
}

func encodeAll(tb testing.TB, batches []*wire.Batch) (out [][]byte) {
	tb.Helper()
	for _, batch := range batches {
		p, err := wire.EncodeBatch(batch)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}
