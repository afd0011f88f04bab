package match_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/2zrhun/city-flow/shared/realdata"
	"github.com/2zrhun/city-flow/shared/roadnet"
	"github.com/2zrhun/city-flow/shared/roadnet/match"
	"github.com/2zrhun/city-flow/shared/roadnet/synth"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const metre = 1 / 111195.0 // degrees of latitude

// at is a point some metres east and north of a place on the equator, where a degree
// is as long both ways.
func at(east, north float64) traffic.Point {
	return traffic.Point{Lat: north * metre, Lng: east * metre}
}

func road(id, from, to string, line ...traffic.Point) traffic.Road {
	return traffic.Road{ID: traffic.RoadID(id), FromNode: traffic.NodeID(from), ToNode: traffic.NodeID(to), Geometry: [][]traffic.Point{line}}
}

// streets: a two-way street eastwards cut at 200 m, a one-way street beside it, 50 m
// north, and one across.
func streets() *roadnet.Index {
	return roadnet.NewIndex([]traffic.Road{
		road("east1", "a", "b", at(0, 0), at(200, 0)), road("east2", "b", "c", at(200, 0), at(400, 0)),
		road("west1", "b", "a", at(200, 0), at(0, 0)), road("west2", "c", "b", at(400, 0), at(200, 0)),
		road("side", "d", "e", at(0, 50), at(400, 50)),
		road("across", "b", "f", at(200, 0), at(200, 200)),
	})
}

func TestMatch(t *testing.T) {
	unknown := math.NaN()
	for _, c := range []struct {
		name    string
		sensor  match.Sensor
		outcome match.Outcome
		road    traffic.RoadID
		dist    float64
	}{
		{"east", match.Sensor{At: at(100, 4), BearingDeg: 80}, match.Matched, "east1", 4},
		{"west", match.Sensor{At: at(100, 4), BearingDeg: 275}, match.Matched, "west1", 4},
		{"across", match.Sensor{At: at(203, 20), BearingDeg: 0}, match.Matched, "across", 3},
		{"no bearing on a two-way street", match.Sensor{At: at(100, 4), BearingDeg: unknown}, match.Ambiguous, "east1", 4},
		{"no bearing on a one-way street", match.Sensor{At: at(100, 52), BearingDeg: unknown}, match.Matched, "side", 2},
		{"between two streets", match.Sensor{At: at(100, 25.5), BearingDeg: 90}, match.Ambiguous, "side", 24.5},
		{"far", match.Sensor{At: at(100, -80), BearingDeg: 90}, match.TooFar, "", 80},
		{"very far", match.Sensor{At: at(100, -9000), BearingDeg: 90}, match.TooFar, "", 0},
		{"near but askew", match.Sensor{At: at(100, 55), BearingDeg: 270}, match.TooFar, "", 5},
		{"no place", match.Sensor{At: traffic.Point{Lat: unknown}, BearingDeg: unknown}, match.TooFar, "", 0},
		{"a line over two roads", match.Sensor{Line: [][]traffic.Point{{at(90, 3), at(260, 3)}}}, match.Matched, "east1", 3},
		{"the same line back", match.Sensor{Line: [][]traffic.Point{{at(260, 3), at(90, 3)}}}, match.Matched, "west1", 3},
		{"a line that leaves", match.Sensor{Line: [][]traffic.Point{{at(390, 0), at(800, 0)}}}, match.TooFar, "", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep, err := match.Match(streets(), []match.Sensor{c.sensor}, match.DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			r := rep.Results[0]
			if r.Outcome != c.outcome || r.Road != c.road || c.dist >= 0 && math.Abs(r.DistanceM-c.dist) > 0.05 {
				t.Errorf("%+v", r)
			}
			if (r.Outcome == match.Ambiguous) != (r.Rival != "") {
				t.Errorf("%+v: the rival", r)
			}
		})
	}
	rep, err := match.Match(streets(), []match.Sensor{{Line: [][]traffic.Point{{at(90, 3), at(260, 3)}}}}, match.DefaultConfig())
	if err != nil || !slices.Equal(rep.Results[0].Roads, []traffic.RoadID{"east1", "east2"}) {
		t.Errorf("%v, %+v: want both roads along the line", err, rep.Results[0])
	}
	for _, cfg := range []match.Config{{}, {RadiusM: 30, TurnDeg: 181}, {RadiusM: 30, TurnDeg: 30, MarginM: -1}} {
		if _, err := match.Match(streets(), nil, cfg); err == nil {
			t.Errorf("%+v is allowed", cfg)
		}
	}
}

func TestSensorsOfRoadsWithoutGeometryLieBetweenTheirJunctions(t *testing.T) {
	n := roadnet.FromRoads([]traffic.Road{
		road("1", "a", "b", at(0, 3), at(60, 3)), road("2", "b", "c", at(140, 3), at(160, 3)),
		{ID: "3", FromNode: "a", ToNode: "c"},
		{ID: "4", Lat: traffic.Some(50 * metre), Lng: traffic.Some(100 * metre)},
		{ID: "5"},
	})
	rep, err := match.Match(streets(), match.FromNetwork(n), match.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rep.Results {
		got = append(got, fmt.Sprintf("%s %s %s", r.Sensor, r.Outcome, r.Road))
	}
	if want := []string{"1 matched east1", "2 matched east1", "3 matched east1", "4 matched side", "5 too_far "}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Sensors that were measured off by up to 8 m and 10 degrees find their road, or are
// not sure about it: of a thousand none may be wrong and sure where the road is long
// enough to be told from its neighbours.
func TestNoisySensorsOfACity(t *testing.T) {
	city := synth.Generate(synth.Params{Seed: 7, Arcs: 400})
	rng := rand.New(rand.NewPCG(1, 2))
	var sensors []match.Sensor
	for i := range city.Roads {
		line := city.Roads[i].Geometry[0]
		k := 1 + rng.IntN(len(line)-1)
		a, b := line[k-1], line[k]
		f := 0.3 + 0.4*rng.Float64()
		deg := metre / math.Cos(a.Lat*math.Pi/180)
		sensors = append(sensors, match.Sensor{
			ID: string(city.Roads[i].ID), BearingDeg: roadnet.BearingDeg(a, b) + 20*rng.Float64() - 10,
			At: traffic.Point{
				Lat: a.Lat + f*(b.Lat-a.Lat) + (rng.Float64()-0.5)*6*metre,
				Lng: a.Lng + f*(b.Lng-a.Lng) + (rng.Float64()-0.5)*6*deg,
			},
		})
	}
	rep, err := match.Match(roadnet.NewIndex(city.Roads), sensors, match.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for _, r := range rep.Results {
		if r.Outcome == match.Matched && string(r.Road) != r.Sensor {
			wrong++
		}
	}
	t.Logf("%v%d wrong", rep, wrong)
	if wrong*100 > len(sensors) || rep.TooFar > 0 || rep.Ambiguous*10 > len(sensors) {
		t.Errorf("%v%d wrong: want at most 1 %% wrong, 10 %% unsure, none too far", rep, wrong)
	}
}

func load(t *testing.T, name string) *roadnet.Network {
	t.Helper()
	n, _, err := roadnet.Import(t.Context(), realdata.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func matchAll(t *testing.T, x *roadnet.Index, sensors []match.Sensor) *match.Report {
	t.Helper()
	rep, err := match.Match(x, sensors, match.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}
