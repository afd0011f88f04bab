package wire

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// EncodeSensor writes readings as a sensor would: one as an object, several as an
// array. Absent quantities are left out. A reading with QualityReceiveTime has no
// time in the result, as its sensor sent none. Score, the other quality flags and
// the edge are not part of the format. It returns an error for no readings at all and
// for infinite quantities.
func EncodeSensor(rs []traffic.Reading) ([]byte, error) {
	if len(rs) == 0 {
		return nil, fmt.Errorf("encode sensor message: no readings")
	}
	out := make([]sensorJSON, len(rs))
	for i := range rs {
		out[i] = sensorOf(&rs[i])
	}
	var v any = out
	if len(out) == 1 {
		v = &out[0]
	}
	p, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode sensor message: %w", err)
	}
	return p, nil
}

func sensorOf(r *traffic.Reading) sensorJSON {
	out := sensorJSON{
		Sensor:    text(r.Sensor),
		Road:      text(r.Road),
		Speed:     quantity(r.Speed),
		Flow:      quantity(r.Flow),
		Occupancy: quantity(r.Occupancy),
	}
	if r.Quality&traffic.QualityReceiveTime == 0 {
		out.Time = text(r.At.UTC().Format(time.RFC3339Nano))
	}
	if r.Place != nil {
		out.Label, out.Lat, out.Lng = text(r.Place.Label), quantity(r.Place.Lat), quantity(r.Place.Lng)
	}
	return out
}
