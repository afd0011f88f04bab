package predictor

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/model"
	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
	"github.com/2zrhun/city-flow/shared/bus/inproc"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// BenchmarkCycle measures a live cycle of 100,000 roads at four horizons without the
// database and without the arithmetic of the learned models, which package model
// measures (BenchmarkPredict): taking in buckets, ewma-lr-v2, scoring six models, choosing,
// intervals, incidents, the rows. The learned models' places are taken by models that cost
// nothing, so that their forecasts are kept and scored as theirs would be.
func BenchmarkCycle(b *testing.B) {
	for b.Loop() {
		half := liveCycle(b, 50_000)
		whole := liveCycle(b, 100_000)
		fmt.Printf("BENCH predict_live_rest_100k_roads_s %.3f s\n", whole)
		fmt.Printf("BENCH predict_live_rest_linear %.2f x\n", whole/half)
		fmt.Printf("BENCH predict_live_rest_100k_rss_mib %.0f MiB\n", resident(b))
	}
}

// liveCycle is the seconds of a cycle after so many others that an hour is pending.
func liveCycle(b *testing.B, roads int) float64 {
	b.Helper()
	town := newTown(roads)
	p, err := New(Default(), Deps{Store: town, News: inproc.New()}, nil, prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	if err := p.cycles.resume(ctx); err != nil {
		b.Fatal(err)
	}
	run := func(from, to int) float64 {
		began := time.Now()
		for k := from; k < to; k++ {
			town.newest = day.Add(time.Duration(k+1) * 5 * time.Minute)
			for more := true; more; {
				if more, err = p.cycles.due(ctx, town.newest); err != nil {
					b.Fatal(err)
				}
			}
			p.cycles.takeNewest()
		}
		return time.Since(began).Seconds() / float64(to-from)
	}
	run(0, 1)
	p.school.putInForce(channelScore, stage(b, town, series.Score()))
	p.school.putInForce(channelSpeed, stage(b, town, series.Speed("km/h")))
	run(1, 16)
	debug.FreeOSMemory()
	return run(16, 21)
}

// stage is a bundle in which every trained model is there by name.
func stage(b *testing.B, t *town, q series.Quantity) *model.Bundle {
	b.Helper()
	ids := make([]string, len(t.buckets))
	for i := range t.buckets {
		ids[i] = string(t.buckets[i].Road)
	}
	g := series.NewGrid(q, day, 5*time.Minute, ids, 0)
	m, err := model.Persistence{}.Train(b.Context(), model.History{Grid: g}, model.Options{Horizons: []int{1, 3, 6, 12}})
	if err != nil {
		b.Fatal(err)
	}
	out := &model.Bundle{Head: m.Info()}
	for _, name := range Models() {
		out.Simple = append(out.Simple, named{m, name})
	}
	return out
}

// named is a model under another name.
type named struct {
	model.Model
	name string
}

func (n named) Info() model.Info {
	i := n.Model.Info()
	i.Name = n.name
	return i
}

// town is a store in memory with the same readings of all roads in every step.
type town struct {
	Store
	newest  time.Time
	buckets []traffic.Bucket
}

func newTown(roads int) *town {
	t := &town{buckets: make([]traffic.Bucket, roads)}
	for i := range t.buckets {
		t.buckets[i] = traffic.Bucket{
			Road: traffic.RoadID(fmt.Sprintf("road-%06d", i)), Width: 5 * time.Minute,
			Speed: traffic.Some(float64(20 + i*7919%50)), Samples: 5,
		}
	}
	return t
}

func (t *town) Buckets(_ context.Context, q store.BucketQuery) ([]traffic.Bucket, error) {
	for i := range t.buckets {
		t.buckets[i].Start = q.To.Add(-q.Width)
	}
	return t.buckets, nil
}

func (t *town) FirstSince(_ context.Context, from time.Time) (time.Time, error) {
	if from.Before(t.newest) {
		return t.newest.Add(-5 * time.Minute), nil
	}
	return time.Time{}, nil
}

func (t *town) Roads(context.Context, store.RoadFilter, store.Page) ([]traffic.Road, store.Cursor, error) {
	return nil, "", nil
}

func (t *town) LastCycle(context.Context, string) (time.Time, error)       { return time.Time{}, nil }
func (t *town) PutPredictions(context.Context, []traffic.Prediction) error { return nil }
func (t *town) Skills(context.Context) ([]traffic.Skill, error)            { return nil, nil }
func (t *town) PutSkills(context.Context, int, int, []traffic.Skill) error { return nil }
func (t *town) PutAlerts(context.Context, []traffic.Alert) error           { return nil }
func (t *town) Alerts(context.Context, store.AlertQuery) ([]traffic.Alert, store.Cursor, error) {
	return nil, "", nil
}

// resident is the memory of this process in MiB, as the kernel counts it.
func resident(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skipf("the kernel does not tell: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
