package wire

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// The bounds of one sensor message.
const (
	// MaxSensorBytes is the largest payload that is taken.
	MaxSensorBytes = 1 << 20
	// MaxSensorReadings is the longest array that is taken.
	MaxSensorReadings = 10000
)

// A SensorResult is what came out of one message: the readings that may be taken and
// the records of those that may not.
type SensorResult struct {
	Readings []traffic.Reading
	Rejected []traffic.Rejected
}

// DecodeSensor reads the payload of a sensor, one JSON object or an array of them,
// that arrived on topic when the receiver's clock said now.
//
// Every reading in the result is valid. Each element of an array is judged alone: one
// that is broken, even as JSON, is rejected and its neighbours are kept, as long as
// its end can be found. Nothing is repaired. A reading without a time gets now and
// QualityReceiveTime; one without a road gets the sensor's name; null is absent;
// fields that are not in the protocol are ignored. The result never shares memory
// with payload.
func DecodeSensor(topic string, payload []byte, now time.Time) SensorResult {
	var out SensorResult
	AppendSensor(&out, topic, payload, now)
	return out
}

// AppendSensor is DecodeSensor for one of several messages: it appends to out.
func AppendSensor(out *SensorResult, topic string, payload []byte, now time.Time) {
	object := objectReaders.Get().(*objectReader)
	d := sensorDecoder{topic: topic, now: now.UTC().Truncate(traffic.Resolution), object: object, out: out}
	d.message(payload)
	object.forget()
	objectReaders.Put(object)
}

// sensorDecoder collects the result of one message.
type sensorDecoder struct {
	topic  string
	now    time.Time
	object *objectReader
	out    *SensorResult
}

func (d *sensorDecoder) message(payload []byte) {
	if len(payload) > MaxSensorBytes {
		d.reject(payload, traffic.ReasonSize, fmt.Sprintf("payload has %d bytes: want at most %d", len(payload), MaxSensorBytes))
		return
	}
	payload = trimSpace(payload)
	if len(payload) == 0 || payload[0] != '[' {
		d.element(payload)
		return
	}
	d.array(payload)
}

// array judges each element; it reads the brackets itself, so that one element that
// isn't JSON, such as a bare NaN, leaves the others readable.
func (d *sensorDecoder) array(payload []byte) {
	s := splitter{rest: payload[1:]}
	d.out.Readings = slices.Grow(d.out.Readings, min(MaxSensorReadings, 1+len(payload)/typicalBytes))
	for n := 0; ; n++ {
		element, ok := s.next()
		if !ok {
			break
		}
		if n == MaxSensorReadings {
			d.reject(element, traffic.ReasonSize, fmt.Sprintf("array has more than %d readings; the rest was not read", MaxSensorReadings))
			return
		}
		d.element(element)
	}
	if s.err != "" {
		d.reject(s.rest, traffic.ReasonParse, s.err)
	}
}

// typicalBytes is a little less than a reading usually takes.
const typicalBytes = 150

// element judges one object.
func (d *sensorDecoder) element(raw []byte) {
	var in sensorJSON
	if err := d.object.read(raw, &in); err != nil {
		d.reject(raw, traffic.ReasonParse, parseDetail(err))
		return
	}
	r, err := in.reading(d.now)
	if err == nil {
		err = r.Validate(d.now)
	}
	if err != nil {
		d.reject(raw, reasonOf(err), err.Error())
		return
	}
	d.out.Readings = append(d.out.Readings, r)
}

func (d *sensorDecoder) reject(raw []byte, reason traffic.Reason, detail string) {
	d.out.Rejected = append(d.out.Rejected, traffic.Rejected{
		At:      d.now,
		Origin:  clip(d.topic, traffic.MaxRejectedPayload),
		Payload: bytes.Clone(raw[:min(len(raw), traffic.MaxRejectedPayload)]),
		Reason:  reason,
		Detail:  detail,
	})
}

// reading converts what the sensor wrote; ranges are left to Validate.
func (in *sensorJSON) reading(now time.Time) (traffic.Reading, error) {
	r := traffic.Reading{
		At:        now,
		Sensor:    traffic.SensorID(in.Sensor),
		Road:      traffic.RoadID(cmp.Or(in.Road, in.Sensor)),
		Speed:     traffic.Value(in.Speed),
		Flow:      traffic.Value(in.Flow),
		Occupancy: traffic.Value(in.Occupancy),
	}
	if in.Time == "" {
		r.Quality |= traffic.QualityReceiveTime
	} else {
		at, err := time.Parse(time.RFC3339, string(in.Time))
		if err != nil {
			return r, &traffic.InvalidError{Reason: traffic.ReasonTime, Field: "ts", Value: strconv.Quote(shown([]byte(in.Time))), Allowed: "an RFC 3339 time such as 2026-03-02T08:05:00Z"}
		}
		r.At = at.UTC().Truncate(traffic.Resolution)
	}
	p := traffic.Place{Label: string(in.Label), Lat: traffic.Value(in.Lat), Lng: traffic.Value(in.Lng)}
	if p != (traffic.Place{}) {
		r.Place = &p
	}
	return r, nil
}

// reasonOf classifies what is wrong with a reading.
func reasonOf(err error) traffic.Reason {
	var invalid *traffic.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Reason
	}
	return traffic.ReasonParse
}

// clip shortens s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}

// parseDetail is the part of a decoding error that a sensor's owner understands.
func parseDetail(err error) string {
	var invalid *traffic.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Error()
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("not JSON: %v at byte %d", syntax.Err, syntax.ByteOffset)
	}
	return fmt.Sprintf("not JSON: %v", err)
}

func trimSpace(p []byte) []byte { return bytes.Trim(p, " \t\r\n") }
