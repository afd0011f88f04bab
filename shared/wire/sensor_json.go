package wire

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// sensorJSON is one reading as sensors write it. The JSON library is the one that
// becomes the standard library's encoding/json/v2: it refuses what RFC 8259 refuses,
// invalid UTF-8 and repeated names too, and is three times as fast as encoding/json
// (docs/formats/wire.md has the figures and the others that were tried).
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

// text is a string, or empty where it is absent or null.
type text string

// UnmarshalJSONFrom takes a string or null and nothing else.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	tok, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case 'n':
		*t = ""
	case '"':
		*t = text(tok.String())
	default:
		return wrongKind(d, tok, "a string or null")
	}
	return nil
}

// quantity is a number that may be absent or null.
type quantity traffic.Value

// UnmarshalJSONFrom takes a number or null and nothing else: a number in quotes is
// a sender that needs to be put right.
func (q *quantity) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	tok, err := d.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case 'n':
		*q = quantity{}
	case '0':
		f, err := tok.Float()
		if err != nil {
			return wrongKind(d, tok, "a number of double precision")
		}
		*q = quantity(traffic.Some(f + 0)) // + 0 makes a 0 of -0
	default:
		return wrongKind(d, tok, "a number or null")
	}
	return nil
}

// MarshalJSONTo writes the shortest number that reads back as the same, or null.
func (q quantity) MarshalJSONTo(e *jsontext.Encoder) error {
	v, ok := traffic.Value(q).Get()
	if !ok {
		return e.WriteToken(jsontext.Null)
	}
	return json.MarshalEncode(e, v)
}

// wrongKind says which field holds what it must not.
func wrongKind(d *jsontext.Decoder, tok jsontext.Token, want string) error {
	field := d.StackPointer().LastToken()
	return &traffic.InvalidError{Reason: traffic.ReasonParse, Field: field, Value: shown(tok), Allowed: want}
}

// maxShown bounds what an error message quotes of a payload.
const maxShown = 64

// shown is a token for people: what it is and, where it is short, what it says.
func shown(tok jsontext.Token) string {
	switch tok.Kind() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return fmt.Sprintf("the string %.*q", maxShown, tok.String())
	}
	return fmt.Sprintf("%.*s", maxShown, tok.String())
}
