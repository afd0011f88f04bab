package storetest

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// at makes a plain reading.
func at(t time.Time, sensor, road string, speed float64) traffic.Reading {
	return traffic.Reading{At: t, Sensor: traffic.SensorID(sensor), Road: traffic.RoadID(road), Speed: traffic.Some(speed)}
}

// add appends readings and returns what the store said.
func add(t testing.TB, s store.ReadingWriter, rs ...traffic.Reading) store.Appended {
	t.Helper()
	return must(s.Append(context.Background(), store.Delivery{Readings: rs}))(t)
}

// added checks the counts of an answer, which must add up.
func added(t testing.TB, got store.Appended, fresh, duplicate int) {
	t.Helper()
	if got.New != fresh || got.Duplicate != duplicate {
		t.Fatalf("appended %d new and %d duplicate, want %d and %d", got.New, got.Duplicate, fresh, duplicate)
	}
}

// readings reads all readings of a road.
func readings(t testing.TB, s store.ReadingReader, q store.ReadingQuery, limit int) []traffic.Reading {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.Reading, store.Cursor, error) {
		q.Page = p
		return s.Readings(context.Background(), q)
	})
}

func states(t testing.TB, s store.ReadingReader, f store.RoadFilter, limit int) []traffic.RoadState {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.RoadState, store.Cursor, error) {
		return s.Latest(context.Background(), f, p)
	})
}

// roads reads roads without the times of their last change.
func roads(t testing.TB, s store.RoadReader, f store.RoadFilter, limit int) []traffic.Road {
	t.Helper()
	out := all(t, limit, func(p store.Page) ([]traffic.Road, store.Cursor, error) {
		return s.Roads(context.Background(), f, p)
	})
	for i := range out {
		if out[i].UpdatedAt.IsZero() || out[i].UpdatedAt.Location() != time.UTC {
			t.Fatalf("road %s was changed at %s, want a time in UTC", out[i].ID, out[i].UpdatedAt)
		}
		out[i].UpdatedAt = time.Time{}
	}
	return out
}

func predictions(t testing.TB, s store.ForecastReader, q store.PredictionQuery, limit int) []traffic.Prediction {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.Prediction, store.Cursor, error) {
		q.Page = p
		return s.Predictions(context.Background(), q)
	})
}

func latestPredictions(t testing.TB, s store.ForecastReader, q store.PredictionQuery, limit int) []traffic.Prediction {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.Prediction, store.Cursor, error) {
		q.Page = p
		return s.LatestPredictions(context.Background(), q)
	})
}

func reroutes(t testing.TB, s store.AdviceReader, q store.RerouteQuery, limit int) []traffic.Reroute {
	t.Helper()
	return all(t, limit, func(p store.Page) ([]traffic.Reroute, store.Cursor, error) {
		q.Page = p
		return s.Reroutes(context.Background(), q)
	})
}

// sameBuckets compares averages, whose last bits depend on the order of addition.
func sameBuckets(t testing.TB, what string, got, want []traffic.Bucket) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d buckets, want %d: %s", what, len(got), len(want), clip(fmt.Sprintf("\n got %+v\nwant %+v", got, want)))
	}
	for i := range want {
		g, w := got[i], want[i]
		same := g.Road == w.Road && g.Start.Equal(w.Start) && g.Start.Location() == time.UTC && g.Width == w.Width && g.Samples == w.Samples &&
			near(g.Speed, w.Speed) && near(g.Flow, w.Flow) && near(g.Occupancy, w.Occupancy) && near(g.Score, w.Score)
		if !same {
			t.Fatalf("%s: bucket %d:\n got %+v\nwant %+v", what, i, g, w)
		}
	}
}

func near(a, b traffic.Value) bool {
	x, xok := a.Get()
	y, yok := b.Get()
	return xok == yok && math.Abs(x-y) <= 1e-9*max(1, math.Abs(y))
}
