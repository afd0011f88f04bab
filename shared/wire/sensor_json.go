package wire

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// sensorJSON is one reading as sensors write it. The JSON library is the one that
// becomes the standard library's encoding/json/v2: it refuses what RFC 8259 refuses,
// invalid UTF-8 and repeated names too (docs/formats/wire.md has the figures of the
// others that were tried).
type sensorJSON struct {
	Time      text     `json:"ts,omitzero"`
	Sensor    text     `json:"sensor_id"`
	Road      text     `json:"road_id,omitzero"`
	Speed     quantity `json:"speed_kmh,omitzero"`
	Flow      quantity `json:"flow_rate,omitzero"`
	Occupancy quantity `json:"occupancy,omitzero"`
	Label     text     `json:"label,omitzero"`
	Lat       quantity `json:"lat,omitzero"`
	Lng       quantity `json:"lng,omitzero"`
}

// text is a string, empty where it is absent or null.
type text string

// quantity is a number that may be absent or null.
type quantity traffic.Value

// MarshalJSONTo writes the shortest number that reads back as the same, or null.
func (q quantity) MarshalJSONTo(e *jsontext.Encoder) error {
	v, ok := traffic.Value(q).Get()
	if !ok {
		return e.WriteToken(jsontext.Null)
	}
	return json.MarshalEncode(e, v)
}

// An objectReader reads sensorJSON token by token, which takes half the time of the
// library's reflection and lets an error name what the sensor wrote.
type objectReader struct {
	buf bytes.Buffer
	dec jsontext.Decoder
}

// objectReaders keeps readers for the next message: making one costs ten times as much
// as reading an object with it.
var objectReaders = sync.Pool{New: func() any { return new(objectReader) }}

// forget lets go of the payload.
func (o *objectReader) forget() {
	o.buf = bytes.Buffer{}
	o.dec.Reset(&o.buf)
}

// read fills in what raw says. raw must be one object and nothing else.
func (o *objectReader) read(raw []byte, in *sensorJSON) error {
	o.buf = *bytes.NewBuffer(raw)
	o.dec.Reset(&o.buf)
	if k := o.dec.PeekKind(); k != '{' && k > 0 {
		return &traffic.InvalidError{Reason: traffic.ReasonParse, Field: "payload", Value: shown(raw), Allowed: "an object or an array of them"}
	}
	if _, err := o.dec.ReadToken(); err != nil {
		return err
	}
	for o.dec.PeekKind() == '"' {
		name, err := o.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := o.field(fieldOf(name), in); err != nil {
			return err
		}
	}
	if _, err := o.dec.ReadToken(); err != nil {
		return err
	}
	if _, err := o.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return &traffic.InvalidError{Reason: traffic.ReasonParse, Field: "payload", Value: "more than one object", Allowed: "an object or an array of them"}
	}
	return nil
}

// field reads the value of one field into its place.
func (o *objectReader) field(name string, in *sensorJSON) error {
	raw, err := o.dec.ReadValue()
	if err != nil {
		return err
	}
	switch name {
	case "ts":
		return in.Time.set(name, raw)
	case "sensor_id":
		return in.Sensor.set(name, raw)
	case "road_id":
		return in.Road.set(name, raw)
	case "speed_kmh":
		return in.Speed.set(name, raw)
	case "flow_rate":
		return in.Flow.set(name, raw)
	case "occupancy":
		return in.Occupancy.set(name, raw)
	case "label":
		return in.Label.set(name, raw)
	case "lat":
		return in.Lat.set(name, raw)
	case "lng":
		return in.Lng.set(name, raw)
	}
	return nil
}

// fieldOf is the constant for a known name, so that it costs no memory; empty for others.
func fieldOf(quoted jsontext.Value) string {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		// The decoder has checked the escapes.
		name, _ = jsontext.AppendUnquote(nil, quoted)
	}
	switch string(name) {
	case "ts":
		return "ts"
	case "sensor_id":
		return "sensor_id"
	case "road_id":
		return "road_id"
	case "speed_kmh":
		return "speed_kmh"
	case "flow_rate":
		return "flow_rate"
	case "occupancy":
		return "occupancy"
	case "label":
		return "label"
	case "lat":
		return "lat"
	case "lng":
		return "lng"
	}
	return ""
}

// set takes a string or null and nothing else.
func (t *text) set(field string, raw jsontext.Value) error {
	if raw.Kind() == 'n' {
		return nil
	}
	if raw.Kind() != '"' {
		return &traffic.InvalidError{Reason: traffic.ReasonParse, Field: field, Value: shown(raw), Allowed: "a string or null"}
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		*t = text(raw[1 : len(raw)-1])
		return nil
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	*t = text(s)
	return err
}

// set takes a number or null and nothing else: a number in quotes is a sender that
// needs to be put right.
func (q *quantity) set(field string, raw jsontext.Value) error {
	if raw.Kind() == 'n' {
		return nil
	}
	if raw.Kind() != '0' {
		return &traffic.InvalidError{Reason: traffic.ReasonParse, Field: field, Value: shown(raw), Allowed: "a number or null"}
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return &traffic.InvalidError{Reason: traffic.ReasonParse, Field: field, Value: shown(raw), Allowed: "a number of double precision"}
	}
	*q = quantity(traffic.Some(f + 0)) // + 0 makes a 0 of -0
	return nil
}

// maxShown bounds what an error message quotes of a payload.
const maxShown = 64

// shown is the head of a value for people.
func shown(raw []byte) string {
	if len(raw) <= maxShown {
		return strings.ToValidUTF8(string(raw), "?")
	}
	return strings.ToValidUTF8(string(raw[:maxShown]), "") + "…"
}
