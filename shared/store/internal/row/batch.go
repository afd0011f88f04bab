package row

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// An Offer is one reading of a batch, ready to be stored.
type Offer struct {
	// Order is the reading's place in the batch that was offered.
	Order  int
	Sensor string
	At     int64
	Road   string
	Edge   string
	R      *traffic.Reading
}

// Offers cleans a batch, sorts it by (block, sensor, time), and leaves out the
// readings whose sensor and time occurred earlier in the batch. The block is
// what the backend clusters its rows by. Writers that all
// insert in this order cannot wait for each other in a circle.
//
// Few sensors send many readings, mostly in order, so names are compared once a sensor
// and not once a reading.
func Offers(rs []traffic.Reading, block func(at int64) int64) []Offer {
	keys, sensors := keysOf(rs, block)
	rank := make([]int32, len(sensors))
	for i := range rank {
		rank[i] = int32(i)
	}
	slices.SortFunc(rank, func(a, b int32) int { return strings.Compare(sensors[a], sensors[b]) })
	place := make([]int32, len(sensors))
	for i, s := range rank {
		place[s] = int32(i)
	}
	for i := range keys {
		keys[i].place = place[keys[i].sensor]
	}
	slices.SortFunc(keys, func(a, b offerKey) int {
		switch {
		case a.block != b.block:
			return cmp.Compare(a.block, b.block)
		case a.place != b.place:
			return cmp.Compare(a.place, b.place)
		case a.at != b.at:
			return cmp.Compare(a.at, b.at)
		}
		return cmp.Compare(a.order, b.order)
	})
	out := make([]Offer, 0, len(rs))
	for i, k := range keys {
		if i > 0 && keys[i-1].at == k.at && keys[i-1].sensor == k.sensor {
			continue
		}
		r := &rs[k.order]
		out = append(out, Offer{Order: int(k.order), Sensor: sensors[k.sensor], At: k.at, Road: Text(r.Road), Edge: Text(r.Edge), R: r})
	}
	return out
}

// offerKey is what one offer is sorted by.
type offerKey struct {
	block, at            int64
	sensor, place, order int32
}

// keysOf numbers the sensors in the order in which they occur.
func keysOf(rs []traffic.Reading, block func(at int64) int64) (keys []offerKey, sensors []string) {
	keys = make([]offerKey, len(rs))
	numbers := map[traffic.SensorID]int32{}
	names := map[string]int32{} // two odd names may be kept as the same one
	var n int32
	for i := range rs {
		r := &rs[i]
		if i == 0 || r.Sensor != rs[i-1].Sensor {
			known := false
			if n, known = numbers[r.Sensor]; !known {
				name := Text(r.Sensor)
				if n, known = names[name]; !known {
					n = int32(len(sensors))
					sensors, names[name] = append(sensors, name), n
				}
				numbers[r.Sensor] = n
			}
		}
		at := Micros(r.At)
		keys[i] = offerKey{block: block(at), at: at, sensor: n, order: int32(i)}
	}
	return keys, sensors
}

// State is the reading as a road's newest state: what would be read back.
func (o *Offer) State() traffic.RoadState {
	r := *o.R
	r.At, r.Sensor, r.Road, r.Edge, r.Place = Time(o.At), traffic.SensorID(o.Sensor), traffic.RoadID(o.Road), traffic.EdgeID(o.Edge), nil
	return traffic.RoadState{Reading: r}
}

// ComparePredictions orders by time, road, horizon and model: the key.
func ComparePredictions(a, b *traffic.Prediction) int {
	return cmp.Or(cmp.Compare(a.At.UnixMicro(), b.At.UnixMicro()), strings.Compare(string(a.Road), string(b.Road)),
		cmp.Compare(a.HorizonMin, b.HorizonMin), strings.Compare(a.Model, b.Model))
}

// Predictions cleans and sorts predictions by their key and keeps the last of
// those with the same one. It refuses numbers that are not finite.
func Predictions(ps []traffic.Prediction) ([]traffic.Prediction, error) {
	out := make([]traffic.Prediction, len(ps))
	for i := range ps {
		p := ps[i]
		p.Road, p.Model = traffic.RoadID(Text(p.Road)), Text(p.Model)
		if !Finite(p.Score, p.Confidence) {
			return nil, fmt.Errorf("prediction for road %q at %s: congestion_score %v, confidence %v: want finite numbers",
				p.Road, p.At.UTC(), p.Score, p.Confidence)
		}
		out[i] = p
	}
	order := func(a, b traffic.Prediction) int { return ComparePredictions(&a, &b) }
	if !slices.IsSortedFunc(out, order) {
		slices.SortStableFunc(out, order)
	}
	return lastOfEach(out, func(a, b *traffic.Prediction) bool { return ComparePredictions(a, b) == 0 }), nil
}

// Reroutes cleans and sorts advice by its key and keeps the last piece of those
// with the same one. It refuses numbers that are not finite.
func Reroutes(rs []traffic.Reroute) ([]traffic.Reroute, error) {
	out := make([]traffic.Reroute, len(rs))
	for i, r := range rs {
		r.Route, r.Alt, r.Reason = traffic.RoadID(Text(r.Route)), traffic.RoadID(Text(r.Alt)), Text(r.Reason)
		r.Status = traffic.RerouteStatus(Text(r.Status))
		if !Finite(r.CO2GainKg, r.ETAGainMin, r.Share) {
			return nil, fmt.Errorf("reroute from %q to %q: estimated_co2_gain %v, eta_gain_min %v, share %v: want finite numbers",
				r.Route, r.Alt, r.CO2GainKg, r.ETAGainMin, r.Share)
		}
		out[i] = r
	}
	order := func(a, b *traffic.Reroute) int {
		return cmp.Or(cmp.Compare(a.At.UnixMicro(), b.At.UnixMicro()),
			strings.Compare(string(a.Route), string(b.Route)), strings.Compare(string(a.Alt), string(b.Alt)))
	}
	slices.SortStableFunc(out, func(a, b traffic.Reroute) int { return order(&a, &b) })
	return lastOfEach(out, func(a, b *traffic.Reroute) bool { return order(a, b) == 0 }), nil
}

// Gaps cleans and sorts gaps by their name and keeps the longest of those with the
// same one.
func Gaps(gs []traffic.Gap) []traffic.Gap {
	out := slices.Clone(gs)
	for i := range out {
		out[i].Edge, out[i].Cause = traffic.EdgeID(Text(out[i].Edge)), traffic.GapCause(Text(out[i].Cause))
	}
	name := func(a, b *traffic.Gap) int {
		return cmp.Or(strings.Compare(string(a.Edge), string(b.Edge)), cmp.Compare(a.Epoch, b.Epoch),
			cmp.Compare(a.FirstSeq, b.FirstSeq), strings.Compare(string(a.Cause), string(b.Cause)))
	}
	slices.SortStableFunc(out, func(a, b traffic.Gap) int { return cmp.Or(name(&a, &b), cmp.Compare(a.LastSeq, b.LastSeq)) })
	return lastOfEach(out, func(a, b *traffic.Gap) bool { return name(a, b) == 0 })
}

// lastOfEach keeps the last of each run of equal items, in place.
func lastOfEach[T any](items []T, equal func(a, b *T) bool) []T {
	kept := items[:0]
	for i := range items {
		if i+1 < len(items) && equal(&items[i], &items[i+1]) {
			continue
		}
		kept = append(kept, items[i])
	}
	return kept
}

// Digest names a rejected message by its content, so that one that an edge sends
// again is kept once.
func Digest(r *traffic.Rejected) []byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(Micros(r.At))))
	for _, field := range []string{string(r.Edge), r.Origin, string(r.Payload), string(r.Reason), r.Detail} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		h.Write([]byte(field))
	}
	return h.Sum(nil)[:16]
}
