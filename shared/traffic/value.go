package traffic

import (
	"encoding/json"
	"math"
	"strconv"
)

// A Value is a measured quantity that may be absent. The zero Value is absent,
// so a forgotten field never reads as "0 km/h".
type Value struct {
	v  float64
	ok bool
}

// Some returns a present Value. A NaN becomes an absent one, because no stage
// behind the validation may see it.
func Some(v float64) Value {
	if math.IsNaN(v) {
		return Value{}
	}
	return Value{v: v, ok: true}
}

// Get returns the quantity and whether it was measured.
func (v Value) Get() (float64, bool) { return v.v, v.ok }

// Known reports whether the quantity was measured.
func (v Value) Known() bool { return v.ok }

// Or returns the quantity, or def where it was not measured.
func (v Value) Or(def float64) float64 {
	if v.ok {
		return v.v
	}
	return def
}

// MarshalJSON writes the number, or null where it is absent or infinite.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.ok || math.IsInf(v.v, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, v.v, 'f', -1, 64), nil
}

// UnmarshalJSON reads a number or null.
func (v *Value) UnmarshalJSON(b []byte) error {
	var p *float64
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*v = Value{}
	if p != nil {
		*v = Some(*p)
	}
	return nil
}

// String writes the number, or "-" where it is absent.
func (v Value) String() string {
	if !v.ok {
		return "-"
	}
	return strconv.FormatFloat(v.v, 'f', -1, 64)
}
