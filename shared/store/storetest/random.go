package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// EnvSeed names the environment variable that repeats a run of random steps.
const EnvSeed = "CITYFLOW_STORETEST_SEED"

// testRandomSteps does random things to the store and to the model, and asks both the
// same questions.
func testRandomSteps(t *testing.T, s store.Store) {
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv(EnvSeed); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("%s=%q: want a number", EnvSeed, v)
		}
		seed = n
	}
	t.Logf("repeat with %s=%d", EnvSeed, seed)
	steps := 350
	if slow || testing.Short() {
		steps = 100
	}
	w := walk{rng: rand.New(rand.NewPCG(seed, 1)), s: s, m: newModel()}
	for range steps {
		w.change(t)
		w.ask(t)
	}
	w.compareAll(t)
}

// walk is one run of random steps.
type walk struct {
	rng *rand.Rand
	s   store.Store
	m   *model
}

func (w *walk) road() traffic.RoadID { return traffic.RoadID(fmt.Sprintf("r%d", w.rng.IntN(6))) }

// span is a random range, often open at one end.
func (w *walk) span() (from, to time.Time) {
	if w.rng.IntN(3) > 0 {
		from = minute(w.rng.IntN(120)).Add(time.Duration(w.rng.IntN(3)) * 20 * time.Second)
	}
	if w.rng.IntN(3) > 0 {
		to = minute(w.rng.IntN(120)).Add(time.Duration(w.rng.IntN(2)))
	}
	return from, to
}

func (w *walk) change(t *testing.T) {
	ctx := t.Context()
	switch w.rng.IntN(6) {
	case 0, 1, 2:
		var batch []traffic.Reading
		for range w.rng.IntN(20) {
			batch = append(batch, randomReading(w.rng))
		}
		equal(t, "answer of Append", add(t, w.s, batch...), w.m.append(batch))
	case 3:
		r := traffic.Road{ID: w.road(), LengthM: maybe(w.rng, 900), Label: []string{"", "a", "c"}[w.rng.IntN(3)]}
		if w.rng.IntN(2) == 0 {
			r.Lat, r.Lng = traffic.Some(w.rng.Float64()), traffic.Some(w.rng.Float64())
		}
		check(t, w.s.PutRoads(ctx, []traffic.Road{r}))
		w.m.putRoads([]traffic.Road{r})
	case 4:
		ps := somePredictions(w.rng, w.rng.IntN(12))
		check(t, w.s.PutPredictions(ctx, ps))
		w.m.putPredictions(ps)
	case 5:
		when := w.rng.IntN(20)
		var rs []traffic.Reroute
		for range w.rng.IntN(4) {
			rs = append(rs, advise(when, string(w.road()), string(w.road()), traffic.RerouteProposed))
		}
		check(t, w.s.PutReroutes(ctx, minute(when), rs))
		w.m.putReroutes(minute(when), rs)
	}
}

func (w *walk) ask(t *testing.T) {
	ctx := t.Context()
	from, to := w.span()
	limit := 10 + w.rng.IntN(60)
	switch w.rng.IntN(7) {
	case 0:
		q := store.ReadingQuery{Road: w.road(), From: from, To: to}
		equal(t, fmt.Sprintf("%+v", q), readings(t, w.s, q, limit), w.m.readingsOf(q))
	case 1:
		equal(t, "latest", states(t, w.s, store.RoadFilter{}, limit), w.m.states())
	case 2:
		q := store.BucketQuery{From: from, To: to, Width: time.Duration(1+w.rng.IntN(900)) * time.Second}
		if from.IsZero() || to.IsZero() {
			q.From, q.To = minute(0), minute(200)
		}
		if w.rng.IntN(2) == 0 {
			q.Roads = []traffic.RoadID{w.road(), w.road()}
		}
		sameBuckets(t, fmt.Sprintf("%+v", q), must(w.s.Buckets(ctx, q))(t), w.m.buckets(q))
	case 3:
		x := minute(w.rng.IntN(130))
		equal(t, "watermark", must(w.s.Watermark(ctx, x))(t), w.m.watermark(x))
		equal(t, "first since", must(w.s.FirstSince(ctx, x))(t), w.m.firstSince(x))
	case 4:
		q := store.PredictionQuery{From: from, To: to, HorizonMin: []int{0, 5, 30}[w.rng.IntN(3)], Model: []string{"", "mlp"}[w.rng.IntN(2)]}
		if w.rng.IntN(2) == 0 {
			q.Roads = []traffic.RoadID{w.road(), w.road()}
		}
		equal(t, fmt.Sprintf("%+v", q), predictions(t, w.s, q, limit), w.m.predictionList(q))
		equal(t, fmt.Sprintf("latest %+v", q), latestPredictions(t, w.s, q, limit), w.m.latestPredictions(q))
	case 5:
		q := store.RerouteQuery{From: from, To: to, Route: []traffic.RoadID{"", w.road()}[w.rng.IntN(2)]}
		equal(t, fmt.Sprintf("%+v", q), reroutes(t, w.s, q, limit), w.m.rerouteList(q))
	case 6:
		equal(t, "last cycle", must(w.s.LastCycle(ctx, "profile"))(t), w.m.lastCycle("profile"))
		equal(t, "roads", roads(t, w.s, store.RoadFilter{}, limit), w.m.roadList())
	}
}

func (w *walk) compareAll(t *testing.T) {
	compare(t, w.s, w.m)
}

// compare asks a store for everything that a model holds.
func compare(t *testing.T, s store.Store, m *model) {
	t.Helper()
	for id := range m.roads {
		q := store.ReadingQuery{Road: id}
		equal(t, "readings of "+string(id), readings(t, s, q, 1000), m.readingsOf(q))
	}
	equal(t, "latest", states(t, s, store.RoadFilter{}, 1000), m.states())
	equal(t, "roads", roads(t, s, store.RoadFilter{}, 1000), m.roadList())
	equal(t, "predictions", predictions(t, s, store.PredictionQuery{}, 1000), m.predictionList(store.PredictionQuery{}))
	equal(t, "latest predictions", latestPredictions(t, s, store.PredictionQuery{}, 1000), m.latestPredictions(store.PredictionQuery{}))
	equal(t, "reroutes", reroutes(t, s, store.RerouteQuery{}, 1000), m.rerouteList(store.RerouteQuery{}))
}
