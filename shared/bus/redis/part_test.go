package redis

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/bus"
	"github.com/2zrhun/city-flow/shared/bus/bustest"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func genValue() *rapid.Generator[traffic.Value] {
	return rapid.Custom(func(t *rapid.T) traffic.Value {
		if rapid.Bool().Draw(t, "absent") {
			return traffic.Value{}
		}
		return traffic.Some(rapid.Float64Range(-1e6, 1e6).Draw(t, "value"))
	})
}

func genState() *rapid.Generator[traffic.RoadState] {
	return rapid.Custom(func(t *rapid.T) traffic.RoadState {
		s := traffic.RoadState{SpeedEstimated: rapid.Bool().Draw(t, "estimated"), Reading: traffic.Reading{
			At:     time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "at")).UTC(),
			Sensor: traffic.SensorID(rapid.String().Draw(t, "sensor")), Road: traffic.RoadID(rapid.String().Draw(t, "road")),
			Speed: genValue().Draw(t, "speed"), Flow: genValue().Draw(t, "flow"), Occupancy: genValue().Draw(t, "occ"),
			Score: genValue().Draw(t, "score"), Quality: traffic.Quality(rapid.Uint32().Draw(t, "quality")),
			Edge: traffic.EdgeID(rapid.String().Draw(t, "edge")),
		}}
		if rapid.Bool().Draw(t, "placed") {
			s.Place = &traffic.Place{Label: rapid.StringN(1, 20, -1).Draw(t, "label"), Lat: genValue().Draw(t, "lat"), Lng: genValue().Draw(t, "lng")}
		}
		return s
	})
}

func encode(t *rapid.T, seq uint64, e *bus.Event) [][]byte {
	name, items, err := encodeItems(e)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := split("p", seq, name, items)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestStatesSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := bus.Event{Topic: bus.TopicLive, Roads: rapid.SliceOfN(genState(), 1, 5).Draw(t, "roads")}
		parts := encode(t, 1, &e)
		got, err := newAssembler(bus.TopicLive).add(parts[0])
		if err != nil || got == nil {
			t.Fatalf("add: %v, %v", got, err)
		}
		if !reflect.DeepEqual(*got, e) {
			t.Fatalf("\n got %+v\nwant %+v", *got, e)
		}
	})
}

func TestNaNIsRefused(t *testing.T) {
	e := bus.Event{Topic: bus.TopicPredictions, Predictions: []traffic.Prediction{{Road: "R", Score: math.NaN()}}}
	if _, _, err := encodeItems(&e); err == nil {
		t.Error("a NaN score was encoded")
	}
}

// parcel is a part of an event on its way.
type parcel struct {
	publisher string
	event     int
	part      int
	payload   []byte
}

// parcels cuts the events of some publishers into parts, interleaved in the way
// that Redis may interleave them: each publisher's in order.
func parcels(t *rapid.T) []parcel {
	queues := make([][]parcel, rapid.IntRange(1, 3).Draw(t, "publishers"))
	for p := range queues {
		name := fmt.Sprint("p", p)
		for n := 1; n <= rapid.IntRange(1, 8).Draw(t, "events"); n++ {
			parts := rapid.IntRange(1, 3).Draw(t, "parts")
			for i := 1; i <= parts; i++ {
				payload := fmt.Sprintf(`{"publisher":%q,"seq":%d,"part":%d,"parts":%d,"roads":[{"ts":"2026-03-02T08:05:00.000000Z","road_id":"%d/%d"}]}`, name, n, i, parts, n, i)
				queues[p] = append(queues[p], parcel{name, n, i, []byte(payload)})
			}
		}
	}
	var all []parcel
	for {
		var left []int
		for p := range queues {
			if len(queues[p]) > 0 {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return all
		}
		p := rapid.SampledFrom(left).Draw(t, "next")
		all, queues[p] = append(all, queues[p][0]), queues[p][1:]
	}
}

// Whatever is lost or repeated: an event comes whole, once and in order, and the
// missed ones between two events of a publisher are counted.
func TestAssemblerCountsLosses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := parcels(t)
		parts, arrived := map[string]int{}, map[string]int{}
		a := newAssembler(bus.TopicLive)
		last, whole := map[string]int{}, map[string]bool{}
		for _, p := range all {
			parts[fmt.Sprint(p.publisher, p.event)]++
		}
		for _, p := range all {
			copies := rapid.SampledFrom([]int{0, 1, 1, 1, 1, 2}).Draw(t, "copies")
			if copies > 0 {
				arrived[fmt.Sprint(p.publisher, p.event)]++
			}
			key := fmt.Sprint(p.publisher, p.event)
			for c := range copies {
				e, err := a.add(p.payload)
				if err != nil {
					t.Fatal(err)
				}
				if e == nil {
					continue
				}
				if c > 0 && last[p.publisher] == p.event {
					t.Fatalf("event %d of %s came twice", p.event, p.publisher)
				}
				if arrived[key] != parts[key] || len(e.Roads) != parts[key] {
					t.Fatalf("event %d of %s came with %d of %d parts", p.event, p.publisher, len(e.Roads), parts[key])
				}
				if l := last[p.publisher]; l > 0 && e.Missed != uint64(p.event-l-1) {
					t.Fatalf("event %d of %s after %d has Missed %d", p.event, p.publisher, l, e.Missed)
				}
				last[p.publisher], whole[key] = p.event, true
			}
		}
		for key, n := range parts {
			if whole[key] != (arrived[key] == n) {
				t.Fatalf("event %s: %d of %d parts arrived, given on: %v", key, arrived[key], n, whole[key])
			}
		}
	})
}

func TestAssemblerRemembersFewPublishers(t *testing.T) {
	a := newAssembler(bus.TopicLive)
	for i := range 3 * maxPublishers {
		for _, p := range []string{fmt.Sprint("passing", i), "steady"} {
			if _, err := a.add(fmt.Appendf(nil, `{"publisher":%q,"seq":%d,"part":1,"parts":1}`, p, i+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(a.streams) > maxPublishers {
		t.Errorf("%d publishers are remembered, want at most %d", len(a.streams), maxPublishers)
	}
	if s := a.streams["steady"]; s == nil || s.done != 3*maxPublishers {
		t.Errorf("the publisher that speaks most is forgotten: %+v", s)
	}
}

func TestSplitBoundsParts(t *testing.T) {
	item := []byte(strings.Repeat("7", 10<<10))
	items := make([][]byte, 100)
	for i := range items {
		items[i] = item
	}
	parts, err := split("p", 1, "roads", items)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		if len(p) > partBytes+200 {
			t.Errorf("part %d has %d bytes, want at most %d", i, len(p), partBytes)
		}
	}
	if len(parts) < 4 || len(parts) > 5 {
		t.Errorf("%d parts of 100 items of 10 KiB, want 4 or 5", len(parts))
	}
	huge := make([][]byte, maxParts+1)
	for i := range huge {
		huge[i] = make([]byte, partBytes)
	}
	if _, err := split("p", 1, "roads", huge); err == nil {
		t.Error("an event of too many parts was taken")
	}
}

func FuzzAssembler(f *testing.F) {
	for _, e := range bustest.Events() {
		name, items, _ := encodeItems(&e)
		parts, _ := split("p", 1, name, items)
		f.Add(parts[0])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, topic := range bus.Topics() {
			if e, err := newAssembler(topic).add(payload); e != nil && err != nil {
				t.Errorf("an event and an error: %v", err)
			}
		}
	})
}
