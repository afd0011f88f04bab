package wire

import (
	"fmt"
	"math"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// maxExponent is the largest number of decimals that a scaled column has.
const maxExponent = 7

// maxScaled is the bound below which every integer is a float64.
const maxScaled = 1 << 53

// encodeColumn writes one quantity of all rows; entries says which rows belong to the
// same sensor. The result is nil when no row has a value.
//
// Measured quantities are decimal numbers with few digits. They are kept as integers
// scaled by the smallest power of ten that gives every value of the column back bit
// for bit, each as the difference to the one before of the same sensor. A column in
// which a single value is not such a number is kept as it is.
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
	scaled, exponent, ok := scale(values)
	if !ok {
		c.Raw = values
		return c
	}
	var d differ
	for i, v := range scaled {
		last := d.last(of[i])
		d.set(of[i], v)
		scaled[i] = v - last
	}
	c.Exponent, c.Scaled = uint32(exponent), scaled
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
	scaled, unit := c.GetScaled(), math.Pow10(int(c.GetExponent()))
	var d differ
	return func(entry int) float64 {
		i++
		v := d.last(entry) + scaled[i]
		d.set(entry, v)
		return float64(v) / unit
	}, nil
}

// scale finds the smallest exponent that gives back every value exactly. It is false
// when there is none.
func scale(values []float64) (scaled []int64, exponent int, ok bool) {
	for _, v := range values {
		for !isDecimal(v, exponent) {
			if exponent++; exponent > maxExponent {
				return nil, 0, false
			}
		}
	}
	scaled = make([]int64, len(values))
	for i, v := range values {
		// A value that was exact with fewer decimals may be too large for more.
		if !isDecimal(v, exponent) {
			return nil, 0, false
		}
		scaled[i] = int64(math.Round(v * math.Pow10(exponent)))
	}
	return scaled, exponent, true
}

// isDecimal says whether v comes back bit for bit from an integer scaled by 10^exponent.
func isDecimal(v float64, exponent int) bool {
	unit := math.Pow10(exponent)
	n := math.Round(v * unit)
	return math.Abs(n) < maxScaled && math.Float64bits(n/unit) == math.Float64bits(v)
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
