package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// EnvRows names the environment variable that makes the volume test larger: the
// number of readings, such as 1000000.
const EnvRows = "CITYFLOW_STORETEST_ROWS"

func maybe(rng *rand.Rand, limit float64) traffic.Value {
	if rng.IntN(4) == 0 {
		return traffic.Value{}
	}
	return traffic.Some(rng.Float64() * limit)
}

// randomReading is one of few sensors at one of few times, so that keys meet.
func randomReading(rng *rand.Rand) traffic.Reading {
	r := traffic.Reading{
		At:     minute(rng.IntN(120)).Add(time.Duration(rng.IntN(3)) * 20 * time.Second),
		Sensor: traffic.SensorID(fmt.Sprintf("s%d", rng.IntN(8))), Road: traffic.RoadID(fmt.Sprintf("r%d", rng.IntN(5))),
		Speed: maybe(rng, 90), Flow: maybe(rng, 2000), Occupancy: maybe(rng, 1), Score: maybe(rng, 1),
		Quality: traffic.Quality(rng.IntN(16)),
	}
	if rng.IntN(3) == 0 {
		r.Place = &traffic.Place{Label: []string{"", "a", "b"}[rng.IntN(3)]}
		if rng.IntN(2) == 0 {
			r.Place.Lat, r.Place.Lng = traffic.Some(rng.Float64()), traffic.Some(rng.Float64())
		}
	}
	return r
}

func testBuckets(t *testing.T, s store.Store) {
	rng := rand.New(rand.NewPCG(7, 7))
	m := newModel()
	var batch []traffic.Reading
	for range fewer(2000) {
		batch = append(batch, randomReading(rng))
	}
	equal(t, "answer", add(t, s, batch...), m.append(batch))
	var many []traffic.RoadID
	for i := range 200 {
		many = append(many, traffic.RoadID(fmt.Sprintf("r%d", i+2)))
	}
	for _, width := range []time.Duration{time.Second, 7 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour} {
		for _, only := range [][]traffic.RoadID{nil, {}, {"r1"}, {"r3", "r0", "none"}, many} {
			for _, span := range [][2]time.Time{
				{minute(0), minute(120)},
				{minute(3).Add(time.Second), minute(61).Add(20 * time.Second)},
				{minute(30), minute(30).Add(1)},
				{minute(-1000), minute(-900)},
				{minute(10).In(time.FixedZone("Kathmandu", 20_700)), minute(70).In(time.FixedZone("x", -3600))},
			} {
				q := store.BucketQuery{Roads: only, From: span[0], To: span[1], Width: width}
				sameBuckets(t, fmt.Sprintf("%+v", q), must(s.Buckets(t.Context(), q))(t), m.buckets(q))
			}
		}
	}
}

func testBucketQueries(t *testing.T, s store.Store) {
	for _, q := range []store.BucketQuery{
		{From: minute(0), To: minute(1)},
		{From: minute(0), To: minute(1), Width: time.Millisecond},
		{From: minute(0), To: minute(1), Width: 1500 * time.Millisecond},
		{From: minute(0), To: minute(1), Width: -time.Minute},
		{From: minute(0), Width: time.Minute},
		{To: minute(0), Width: time.Minute},
	} {
		if _, err := s.Buckets(t.Context(), q); err == nil {
			t.Errorf("%+v was answered, want an error", q)
		}
	}
	got, err := s.Buckets(t.Context(), store.BucketQuery{From: minute(1), To: minute(0), Width: time.Minute})
	check(t, err)
	equal(t, "an empty range", got, none[traffic.Bucket]())
}

func testLargeBatch(t *testing.T, s store.Store) {
	const sensors = 200
	times := fewer(50)
	batch := make([]traffic.Reading, 0, sensors*times)
	for i := range sensors * times {
		batch = append(batch, at(minute(i/sensors), fmt.Sprintf("s%d", i%sensors), fmt.Sprintf("r%d", i%sensors), float64(i%90)))
	}
	got := add(t, s, batch...)
	added(t, got, len(batch), 0)
	equal(t, "states moved", len(got.Latest), sensors)
	added(t, add(t, s, batch...), 0, len(batch))
	equal(t, "one road", len(readings(t, s, store.ReadingQuery{Road: "r77"}, 1000)), times)
}

// testVolume appends many readings in batches and counts them by another way.
func testVolume(t *testing.T, s store.Store) {
	rows := fewer(10_000)
	if v := os.Getenv(EnvRows); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("%s=%q: want a number of rows", EnvRows, v)
		}
		rows = n
	}
	const sensors, size = 300, 1000
	batch := make([]traffic.Reading, size)
	for i := 0; i < rows; i += size {
		for j := range batch {
			k := i + j
			batch[j] = at(start().Add(time.Duration(k/sensors)*30*time.Second), fmt.Sprintf("s%d", k%sensors), fmt.Sprintf("r%d", k%sensors), float64(k%90))
		}
		added(t, add(t, s, batch...), size, 0)
	}
	last := start().Add(time.Duration((rows-1)/sensors) * 30 * time.Second)
	equal(t, "watermark", must(s.Watermark(t.Context(), last.Add(time.Hour)))(t), last)
	count := int64(0)
	for _, b := range must(s.Buckets(context.Background(), store.BucketQuery{From: start(), To: last.Add(1), Width: time.Hour}))(t) {
		count += b.Samples
	}
	equal(t, "readings in buckets", count, int64(rows))
	newest, _, err := s.Readings(t.Context(), store.ReadingQuery{Road: "r0", Page: store.Page{Limit: 1}})
	check(t, err)
	if len(newest) != 1 || last.Sub(newest[0].At) > 30*time.Second {
		t.Fatalf("newest reading of a road: %+v, want one near %s", newest, last)
	}
	equal(t, "latest", len(states(t, s, store.RoadFilter{}, 100)), sensors)
}
