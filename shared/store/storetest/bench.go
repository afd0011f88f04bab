package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// city is a stream of readings: so many sensors, each speaking once a step.
type city struct {
	sensors int
	step    time.Duration
}

// fill writes the readings from number n on into the batch.
func (c city) fill(batch []traffic.Reading, n int) {
	for i := range batch {
		k := n + i
		id := fmt.Sprintf("PARIS-%04d", k%c.sensors)
		batch[i] = traffic.Reading{
			At: start().Add(time.Duration(k/c.sensors) * c.step), Sensor: traffic.SensorID(id), Road: traffic.RoadID(id),
			Speed: traffic.Some(float64(k%97) / 1.7), Occupancy: traffic.Some(float64(k%89) / 89), Score: traffic.Some(float64(k%83) / 83), Edge: "edge-1",
		}
	}
}

// Bench measures what callers wait for, the same for every backend.
func Bench(b *testing.B, backend Backend) {
	benchmarks := []struct {
		name string
		run  func(*testing.B, store.Store)
	}{
		{"Append/sensors=207", func(b *testing.B, s store.Store) { benchAppend(b, s, city{207, 5 * time.Minute}) }},
		{"Append/sensors=3000", func(b *testing.B, s store.Store) { benchAppend(b, s, city{3000, 10 * time.Second}) }},
		{"Append/sensors=3", func(b *testing.B, s store.Store) { benchAppend(b, s, city{3, time.Hour}) }},
		{"AppendDuplicates", benchDuplicates},
		{"PutPredictions/roads=207", func(b *testing.B, s store.Store) { benchPredictions(b, s, 207, 1) }},
		{"PutPredictions/roads=3000", func(b *testing.B, s store.Store) { benchPredictions(b, s, 3000, 1) }},
		{"PutPredictions/roads=3", func(b *testing.B, s store.Store) { benchPredictions(b, s, 3, 1) }},
		{"PutPredictions/roads=3,cycles=64", func(b *testing.B, s store.Store) { benchPredictions(b, s, 3, 64) }},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) { bb.run(b, backend.fresh(b)) })
	}
	b.Run("Read", func(b *testing.B) { benchReads(b, backend.fresh(b)) })
}

func rate(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func benchAppend(b *testing.B, s store.Store, c city) {
	batch := make([]traffic.Reading, 1000)
	n := 0
	for b.Loop() {
		b.StopTimer()
		c.fill(batch, n)
		n += len(batch)
		b.StartTimer()
		add(b, s, batch...)
	}
	rate(b, n)
}

// benchDuplicates offers batches of which 30 % were offered before.
func benchDuplicates(b *testing.B, s store.Store) {
	c := city{207, 5 * time.Minute}
	batch := make([]traffic.Reading, 1000)
	n := 0
	for b.Loop() {
		b.StopTimer()
		c.fill(batch, n*700)
		n++
		b.StartTimer()
		add(b, s, batch...)
	}
	rate(b, n*len(batch))
}

func benchPredictions(b *testing.B, s store.Store, roads, cycles int) {
	ps := make([]traffic.Prediction, 0, roads*4*cycles)
	cycle, n := 0, 0
	for b.Loop() {
		b.StopTimer()
		ps = ps[:0]
		for range cycles {
			ps = appendCycle(ps, cycle, roads)
			cycle++
		}
		n += len(ps)
		b.StartTimer()
		check(b, s.PutPredictions(context.Background(), ps))
	}
	rate(b, n)
}

// appendCycle adds one cycle's forecasts at four horizons.
func appendCycle(ps []traffic.Prediction, cycle, roads int) []traffic.Prediction {
	for r := range roads {
		for _, h := range []int{5, 15, 30, 60} {
			ps = append(ps, predict(cycle*5, fmt.Sprintf("PARIS-%04d", r), h, float64((r+cycle)%100)/100))
		}
	}
	return ps
}

// benchReads asks a database of 3,000 roads with a day's readings every five
// minutes (864,000) the questions that services ask.
func benchReads(b *testing.B, s store.Store) {
	ctx := context.Background()
	c := city{3000, 5 * time.Minute}
	batch := make([]traffic.Reading, 3000)
	for i := range 288 {
		c.fill(batch, i*len(batch))
		add(b, s, batch...)
		if i >= 276 {
			check(b, s.PutPredictions(ctx, appendCycle(nil, i, c.sensors)))
		}
	}
	now := start().Add(24 * time.Hour)
	road := traffic.RoadID("PARIS-1500")
	asks := []struct {
		name string
		ask  func() (items int, err error)
	}{
		{"Latest3000", func() (int, error) {
			out, _, err := s.Latest(ctx, store.RoadFilter{}, store.Page{Limit: 3000})
			return len(out), err
		}},
		{"BucketsHalfHourAllRoads", func() (int, error) {
			out, err := s.Buckets(ctx, store.BucketQuery{From: now.Add(-30 * time.Minute), To: now, Width: 5 * time.Minute})
			return len(out), err
		}},
		{"BucketsDayOneRoad", func() (int, error) {
			out, err := s.Buckets(ctx, store.BucketQuery{Roads: []traffic.RoadID{road}, From: now.Add(-24 * time.Hour), To: now, Width: 5 * time.Minute})
			return len(out), err
		}},
		{"Readings100OneRoad", func() (int, error) {
			out, _, err := s.Readings(ctx, store.ReadingQuery{Road: road})
			return len(out), err
		}},
		{"Watermark", func() (int, error) { _, err := s.Watermark(ctx, now); return 1, err }},
		{"FirstSince", func() (int, error) { _, err := s.FirstSince(ctx, now.Add(-time.Hour)); return 1, err }},
		{"LatestPredictions3000", func() (int, error) {
			out, _, err := s.LatestPredictions(ctx, store.PredictionQuery{HorizonMin: 30, Page: store.Page{Limit: 3000}})
			return len(out), err
		}},
		{"PredictionsOneRoad", func() (int, error) {
			out, _, err := s.Predictions(ctx, store.PredictionQuery{Roads: []traffic.RoadID{road}, Page: store.Page{Limit: 48}})
			return len(out), err
		}},
	}
	for _, a := range asks {
		b.Run(a.name, func(b *testing.B) {
			for b.Loop() {
				if n := must(a.ask())(b); n == 0 {
					b.Fatal("nothing was found")
				}
			}
		})
	}
}
