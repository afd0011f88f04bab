package wire

import (
	stdjson "encoding/json"
	"testing"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// BenchmarkDecodeSensor decodes what a city's gateway publishes: one reading, and
// an array of 100.
func BenchmarkDecodeSensor(b *testing.B) {
	one := sample(1)
	hundred := sample(100)
	now := one[0].At
	for _, c := range []struct {
		name string
		rs   []traffic.Reading
	}{{"1", one}, {"100", hundred}} {
		p, err := EncodeSensor(c.rs)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := DecodeSensor("t", p, now); len(r.Readings) != len(c.rs) {
					b.Fatalf("%d readings, first rejection: %v", len(r.Readings), r.Rejected[0].Detail)
				}
			}
			b.ReportMetric(float64(b.N*len(c.rs))/b.Elapsed().Seconds(), "readings/s")
		})
	}
}

// BenchmarkEncodingJSON is the standard library's time for the same object, without
// judging anything: the figure that the choice of library is held against.
func BenchmarkEncodingJSON(b *testing.B) {
	p, err := EncodeSensor(sample(1))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var v struct {
			TS     string   `json:"ts"`
			Sensor string   `json:"sensor_id"`
			Road   string   `json:"road_id"`
			Speed  *float64 `json:"speed_kmh"`
			Flow   *float64 `json:"flow_rate"`
			Occ    *float64 `json:"occupancy"`
			Label  string   `json:"label"`
			Lat    *float64 `json:"lat"`
			Lng    *float64 `json:"lng"`
		}
		if err := stdjson.Unmarshal(p, &v); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

// sample makes n different readings with everything that a sensor may say.
func sample(n int) []traffic.Reading {
	out := make([]traffic.Reading, n)
	for i := range out {
		x := float64(i)
		out[i] = traffic.Reading{
			At:        time.Date(2026, 3, 2, 8, 5, i%60, 0, time.UTC),
			Sensor:    "PARIS-4521",
			Road:      "PARIS-4521",
			Speed:     traffic.Some(31.5 + x/10),
			Flow:      traffic.Some(840 + x),
			Occupancy: traffic.Some((17 + x/10) / 100),
			Place:     &traffic.Place{Label: "Bd Voltaire", Lat: traffic.Some(48.858), Lng: traffic.Some(2.379)},
		}
	}
	return out
}
