package timescale

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// What is packed into a block comes back, and what was cut off is an error, never a wrong
// state.
func TestBlocksUnpack(t *testing.T) {
	t.Parallel()
	value := rapid.Custom(func(t *rapid.T) traffic.Value {
		if rapid.Bool().Draw(t, "absent") {
			return traffic.Value{}
		}
		return traffic.Some(rapid.Float64().Draw(t, "value"))
	})
	reading := rapid.Custom(func(t *rapid.T) traffic.Reading {
		return traffic.Reading{
			At:     time.UnixMicro(rapid.Int64Range(-1e15, 4e15).Draw(t, "at")).UTC(),
			Sensor: traffic.SensorID(rapid.String().Draw(t, "sensor")), Road: traffic.RoadID(rapid.String().Draw(t, "road")),
			Speed: value.Draw(t, "speed"), Flow: value.Draw(t, "flow"), Occupancy: value.Draw(t, "occupancy"), Score: value.Draw(t, "score"),
			Quality: traffic.Quality(rapid.Uint32().Draw(t, "quality")), Edge: traffic.EdgeID(rapid.String().Draw(t, "edge")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		rs := rapid.SliceOfN(reading, 1, 5).Draw(t, "readings")
		var packed []byte
		for i := range rs {
			r := &rs[i]
			packed = appendOffer(packed, &row.Offer{At: row.Micros(r.At), Sensor: string(r.Sensor), Road: string(r.Road), Edge: string(r.Edge), R: r})
		}
		c := copyReader{b: packed}
		for i := range rs {
			if got := c.reading(); c.err != nil || got != rs[i] {
				t.Fatalf("reading %d: %+v, %v, want %+v", i, got, c.err, rs[i])
			}
		}
		states, err := unpack(packed)
		if err != nil || len(states) != len(rs) || len(c.b) != 0 {
			t.Fatalf("%d states, %d bytes left, %v", len(states), len(c.b), err)
		}
		end := 0
		for i, s := range states {
			if end += len(s.packed); s.road != string(rs[i].Road) || s.at != row.Micros(rs[i].At) {
				t.Fatalf("state %d: %+v", i, s)
			}
		}
		cut := rapid.IntRange(0, len(packed)-1).Draw(t, "cut")
		if states, err := unpack(packed[:cut]); err == nil && (end != len(packed) || cut != lengths(states)) {
			t.Fatalf("of %d bytes, %d were unpacked without an error", cut, lengths(states))
		}
	})
}

func lengths(states []latestState) (n int) {
	for _, s := range states {
		n += len(s.packed)
	}
	return n
}
