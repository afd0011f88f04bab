package predictor

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/realdata"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// realRows reads a real data file beside the repository, and skips the test where the
// data is absent.
func realRows(tb testing.TB, name string) [][]string {
	tb.Helper()
	f, err := os.Open(realdata.Path(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	all, err := csv.NewReader(z).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func number(tb testing.TB, s string) float64 {
	tb.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// losAngeles is five days of 207 loops, every five minutes.
func losAngeles(tb testing.TB) []traffic.Reading {
	rows := realRows(tb, "los-loop-metr-la-week1/los_speed_day1-5.csv.gz")
	at := time.Date(2012, 3, 1, 8, 0, 0, 0, time.UTC)
	var out []traffic.Reading
	for _, row := range rows[1:] {
		for i, cell := range row {
			out = append(out, speed(rows[0][i], at, number(tb, cell)*1.609344))
		}
		at = at.Add(5 * time.Minute)
	}
	return out
}

// champsElysees is one arc's hours of thirteen years.
func champsElysees(tb testing.TB) []traffic.Reading {
	var out []traffic.Reading
	for _, row := range realRows(tb, "paris-counts-history/champs_elysees_arc4264_2010-2022.csv.gz")[1:] {
		at, err := time.Parse(time.DateTime, row[6])
		if err != nil {
			tb.Fatal(err)
		}
		if row[7] != "" {
			r := traffic.Reading{At: at, Sensor: "PARIS-4264", Road: "PARIS-4264", Flow: traffic.Some(number(tb, row[7]))}
			out = append(out, r)
		}
	}
	return out
}

// BenchmarkCatchUp runs all cycles of real histories that are in the store already.
// "own" is the predictor's own time, without the store.
func BenchmarkCatchUp(b *testing.B) {
	for name, load := range map[string]func(testing.TB) []traffic.Reading{"los-angeles": losAngeles, "champs-elysees": champsElysees} {
		b.Run(name, func(b *testing.B) {
			rs := load(b)
			for b.Loop() {
				b.StopTimer()
				n := newBench(b)
				for ; len(rs) > 0; rs = rs[min(len(rs), 5000):] {
					n.add(rs[:min(len(rs), 5000)]...)
				}
				clock := &storeClock{History: n.db, Forecasts: n.db}
				n.history, n.cycles.history, n.cycles.forecasts = clock, clock, clock
				b.StartTimer()
				n.do(n.r.catchUp)
				cycles := testutil.ToFloat64(n.metrics.cycles)
				b.ReportMetric(cycles, "cycles")
				b.ReportMetric(b.Elapsed().Seconds()*1e6/cycles, "µs/cycle")
				b.ReportMetric((b.Elapsed()-clock.spent).Seconds()*1e6/cycles, "own-µs/cycle")
				b.ReportMetric(clock.reading.Seconds(), "reading-s")
				b.ReportMetric(clock.writing.Seconds(), "writing-s")
				b.ReportMetric(float64(clock.calls), "store-calls")
			}
		})
	}
}

// storeClock adds up what the store takes.
type storeClock struct {
	History
	Forecasts
	spent, reading, writing time.Duration
	calls                   int
}

func (s *storeClock) timed(kind *time.Duration, f func()) {
	began := time.Now()
	f()
	took := time.Since(began)
	s.spent += took
	*kind += took
	s.calls++
}

func (s *storeClock) Buckets(ctx context.Context, q store.BucketQuery) (out []traffic.Bucket, err error) {
	s.timed(&s.reading, func() { out, err = s.History.Buckets(ctx, q) })
	return out, err
}

func (s *storeClock) FirstSince(ctx context.Context, from time.Time) (at time.Time, err error) {
	s.timed(&s.reading, func() { at, err = s.History.FirstSince(ctx, from) })
	return at, err
}

func (s *storeClock) PutPredictions(ctx context.Context, ps []traffic.Prediction) (err error) {
	s.timed(&s.writing, func() { err = s.Forecasts.PutPredictions(ctx, ps) })
	return err
}
