package payload_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/cloud/api/internal/payload"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// Golden JSON: these are the names that clients read.
func TestGoldenJSON(t *testing.T) {
	at := time.Date(2026, 8, 24, 14, 0, 0, 123000, time.FixedZone("CEST", 7200))
	label := func(id traffic.RoadID) string { return "street " + string(id) }
	state := payload.OfState(&traffic.RoadState{SpeedEstimated: true, Reading: traffic.Reading{
		At: at, Sensor: "s", Road: "r", Speed: traffic.Some(45), Occupancy: traffic.Some(0.25), Quality: traffic.QualityReceiveTime | traffic.QualityClock,
	}})
	reroute, err := payload.OfReroute(&traffic.Reroute{At: at, Route: "r", Alt: "a", Reason: "jam", CO2GainKg: 1.5, ETAGainMin: 2, Path: []traffic.RoadID{"a"}, Status: traffic.RerouteActive}, label)
	if err != nil {
		t.Fatal(err)
	}
	alert, err := payload.OfAlert(&traffic.Alert{
		Kind: traffic.AlertIncident, Road: "r", Start: at, Updated: at, Severity: traffic.SeverityMajor, Roads: []traffic.RoadID{"a"}, Observed: 0.5, Expected: 0.25, Lat: traffic.Some(48.5), Detail: "d",
	}, label)
	if err != nil {
		t.Fatal(err)
	}
	for want, v := range map[string]any{
		`{"id":"WyIyMDI2LTA4LTI0VDEyOjAwOjAwLjAwMDEyM1oiLCJyIiwiaW5jaWRlbnQiXQ","kind":"incident","state":"active","severity":"major","road_id":"r","road_label":"street r","roads":[{"road_id":"a","label":"street a"}],"start_ts":"2026-08-24T12:00:00.000123Z","end_ts":null,"updated_ts":"2026-08-24T12:00:00.000123Z","observed":0.5,"expected":0.25,"lat":48.5,"lng":null,"detail":"d"}`: alert,

		`{"model_version":"m","horizon_min":30,"road_group":"trunk","served":true,"demoted":false,"forecasts":4,"mae":0.5,"bias":-0.25,"coverage":0.75,"skill_persistence":0.5,"skill_profile":null,"through_ts":"2026-08-24T12:00:00.000123Z"}`: payload.OfSkill(&traffic.Skill{
			Model: "m", HorizonMin: 30, Group: "trunk", Through: at, Served: true, Weight: 4, AbsErr: 2, Err: -1, Intervals: 4, Covered: 3, Persistence: traffic.Duel{Weight: 4, Own: 2, Other: 4},
		}),

		`{"ts":"2026-08-24T12:00:00.000123Z","sensor_id":"s","road_id":"r","speed_kmh":45,"speed_estimated":true,"flow_rate":null,"occupancy":0.25,"congestion_score":null,"congestion_score_v1":0.25,"quality":["receive_time","clock"],"edge_id":null}`: state,

		`{"ts":"2026-08-24T12:00:00.000123Z","target_ts":"2026-08-24T12:30:00.000123Z","road_id":"r","horizon_min":30,"congestion_score":0.5,"score_version":"v1","confidence":0.75,"model_version":"m","speed_kmh":null,"lower":0.25,"upper":null}`: payload.OfPrediction(&traffic.Prediction{At: at, Road: "r", HorizonMin: 30, Score: 0.5, Confidence: 0.75, Model: "m", Lower: traffic.Some(0.25)}),

		`{"road_id":"r","ts":"2026-08-24T12:00:00.000123Z","width_s":300,"speed_kmh":90,"flow_rate":null,"occupancy":null,"congestion_score":0.1,"congestion_score_v1":0,"samples":3}`: payload.OfBucket(&traffic.Bucket{Road: "r", Start: at, Width: 5 * time.Minute, Speed: traffic.Some(90), Score: traffic.Some(0.1), Samples: 3}),

		`{"road_id":"r","label":"","lat":null,"lng":null,"class":"unknown","length_m":null,"free_flow_kmh":null,"capacity_vph":null,"from_node":"0","to_node":null,"updated_at":"2026-08-24T12:00:00.000123Z"}`: payload.OfRoad(&traffic.Road{ID: "r", FromNode: "0", UpdatedAt: at}),

		`{"id":"WyIyMDI2LTA4LTI0VDEyOjAwOjAwLjAwMDEyM1oiLCJyIiwiYSJd","ts":"2026-08-24T12:00:00.000123Z","route_id":"r","route_label":"street r","alt_route_id":"a","alt_route_label":"street a","reason":"jam","estimated_co2_gain":1.5,"eta_gain_min":2,"share":null,"status":"active","path":[{"road_id":"a","label":"street a"}]}`: reroute,

		`{"id":"7","ts":"2026-08-24T12:00:00.000123Z","edge_id":"e","origin":"t","payload":"é\\xff\\x80ok","reason":"empty","detail":"d"}`: payload.OfRejected(&traffic.Rejected{ID: "7", At: at, Edge: "e", Origin: "t", Payload: []byte("é\xff\x80ok"), Reason: traffic.ReasonEmpty, Detail: "d"}),
	} {
		got, err := json.Marshal(v)
		if err != nil || string(got) != want {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
}

// Score v1 of a bucket is what the predictor computes from the same averages, bit for bit.
func TestScoreV1IsThePredictors(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) traffic.Value {
		if rapid.Bool().Draw(t, "absent") {
			return traffic.Value{}
		}
		return traffic.Some(rapid.Float64Range(0, 250).Draw(t, "v"))
	})
	rapid.Check(t, func(t *rapid.T) {
		b := traffic.Bucket{Speed: value.Draw(t, "speed"), Flow: value.Draw(t, "flow"), Occupancy: value.Draw(t, "occupancy")}
		want, known := score.V1(b.Speed, b.Occupancy, b.Flow)
		got, shown := payload.OfBucket(&b).ScoreV1.Get()
		if shown != known || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%v %t, want %v %t", got, shown, want, known)
		}
	})
}

// A score of three decimals survives being kept in steps of 1/1024.
func TestScoresOfThreeDecimalsComeBack(t *testing.T) {
	for n := range 1001 {
		want := float64(n) / 1000
		kept := math.Round(want*1024) / 1024
		if got := payload.OfReading(&traffic.Reading{Score: traffic.Some(kept)}).Score; got != traffic.Some(want) {
			t.Fatalf("%v came back as %v", want, got)
		}
	}
	if got := payload.OfReading(&traffic.Reading{}).Score; got.Known() {
		t.Errorf("no score became %v", got)
	}
}
