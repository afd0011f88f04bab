package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/2zrhun/city-flow/shared/traffic"
)

var testNow = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// The example of the protocol page, byte for byte.
const protocolExample = `{"ts":"2026-03-02T08:05:00Z","sensor_id":"PARIS-4521","road_id":"PARIS-4521","speed_kmh":31.5,
 "flow_rate":840,"occupancy":0.17,"label":"Bd Voltaire","lat":48.858,"lng":2.379}`

func TestDecodeSensorExample(t *testing.T) {
	got := DecodeSensor("cityflow/traffic/PARIS-4521", []byte(protocolExample), testNow)
	if len(got.Rejected) > 0 || len(got.Readings) != 1 {
		t.Fatalf("got %+v", got)
	}
	want := traffic.Reading{
		At: time.Date(2026, 3, 2, 8, 5, 0, 0, time.UTC), Sensor: "PARIS-4521", Road: "PARIS-4521",
		Speed: traffic.Some(31.5), Flow: traffic.Some(840), Occupancy: traffic.Some(0.17),
		Place: &traffic.Place{Label: "Bd Voltaire", Lat: traffic.Some(48.858), Lng: traffic.Some(2.379)},
	}
	if d := differ2(got.Readings[0], want); d != "" {
		t.Error(d)
	}
}

func TestDecodeSensorTakes(t *testing.T) {
	base := traffic.Reading{At: testNow, Sensor: "a", Road: "a", Speed: traffic.Some(3), Quality: traffic.QualityReceiveTime}
	with := func(change func(*traffic.Reading)) traffic.Reading {
		r := base
		change(&r)
		return r
	}
	at := func(at time.Time) traffic.Reading {
		return with(func(r *traffic.Reading) { r.At, r.Quality = at, 0 })
	}
	for name, c := range map[string]struct {
		in   string
		want traffic.Reading
	}{
		"no time":          {`{"sensor_id":"a","speed_kmh":3}`, base},
		"null time":        {`{"ts":null,"sensor_id":"a","speed_kmh":3}`, base},
		"null quantities":  {`{"sensor_id":"a","speed_kmh":3,"flow_rate":null,"occupancy":null,"label":null,"lat":null,"lng":null,"road_id":null}`, base},
		"unknown fields":   {`{"sensor_id":"a","speed_kmh":3,"v":[1,{"speed_kmh":9}],"":0,"SPEED_KMH":7}`, base},
		"escaped":          {`{"sensor_\u0069d":"\u0061","speed_kmh":3}`, base},
		"exponent":         {`{"sensor_id":"a","speed_kmh":30e-1}`, base},
		"space around":     {" \r\n\t{\"sensor_id\":\"a\",\"speed_kmh\":3}\n", base},
		"array of one":     {`[{"sensor_id":"a","speed_kmh":3}]`, base},
		"offset":           {`{"ts":"2026-03-02T10:05:00+02:00","sensor_id":"a","speed_kmh":3}`, at(time.Date(2026, 3, 2, 8, 5, 0, 0, time.UTC))},
		"finer than µs":    {`{"ts":"2026-03-02T08:05:00.123456999Z","sensor_id":"a","speed_kmh":3}`, at(time.Date(2026, 3, 2, 8, 5, 0, 123456000, time.UTC))},
		"minus zero":       {`{"sensor_id":"a","speed_kmh":-0}`, with(func(r *traffic.Reading) { r.Speed = traffic.Some(0) })},
		"another road":     {`{"sensor_id":"a","road_id":"r","speed_kmh":3}`, with(func(r *traffic.Reading) { r.Road = "r" })},
		"flow only":        {`{"sensor_id":"a","flow_rate":12.5}`, with(func(r *traffic.Reading) { r.Speed, r.Flow = traffic.Value{}, traffic.Some(12.5) })},
		"label only":       {`{"sensor_id":"a","speed_kmh":3,"label":"Quai d'Orsay é"}`, with(func(r *traffic.Reading) { r.Place = &traffic.Place{Label: "Quai d'Orsay é"} })},
		"just not too far": {`{"ts":"2026-03-02T09:10:00Z","sensor_id":"a","speed_kmh":3}`, at(testNow.Add(traffic.MaxFuture))},
	} {
		t.Run(name, func(t *testing.T) {
			got := DecodeSensor("t", []byte(c.in), testNow)
			if len(got.Rejected) > 0 || len(got.Readings) != 1 {
				t.Fatalf("got %d readings, rejected %+v", len(got.Readings), got.Rejected)
			}
			if d := differ2(got.Readings[0], c.want); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecodeSensorRejects(t *testing.T) {
	for name, c := range map[string]struct {
		in     string
		reason traffic.Reason
		detail string
	}{
		"nothing":            {``, traffic.ReasonParse, "EOF"},
		"no JSON":            {`speed=3`, traffic.ReasonParse, "not JSON"},
		"cut off":            {`{"sensor_id":"a","speed_kmh":3`, traffic.ReasonParse, "EOF"},
		"number":             {`5`, traffic.ReasonParse, "want an object"},
		"null":               {`null`, traffic.ReasonParse, "want an object"},
		"two objects":        {`{"sensor_id":"a","speed_kmh":3}{}`, traffic.ReasonParse, "more than one"},
		"array in array":     {`[[{"sensor_id":"a","speed_kmh":3}]]`, traffic.ReasonParse, "want an object"},
		"NaN":                {`{"sensor_id":"a","speed_kmh":NaN}`, traffic.ReasonParse, "'N'"},
		"Infinity":           {`{"sensor_id":"a","speed_kmh":-Infinity}`, traffic.ReasonParse, "not JSON"},
		"number in quotes":   {`{"sensor_id":"a","speed_kmh":"31.5"}`, traffic.ReasonParse, `speed_kmh: "31.5" is not allowed: want a number or null`},
		"leading plus":       {`{"sensor_id":"a","speed_kmh":+3}`, traffic.ReasonParse, "not JSON"},
		"hex":                {`{"sensor_id":"a","speed_kmh":0x10}`, traffic.ReasonParse, "not JSON"},
		"decimal comma":      {`{"sensor_id":"a","speed_kmh":3,5}`, traffic.ReasonParse, "not JSON"},
		"huge number":        {`{"sensor_id":"a","speed_kmh":1e999}`, traffic.ReasonParse, "speed_kmh: 1e999"},
		"bool":               {`{"sensor_id":"a","occupancy":true}`, traffic.ReasonParse, "occupancy: true"},
		"number for a name":  {`{"sensor_id":4264,"speed_kmh":3}`, traffic.ReasonParse, "sensor_id: 4264"},
		"same name twice":    {`{"sensor_id":"a","sensor_id":"b","speed_kmh":3}`, traffic.ReasonParse, "duplicate"},
		"not UTF-8":          {"{\"sensor_id\":\"a\",\"speed_kmh\":3,\"label\":\"\xe9\"}", traffic.ReasonParse, "UTF-8"},
		"no sensor":          {`{"speed_kmh":3}`, traffic.ReasonID, "sensor_id"},
		"control in name":    {`{"sensor_id":"a\u0000","speed_kmh":3}`, traffic.ReasonID, "sensor_id"},
		"control in label":   {`{"sensor_id":"a","speed_kmh":3,"label":"x\u0000"}`, traffic.ReasonRange, "label"},
		"time as number":     {`{"ts":1772438700,"sensor_id":"a","speed_kmh":3}`, traffic.ReasonParse, "ts: 1772438700"},
		"time without zone":  {`{"ts":"2026-03-02T08:05:00","sensor_id":"a","speed_kmh":3}`, traffic.ReasonTime, "RFC 3339"},
		"no such day":        {`{"ts":"2026-02-30T08:05:00Z","sensor_id":"a","speed_kmh":3}`, traffic.ReasonTime, "2026-02-30"},
		"clock never set":    {`{"ts":"1970-01-01T00:00:07Z","sensor_id":"a","speed_kmh":3}`, traffic.ReasonTime, "1970"},
		"future":             {`{"ts":"2026-03-02T09:10:01Z","sensor_id":"a","speed_kmh":3}`, traffic.ReasonFuture, "10m0s"},
		"negative":           {`{"sensor_id":"a","speed_kmh":-0.1}`, traffic.ReasonRange, "speed_kmh: -0.1"},
		"percent":            {`{"sensor_id":"a","occupancy":17}`, traffic.ReasonRange, "occupancy: 17"},
		"no quantity":        {`{"sensor_id":"a"}`, traffic.ReasonEmpty, "all absent"},
		"half a position":    {`{"sensor_id":"a","speed_kmh":3,"lat":48}`, traffic.ReasonRange, "lat, lng"},
		"deep":               {`{"sensor_id":"a","speed_kmh":3,"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, traffic.ReasonParse, "depth"},
		"message too large":  {`{"sensor_id":"a","speed_kmh":3,"x":"` + strings.Repeat("x", MaxSensorBytes) + `"}`, traffic.ReasonSize, "want at most"},
		"something after":    {`[{"speed_kmh":3}] x`, traffic.ReasonID, "sensor_id"},
		"array without end":  {`[`, traffic.ReasonParse, "cut off"},
		"brace for bracket":  {`[}`, traffic.ReasonParse, "cut off"},
		"trailing comma":     {`[,]`, traffic.ReasonParse, "not JSON"},
		"string never ended": {`[{"sensor_id":"a\"}]`, traffic.ReasonParse, "cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			got := DecodeSensor("some/topic", []byte(c.in), testNow)
			if len(got.Readings) != 0 || len(got.Rejected) == 0 {
				t.Fatalf("got %+v", got)
			}
			r := got.Rejected[0]
			if r.Reason != c.reason || !strings.Contains(r.Detail, c.detail) {
				t.Errorf("got %s: %s; want %s: …%s…", r.Reason, r.Detail, c.reason, c.detail)
			}
			if r.Origin != "some/topic" || !r.At.Equal(testNow) || len(r.Payload) > traffic.MaxRejectedPayload {
				t.Errorf("record %+v", r)
			}
			if !bytes.Contains([]byte(c.in), r.Payload) {
				t.Errorf("payload %q is not from the message", r.Payload)
			}
		})
	}
}

// TestDecodeSensorKeepsNeighbours puts a bad element between good ones.
func TestDecodeSensorKeepsNeighbours(t *testing.T) {
	good := `{"sensor_id":"good","speed_kmh":3,"label":"a ] } , \" \\"}`
	for _, bad := range []string{
		`{"sensor_id":"bad","speed_kmh":NaN}`, `{"sensor_id":"bad","speed_kmh":"3"}`, `nonsense`, ``, `7`, `"text"`,
		`{"sensor_id":"bad","speed_kmh":-1}`, `{"sensor_id":"bad",}`, `[1,2,[3]]`, `{"a":"\"]"}`, `{"a":"\\"}`, `tru e`,
	} {
		in := fmt.Sprintf("[%s, %s ,%s]", good, bad, good)
		got := DecodeSensor("t", []byte(in), testNow)
		if len(got.Readings) != 2 || len(got.Rejected) != 1 {
			t.Errorf("%s: %d readings, %d rejected", bad, len(got.Readings), len(got.Rejected))
			continue
		}
		if string(got.Rejected[0].Payload) != bad {
			t.Errorf("rejected %q, want %q", got.Rejected[0].Payload, bad)
		}
	}
	if got := DecodeSensor("t", []byte(`[`+good+`,{"sensor_id":"b`), testNow); len(got.Readings) != 1 || len(got.Rejected) != 1 {
		t.Errorf("cut off: %+v", got)
	}
	if got := DecodeSensor("t", []byte(`[`+good+`],`), testNow); len(got.Readings) != 1 || len(got.Rejected) != 1 {
		t.Errorf("something after: %+v", got)
	}
	if got := DecodeSensor("t", []byte(` [ ] `), testNow); len(got.Readings) != 0 || len(got.Rejected) != 0 {
		t.Errorf("empty array: %+v", got)
	}
}

func TestDecodeSensorBoundsArrays(t *testing.T) {
	in := "[" + strings.Repeat("0,", 50000) + "0]"
	got := DecodeSensor(strings.Repeat("t", 60000), []byte(in), testNow)
	if len(got.Rejected) != MaxSensorReadings+1 {
		t.Fatalf("%d rejected", len(got.Rejected))
	}
	if last := got.Rejected[MaxSensorReadings]; last.Reason != traffic.ReasonSize || len(last.Origin) > traffic.MaxRejectedPayload {
		t.Errorf("last rejection: %+v", last)
	}
}

// TestDecodeSensorCopies checks that nothing in the result points into the payload,
// which brokers use again.
func TestDecodeSensorCopies(t *testing.T) {
	in := []byte(`[` + protocolExample + `,{"sensor_id":"x"}]`)
	got := DecodeSensor("t", in, testNow)
	before := fmt.Sprintf("%+v %+v", got, *got.Readings[0].Place)
	for i := range in {
		in[i] = 'X'
	}
	if after := fmt.Sprintf("%+v %+v", got, *got.Readings[0].Place); after != before {
		t.Errorf("changed from\n%s to\n%s", before, after)
	}
}

func TestSensorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := rapid.SliceOfN(genReading(), 1, 20).Draw(t, "readings")
		for i := range rs {
			rs[i].Score, rs[i].Edge = traffic.Value{}, ""
			rs[i].Quality &= traffic.QualityReceiveTime
			if rs[i].Quality != 0 {
				rs[i].At = testNow
			}
			if !rs[i].Speed.Known() && !rs[i].Flow.Known() && !rs[i].Occupancy.Known() {
				rs[i].Flow = traffic.Some(1)
			}
			if p := rs[i].Place; p != nil && *p == (traffic.Place{}) {
				rs[i].Place = nil
			}
		}
		p, err := EncodeSensor(rs)
		if err != nil {
			t.Fatal(err)
		}
		got := DecodeSensor("t", p, testNow)
		if len(got.Rejected) > 0 || len(got.Readings) != len(rs) {
			t.Fatalf("%s\n%+v", p, got.Rejected)
		}
		for i := range rs {
			if d := differ2(got.Readings[i], rs[i]); d != "" {
				t.Fatal(d)
			}
		}
	})
}

func TestEncodeSensorErrors(t *testing.T) {
	if p, err := EncodeSensor(nil); err == nil {
		t.Errorf("no readings: got %s", p)
	}
}

// FuzzDecodeSensor: whatever arrives, every reading that is taken is valid and can be
// sent on, and everything else is on record.
func FuzzDecodeSensor(f *testing.F) {
	f.Add([]byte(protocolExample))
	f.Add([]byte(`[` + protocolExample + `,{"sensor_id":"a","speed_kmh":NaN},5,"x]",[],{"a":"\\\""}]`))
	f.Add([]byte(`[{"sensor_id":"a","flow_rate":1e3,"ts":"2026-03-02T08:05:00.5+02:00"},`))
	f.Fuzz(func(t *testing.T, p []byte) {
		got := DecodeSensor("fuzz", p, testNow)
		for i := range got.Readings {
			if err := got.Readings[i].Validate(testNow); err != nil {
				t.Errorf("taken but invalid: %v", err)
			}
		}
		for _, r := range got.Rejected {
			if r.Reason == "" || r.Detail == "" {
				t.Errorf("rejection without a reason: %+v", r)
			}
		}
		if len(got.Readings) > 0 && len(got.Rejected) == 0 && !json.Valid(p) {
			t.Errorf("taken whole but not JSON")
		}
		if _, err := EncodeBatch(&Batch{Readings: got.Readings, Rejected: got.Rejected[:min(len(got.Rejected), MaxBatchRejected)]}); err != nil {
			t.Errorf("taken but cannot be sent: %v", err)
		}
	})
}
