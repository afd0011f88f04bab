package wire

import (
	"fmt"
	"math"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// maxExponent is the largest number of decimals that a scaled column has.
const maxExponent = 7

// maxULPs is how far beside a decimal number a value may lie: as much as a division
// and a multiplication can leave.
const maxULPs = 2

// maxScaled is the bound below which every integer is a float64.
const maxScaled = 1 << 53

// encodeColumn writes one quantity of all rows; entries says which rows belong to the
// same sensor. The result is nil when no row has a value.
//
// Measured quantities are decimal numbers with few digits. They are kept as integers
// scaled by the smallest power of ten that gives every value of the column back, each
// as the difference to the one before of the same sensor; where a sensor's arithmetic
// left a value a step beside the decimal number, the steps are kept too, so that it
// comes back bit for bit. A column in which a single value is not such a number is
// kept as it is.
func encodeColumn(entries []int, get func(i int) traffic.Value) *wirepb.Column {
	values := make([]float64, 0, len(entries))
	of := make([]int, 0, len(entries))
	present := make([]byte, (len(entries)+7)/8)
	for i, e := range entries {
		if v, ok := get(i).Get(); ok {
			values, of = append(values, v), append(of, e)
			present[i/8] |= 1 << (i % 8)
		}
	}
	if len(values) == 0 {
		return nil
	}
	c := &wirepb.Column{}
	if len(values) < len(entries) {
		c.Present = present
	}
	if !scaleInto(c, values) {
		c.Raw = values
		return c
	}
	var d differ
	for i, v := range c.Scaled {
		last := d.last(of[i])
		d.set(of[i], v)
		c.Scaled[i] = v - last
	}
	return c
}

// decodeColumn is the inverse of encodeColumn; it calls set for the rows that have a
// value.
func decodeColumn(c *wirepb.Column, entries []int, set func(i int, v traffic.Value)) error {
	if c == nil {
		return nil
	}
	n := len(c.GetScaled())
	if raw := len(c.GetRaw()); raw > 0 {
		if n > 0 {
			return fmt.Errorf("both %d scaled and %d raw values", n, raw)
		}
		n = raw
	}
	present := c.GetPresent()
	if err := checkPresent(present, n, len(entries)); err != nil {
		return err
	}
	next, err := valuesOf(c)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if len(present) > 0 && present[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		set(i, traffic.Some(next(e)))
	}
	return nil
}

// checkPresent compares the number of values with the number of rows that claim one.
func checkPresent(present []byte, values, rows int) error {
	want := rows
	if len(present) > 0 {
		if len(present) != (rows+7)/8 {
			return fmt.Errorf("presence of %d bytes for %d rows", len(present), rows)
		}
		want = 0
		for i := range rows {
			want += int(present[i/8] >> (i % 8) & 1)
		}
	}
	if values != want {
		return fmt.Errorf("%d values for %d rows", values, want)
	}
	return nil
}

// valuesOf returns a function that reads the column's values one after the other,
// given the dictionary index of each.
func valuesOf(c *wirepb.Column) (func(entry int) float64, error) {
	i := -1
	if raw := c.GetRaw(); len(raw) > 0 {
		for _, v := range raw {
			if math.IsNaN(v) {
				return nil, fmt.Errorf("a value is not a number")
			}
		}
		return func(int) float64 { i++; return raw[i] }, nil
	}
	if c.GetExponent() > maxExponent {
		return nil, fmt.Errorf("exponent %d: want at most %d", c.GetExponent(), maxExponent)
	}
	scaled, ulps, unit := c.GetScaled(), c.GetUlps(), math.Pow10(int(c.GetExponent()))
	if err := checkULPs(ulps, len(scaled)); err != nil {
		return nil, err
	}
	var d differ
	return func(entry int) float64 {
		i++
		n := d.last(entry) + scaled[i]
		d.set(entry, n)
		v := float64(n) / unit
		if len(ulps) > 0 {
			v = math.Float64frombits(math.Float64bits(v) + uint64(int64(ulps[i])))
		}
		return v
	}, nil
}

// checkULPs keeps a hostile step from turning a number into something else.
func checkULPs(ulps []int32, values int) error {
	if len(ulps) == 0 {
		return nil
	}
	if len(ulps) != values {
		return fmt.Errorf("%d ulps for %d values", len(ulps), values)
	}
	for _, u := range ulps {
		if u < -maxULPs || u > maxULPs {
			return fmt.Errorf("%d ulps: want at most %d", u, maxULPs)
		}
	}
	return nil
}

// scaleInto fills in the smallest exponent that gives back every value, the scaled
// values and the steps they are off. It is false when there is no such exponent.
func scaleInto(c *wirepb.Column, values []float64) bool {
	exponent := 0
	for _, v := range values {
		for !isDecimal(v, exponent) {
			if exponent++; exponent > maxExponent {
				return false
			}
		}
	}
	scaled, ulps := make([]int64, len(values)), make([]int32, len(values))
	off := false
	for i, v := range values {
		n, u, ok := nearest(v, exponent)
		// A value that was decimal with fewer digits may be too large for more.
		if !ok {
			return false
		}
		scaled[i], ulps[i] = n, u
		off = off || u != 0
	}
	c.Exponent, c.Scaled = uint32(exponent), scaled
	if off {
		c.Ulps = ulps
	}
	return true
}

func isDecimal(v float64, exponent int) bool {
	_, _, ok := nearest(v, exponent)
	return ok
}

// nearest returns the integer n for which n / 10^exponent lies next to v, and how many
// representable numbers v is above it. It is false when they are not near.
func nearest(v float64, exponent int) (n int64, ulps int32, ok bool) {
	unit := math.Pow10(exponent)
	f := math.Round(v * unit)
	if !(math.Abs(f) < maxScaled) {
		return 0, 0, false
	}
	n = int64(f)
	d := int64(math.Float64bits(v) - math.Float64bits(float64(n)/unit))
	return n, int32(d), d >= -maxULPs && d <= maxULPs
}

// A differ remembers the last value of each sensor; of a sensor that had none, the
// last value of the column, which is nearer than zero.
type differ struct {
	lasts []int64
	known []bool
	any   int64
}

func (d *differ) last(entry int) int64 {
	if entry < len(d.known) && d.known[entry] {
		return d.lasts[entry]
	}
	return d.any
}

func (d *differ) set(entry int, v int64) {
	for len(d.known) <= entry {
		d.known = append(d.known, false)
		d.lasts = append(d.lasts, 0)
	}
	d.known[entry], d.lasts[entry], d.any = true, v, v
}
