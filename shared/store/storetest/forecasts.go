package storetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func predict(m int, road string, horizon int, score float64) traffic.Prediction {
	return traffic.Prediction{At: minute(m), Road: traffic.RoadID(road), HorizonMin: horizon, Model: "ewma-lr-v2", Score: score, Confidence: 0.5}
}

func testPredictionsReplace(t *testing.T, s store.Store) {
	ctx := t.Context()
	full := predict(0, "r", 30, 1.0/3)
	full.Speed, full.Lower, full.Upper = traffic.Some(0), traffic.Some(0.1), traffic.Some(0.9)
	check(t, s.PutPredictions(ctx, []traffic.Prediction{full}))
	equal(t, "predictions", predictions(t, s, store.PredictionQuery{}, 10), []traffic.Prediction{full})
	bare := predict(0, "r", 30, 0.2)
	other := predict(0, "r", 30, 0.7)
	other.Model = "profile"
	check(t, s.PutPredictions(ctx, []traffic.Prediction{predict(0, "r", 30, 0.9), other, bare}))
	equal(t, "replaced, the last of equal keys", predictions(t, s, store.PredictionQuery{}, 10), []traffic.Prediction{bare, other})
	equal(t, "latest", latestPredictions(t, s, store.PredictionQuery{}, 10), []traffic.Prediction{bare, other})
	equal(t, "last cycle", must(s.LastCycle(ctx, "ewma-lr-v2"))(t), minute(0))
	equal(t, "last cycle of nobody", must(s.LastCycle(ctx, "none"))(t), time.Time{})
	check(t, s.PutPredictions(ctx, []traffic.Prediction{predict(5, "q", 5, 0)}))
	check(t, s.PutPredictions(ctx, []traffic.Prediction{predict(-5, "r", 30, 0)}))
	equal(t, "last cycle after an older one", must(s.LastCycle(ctx, "ewma-lr-v2"))(t), minute(5))
	equal(t, "latest is not made older", latestPredictions(t, s, store.PredictionQuery{Roads: []traffic.RoadID{"r"}}, 10),
		[]traffic.Prediction{bare, other})
}

// somePredictions is a history with gaps: roads and models that fell silent.
func somePredictions(rng *rand.Rand, n int) []traffic.Prediction {
	var out []traffic.Prediction
	for range n {
		p := predict(5*rng.IntN(20), fmt.Sprintf("r%d", rng.IntN(6)), []int{5, 15, 30, 60}[rng.IntN(4)], rng.Float64())
		p.Model = []string{"ewma-lr-v2", "profile", "mlp"}[rng.IntN(3)]
		if p.Model == "mlp" && p.At.After(minute(40)) {
			p.At = minute(20)
		}
		p.Speed, p.Lower, p.Upper = maybe(rng, 90), maybe(rng, 1), maybe(rng, 1)
		out = append(out, p)
	}
	return out
}

// predictionQueries are questions of every kind.
func predictionQueries() []store.PredictionQuery {
	var out []store.PredictionQuery
	for _, roads := range [][]traffic.RoadID{nil, {}, {"r3"}, {"r5", "r0", "r5", "none"}} {
		for _, horizon := range []int{0, 30, 7} {
			for _, model := range []string{"", "mlp", "none"} {
				for _, span := range [][2]time.Time{
					{},
					{minute(40), {}},
					{{}, minute(50)},
					{minute(25), minute(65)},
					{minute(30), minute(30).Add(1)},
					{minute(65), minute(25)},
				} {
					out = append(out, store.PredictionQuery{Roads: roads, HorizonMin: horizon, Model: model, From: span[0], To: span[1]})
				}
			}
		}
	}
	return out
}

func testLatestPredictions(t *testing.T, s store.Store) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := newModel()
	for range 12 {
		ps := somePredictions(rng, 40)
		check(t, s.PutPredictions(t.Context(), ps))
		m.putPredictions(ps)
	}
	for _, q := range predictionQueries() {
		equal(t, fmt.Sprintf("%+v", q), latestPredictions(t, s, q, 9), m.latestPredictions(q))
	}
}

func testPredictionPages(t *testing.T, s store.Store) {
	rng := rand.New(rand.NewPCG(5, 6))
	m := newModel()
	ps := somePredictions(rng, 400)
	check(t, s.PutPredictions(t.Context(), ps))
	m.putPredictions(ps)
	for _, q := range predictionQueries() {
		equal(t, fmt.Sprintf("%+v", q), predictions(t, s, q, 17), m.predictionList(q))
	}
	for _, limit := range []int{1, 1000} {
		equal(t, fmt.Sprintf("pages of %d", limit), predictions(t, s, store.PredictionQuery{}, limit), m.predictionList(store.PredictionQuery{}))
	}
}

func testPredictionsRefused(t *testing.T, s store.Store) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if err := s.PutPredictions(t.Context(), []traffic.Prediction{predict(0, "good", 5, 0.5), predict(0, "bad", 5, bad)}); err == nil {
			t.Errorf("a score of %v was stored", bad)
		}
		r := traffic.Reroute{At: minute(0), Route: "r", Alt: "a", CO2GainKg: bad}
		if err := s.PutReroutes(t.Context(), minute(0), []traffic.Reroute{r}); err == nil {
			t.Errorf("a gain of %v was stored", bad)
		}
	}
	equal(t, "predictions", predictions(t, s, store.PredictionQuery{}, 10), none[traffic.Prediction]())
	equal(t, "reroutes", reroutes(t, s, store.RerouteQuery{}, 10), none[traffic.Reroute]())
}

func advise(m int, route, alt string, status traffic.RerouteStatus) traffic.Reroute {
	return traffic.Reroute{
		At: minute(m), Route: traffic.RoadID(route), Alt: traffic.RoadID(alt), Status: status, Reason: "jam on " + route,
		CO2GainKg: -1.0 / 3, ETAGainMin: 4.25, Share: 0.3, Path: []traffic.RoadID{"x,1", `"y"`, traffic.RoadID(alt)},
	}
}

func testReroutesExpire(t *testing.T, s store.Store) {
	ctx := t.Context()
	m := newModel()
	put := func(at int, rs ...traffic.Reroute) {
		t.Helper()
		check(t, s.PutReroutes(ctx, minute(at), rs))
		m.putReroutes(minute(at), rs)
		equal(t, "reroutes", reroutes(t, s, store.RerouteQuery{}, 3), m.rerouteList(store.RerouteQuery{}))
	}
	bare := traffic.Reroute{At: minute(0), Route: "bare", Status: traffic.RerouteRejected}
	put(0, advise(0, "a", "b", traffic.RerouteProposed), advise(0, "c", "d", traffic.RerouteApproved), advise(0, "e", "f", traffic.RerouteActive), bare)
	put(0, advise(0, "a", "z", traffic.RerouteProposed)) // the same time is not older
	put(5, advise(5, "a", "b", traffic.RerouteProposed))
	put(5, advise(5, "a", "b", traffic.RerouteApproved), advise(5, "a", "b", traffic.RerouteProposed)) // the last of equal keys
	put(3, advise(3, "late", "x", traffic.RerouteProposed))                                            // computed late: 5 stays
	put(10)                                                                                            // nothing to advise: all expire
	equal(t, "open advice", reroutes(t, s, store.RerouteQuery{Statuses: []traffic.RerouteStatus{traffic.RerouteProposed}}, 5), none[traffic.Reroute]())
}

func testReroutePages(t *testing.T, s store.Store) {
	m := newModel()
	statuses := []traffic.RerouteStatus{traffic.RerouteProposed, traffic.RerouteApproved, traffic.RerouteActive, traffic.RerouteExpired, traffic.RerouteRejected}
	for i := range 12 {
		var rs []traffic.Reroute
		for j := range 9 {
			rs = append(rs, advise(i*5, fmt.Sprintf("r%d", j%4), fmt.Sprintf("a%d", j), statuses[(i+j)%5]))
		}
		check(t, s.PutReroutes(t.Context(), minute(i*5), rs))
		m.putReroutes(minute(i*5), rs)
	}
	for _, only := range [][]traffic.RerouteStatus{nil, {}, statuses[:1], statuses[1:3], statuses[2:4], statuses} {
		for _, route := range []traffic.RoadID{"", "r2", "none"} {
			for _, span := range [][2]time.Time{{}, {minute(10), minute(40)}, {minute(40), minute(10)}} {
				q := store.RerouteQuery{Statuses: only, Route: route, From: span[0], To: span[1]}
				equal(t, fmt.Sprintf("%+v", q), reroutes(t, s, q, 5), m.rerouteList(q))
			}
		}
	}
}
