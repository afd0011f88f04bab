package outlook_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/cloud/rerouter/internal/outlook"
	"github.com/2zrhun/city-flow/shared/score"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func some(v float64) traffic.Value { return traffic.Some(v) }

func v1(s float64) *traffic.Prediction { return &traffic.Prediction{Score: s, Model: "ewma-lr-v2"} }

func v2(s float64) *traffic.Prediction { return &traffic.Prediction{Score: s, Model: "mlp-v1"} }

func TestSpeed(t *testing.T) {
	var absent traffic.Value
	for _, c := range []struct {
		name       string
		live       *traffic.Reading
		prediction *traffic.Prediction
		want       float64
		source     outlook.Source
	}{
		{"nothing known", nil, nil, 50, outlook.FreeFlow},
		{"live speed", &traffic.Reading{Speed: some(21)}, nil, 21, outlook.Live},
		{"live speed above free flow", &traffic.Reading{Speed: some(64)}, nil, 64, outlook.Live},
		{"live flow and occupancy", &traffic.Reading{Flow: some(900), Occupancy: some(0.45)}, nil, 12, outlook.Live},
		{"live flow alone says nothing of speed", &traffic.Reading{Flow: some(900)}, nil, 50, outlook.FreeFlow},
		{"standstill", &traffic.Reading{Speed: some(0)}, nil, outlook.MinSpeedKMH, outlook.Live},

		{"v1 without a reading", nil, v1(0.8), 18, outlook.Forecast},
		{"v1 at the score of free flow", nil, v1(1 - 50.0/90), 50, outlook.Forecast},
		{"v1 below the score of free flow", nil, v1(0.1), 50, outlook.Forecast},
		{"v1 with a speed: the score's own speed", &traffic.Reading{Speed: some(40)}, v1(0.8), 18, outlook.Forecast},
		{"v1 with a speed: recovering", &traffic.Reading{Speed: some(9)}, v1(0.6), 36, outlook.Forecast},
		{"v1 with a speed: recovering from a standstill", &traffic.Reading{Speed: some(0)}, v1(0.6), 36, outlook.Forecast},
		{"v1 unchanged leaves the measured speed", &traffic.Reading{Speed: some(20), Occupancy: some(0.3)}, v1((0.4*(1-20.0/90) + 0.12) / 0.8), 20, outlook.Forecast},
		{"v1 saturated by flow leaves the measured speed", &traffic.Reading{Speed: some(47), Flow: some(700)}, v1(1), 47, outlook.Live},
		{"v1 all jammed", &traffic.Reading{Speed: some(30)}, v1(1), outlook.MinSpeedKMH, outlook.Forecast},
		{"v1 with occupancy alone", &traffic.Reading{Occupancy: some(0.1)}, v1(0.3), 25, outlook.Forecast},

		{"v2 without a reading", nil, v2(0.7), 15, outlook.Forecast},
		{"v2 from live", &traffic.Reading{Speed: some(25)}, v2(0.75), 12.5, outlook.Forecast},
		{"speed of the model itself", &traffic.Reading{Speed: some(25)}, &traffic.Prediction{Score: 0.1, Speed: some(33), Model: "mlp-v1"}, 33, outlook.Forecast},
		{"a reading without quantities", &traffic.Reading{Speed: absent}, v2(0.5), 25, outlook.Forecast},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, source := outlook.Speed(outlook.Road{
				Reference: score.Reference{FreeFlowKMH: 50, CapacityVPH: 1800}, Live: c.live, Prediction: c.prediction,
			})
			if math.Abs(got-c.want) > 0.01 || source != c.source {
				t.Errorf("got %.2f km/h from source %d, want %.2f from %d", got, source, c.want, c.source)
			}
		})
	}
}

func drawReading(t *rapid.T) *traffic.Reading {
	if rapid.Bool().Draw(t, "no reading") {
		return nil
	}
	value := func(name string, limit float64) traffic.Value {
		if rapid.Bool().Draw(t, "no "+name) {
			return traffic.Value{}
		}
		return traffic.Some(rapid.Float64Range(0, limit).Draw(t, name))
	}
	return &traffic.Reading{Speed: value("speed", 150), Flow: value("flow", 8000), Occupancy: value("occupancy", 1)}
}

// Whatever is known, the speed is finite and in its bounds, and a higher forecast
// never makes a road faster.
func TestSpeedIsBoundedAndMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		free := rapid.Float64Range(10, 130).Draw(t, "free flow")
		r := outlook.Road{Reference: score.Reference{FreeFlowKMH: free, CapacityVPH: 2000}, Live: drawReading(t)}
		limit := free
		if r.Live != nil {
			limit = max(free, r.Live.Speed.Or(0))
		}
		model := rapid.SampledFrom([]string{"ewma-lr-v2", "mlp-v1"}).Draw(t, "model")
		a, b := rapid.Float64Range(0, 1).Draw(t, "a"), rapid.Float64Range(0, 1).Draw(t, "b")
		at := func(s float64) float64 {
			r.Prediction = &traffic.Prediction{Score: s, Model: model}
			v, _ := outlook.Speed(r)
			if !(v >= outlook.MinSpeedKMH && v <= max(limit, outlook.MinSpeedKMH)) {
				t.Fatalf("score %g: %g km/h, limit %g", s, v, limit)
			}
			return v
		}
		if low, high := at(min(a, b)), at(max(a, b)); high > low+1e-9 {
			t.Fatalf("score %g gives %g km/h, score %g gives %g", min(a, b), low, max(a, b), high)
		}
	})
}
