package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// crowd is what many goroutines do to one city at once.
type crowd struct {
	writers, batches, size int
	roads                  int
}

// batch is the n-th batch of a writer. Every second reading is offered by all
// writers, in an order of each one's own.
func (c crowd) batch(writer, n int) []traffic.Reading {
	var out []traffic.Reading
	for i := range c.size {
		road := fmt.Sprintf("r%d", i%c.roads)
		sensor := fmt.Sprintf("shared-%d", i)
		if i%2 == 1 {
			sensor = fmt.Sprintf("own-%d-%d", writer, i)
		}
		out = append(out, at(minute(n).Add(time.Duration(i%7)*time.Second), sensor, road, float64(i)))
	}
	rng := rand.New(rand.NewPCG(uint64(writer), uint64(n)))
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (c crowd) unique() int { return c.batches * (c.size - c.size/2 + c.writers*(c.size/2)) }

func testParallelUse(t *testing.T, s store.Store) {
	c := crowd{writers: 4, batches: 8, size: 120, roads: 9}
	done := make(chan struct{})
	var writers, others sync.WaitGroup
	var fresh, offered atomic.Int64
	for w := range c.writers {
		writers.Go(func() {
			for n := range c.batches {
				got, err := s.Append(context.Background(), store.Delivery{Readings: c.batch(w, n), Batches: []store.BatchID{{Edge: "e", Seq: uint64(n)}}})
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				fresh.Add(int64(got.New))
				offered.Add(int64(got.New + got.Duplicate))
			}
		})
	}
	others.Go(func() { c.forecast(t, s, done) })
	others.Go(func() { c.putRoads(t, s, done) })
	others.Go(func() { c.watch(t, s, done) })
	writers.Wait()
	close(done)
	others.Wait()
	equal(t, "readings that were new to somebody", fresh.Load(), int64(c.unique()))
	equal(t, "readings offered", offered.Load(), int64(c.writers*c.batches*c.size))
	total := 0
	for i := range c.roads {
		total += len(readings(t, s, store.ReadingQuery{Road: traffic.RoadID(fmt.Sprintf("r%d", i))}, 1000))
	}
	equal(t, "readings stored", total, c.unique())
}

func (c crowd) forecast(t *testing.T, s store.Store, done chan struct{}) {
	for n := 0; open(done); n++ {
		var ps []traffic.Prediction
		for i := range c.roads {
			ps = append(ps, predict(n, fmt.Sprintf("r%d", i), 5, 0.5))
		}
		if err := s.PutPredictions(context.Background(), ps); err != nil {
			t.Errorf("put predictions: %v", err)
			return
		}
	}
}

func (c crowd) putRoads(t *testing.T, s store.Store, done chan struct{}) {
	for n := 0; open(done); n++ {
		var roads []traffic.Road
		for i := c.roads - 1; i >= 0; i-- {
			roads = append(roads, traffic.Road{ID: traffic.RoadID(fmt.Sprintf("r%d", i)), Label: fmt.Sprint(n)})
		}
		if err := s.PutRoads(context.Background(), roads); err != nil {
			t.Errorf("put roads: %v", err)
			return
		}
	}
}

// watch checks that no reader ever sees a road become older.
func (c crowd) watch(t *testing.T, s store.Store, done chan struct{}) {
	newest := map[traffic.RoadID]time.Time{}
	for open(done) {
		list, _, err := s.Latest(context.Background(), store.RoadFilter{}, store.Page{})
		if err != nil {
			t.Errorf("latest: %v", err)
			return
		}
		for _, r := range list {
			if r.At.Before(newest[r.Road]) {
				t.Errorf("road %s went back from %s to %s", r.Road, newest[r.Road], r.At)
				return
			}
			newest[r.Road] = r.At
		}
		if _, err := s.Buckets(context.Background(), store.BucketQuery{From: minute(0), To: minute(30), Width: time.Minute}); err != nil {
			t.Errorf("buckets: %v", err)
			return
		}
	}
}

func open(done chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// count is how many readings a road has.
func count(t testing.TB, s store.ReadingReader, road string) int {
	t.Helper()
	n := int64(0)
	for _, b := range must(s.Buckets(context.Background(), store.BucketQuery{
		Roads: []traffic.RoadID{traffic.RoadID(road)}, From: minute(-1), To: minute(100_000), Width: time.Hour,
	}))(t) {
		n += b.Samples
	}
	return int(n)
}

// testCancel ends contexts at every stage of an Append and looks for halves.
func testCancel(t *testing.T, s store.Store) {
	const size = 2000
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(canceled, store.Delivery{Readings: []traffic.Reading{at(minute(0), "s", "r", 1)}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("append with a cancelled context: %v", err)
	}
	equal(t, "readings stored by a cancelled call", count(t, s, "r"), 0)
	cut, whole := 0, 0
	for i := range 16 {
		road := fmt.Sprintf("r%d", i)
		batch := make([]traffic.Reading, size)
		for j := range batch {
			batch[j] = at(minute(j%50), fmt.Sprintf("%s-%d", road, j), road, 1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*i)*400*time.Microsecond)
		_, err := s.Append(ctx, store.Delivery{Readings: batch})
		cancel()
		switch n := count(t, s, road); {
		case n == size:
			whole++
		case n == 0 && err != nil:
			cut++
		default:
			t.Fatalf("append answered %v, %d of %d readings are there", err, n, size)
		}
	}
	t.Logf("%d calls cut off, %d not", cut, whole)
	added(t, add(t, s, at(minute(0), "after", "after", 1)), 1, 0)
	if _, _, err := s.Latest(canceled, store.RoadFilter{}, store.Page{}); !errors.Is(err, context.Canceled) {
		t.Errorf("read with a cancelled context: %v", err)
	}
}

func testReopen(t *testing.T, b Backend) {
	address := b.New(t)
	rng := rand.New(rand.NewPCG(11, 12))
	m := newModel()
	for range 3 {
		s := must(b.Open(t.Context(), address))(t)
		w := walk{rng: rng, s: s, m: m}
		for range fewer(40) {
			w.change(t)
		}
		compare(t, s, m)
		check(t, s.Close())
		if err := s.Ping(t.Context()); err == nil {
			t.Fatal("a closed store answers")
		}
	}
	compare(t, b.open(t, address), m)
}

// testCloseWaits closes the store under running calls: what was answered is there.
func testCloseWaits(t *testing.T, b Backend) {
	address := b.New(t)
	s := must(b.Open(t.Context(), address))(t)
	var wg sync.WaitGroup
	var answered [4]int
	for w := range answered {
		wg.Go(func() {
			for n := 0; ; n++ {
				var batch []traffic.Reading
				for i := range 50 {
					batch = append(batch, at(minute(n), fmt.Sprintf("s%d", i), fmt.Sprintf("r%d", w), 1))
				}
				for i := range batch {
					batch[i].Sensor += traffic.SensorID(fmt.Sprint(w))
				}
				if _, err := s.Append(context.Background(), store.Delivery{Readings: batch}); err != nil {
					return
				}
				answered[w]++
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	check(t, s.Close())
	wg.Wait()
	s = b.open(t, address)
	for w, n := range answered {
		got := count(t, s, fmt.Sprintf("r%d", w))
		if got%50 != 0 || got < n*50 || got > (n+1)*50 {
			t.Errorf("writer %d: %d batches answered, %d readings stored", w, n, got)
		}
	}
}

// testTwoStores uses one database through two stores, as two processes do.
func testTwoStores(t *testing.T, b Backend) {
	address := b.New(t)
	var stores [2]store.Store
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			s, err := b.Open(context.Background(), address)
			if err != nil {
				t.Errorf("open at the same time: %v", err)
			}
			stores[i] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { check(t, errors.Join(stores[0].Close(), stores[1].Close())) })
	m := newModel()
	rng := rand.New(rand.NewPCG(21, 22))
	for i := range 60 {
		w := walk{rng: rng, s: stores[i%2], m: m}
		w.change(t)
	}
	compare(t, stores[0], m)
	compare(t, stores[1], m)
}

// testManyRoads lets two processes hear of the same roads for the first time, some at a
// time and each in its own order: the newest state of each is kept, whoever brought it.
func testManyRoads(t *testing.T, b Backend) {
	const portions, size = 9, 11
	address := b.New(t)
	stores := [2]store.Store{b.open(t, address), b.open(t, address)}
	var writers sync.WaitGroup
	for w, s := range stores {
		writers.Go(func() {
			for n := range portions {
				if w == 1 {
					n = portions - 1 - n
				}
				var rs []traffic.Reading
				for i := range size {
					k := n*size + i
					rs = append(rs, at(minute(k+(w+k)%2), fmt.Sprintf("s%d-%d", w, k), fmt.Sprintf("r%02d", k), float64(w)))
				}
				if _, err := s.Append(context.Background(), store.Delivery{Readings: rs}); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	writers.Wait()
	for limit, s := range map[int]store.Store{7: stores[0], 1000: stores[1]} {
		got := states(t, s, store.RoadFilter{}, limit)
		equal(t, "roads", len(got), portions*size)
		for k, state := range got {
			equal(t, "newest of "+string(state.Road), state.Reading, at(minute(k+1), fmt.Sprintf("s%d-%d", (k+1)%2, k), fmt.Sprintf("r%02d", k), float64((k+1)%2)))
		}
		some := []traffic.RoadID{"r03", "r40", "r98", "none"}
		equal(t, "some roads", len(states(t, s, store.RoadFilter{IDs: some}, 2)), 3)
	}
}
