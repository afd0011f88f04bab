package wire

import (
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/shared/wire/internal/wirepb"
)

// encodeReadings writes the readings into the columns of m.
func encodeReadings(m *wirepb.Batch, rs []traffic.Reading) {
	if len(rs) == 0 {
		return
	}
	entries := encodeDictionary(m, rs)
	encodeTimes(m, rs)
	encodeQuality(m, rs)
	m.SpeedKmh = encodeColumn(entries, func(i int) traffic.Value { return rs[i].Speed })
	m.FlowVph = encodeColumn(entries, func(i int) traffic.Value { return rs[i].Flow })
	m.Occupancy = encodeColumn(entries, func(i int) traffic.Value { return rs[i].Occupancy })
	m.Score = encodeColumn(entries, func(i int) traffic.Value { return rs[i].Score })
}

// decodeReadings is the inverse of encodeReadings.
func decodeReadings(m *wirepb.Batch) ([]traffic.Reading, error) {
	n := int(m.GetCount())
	if n > MaxBatchReadings {
		return nil, fmt.Errorf("%d readings: want at most %d", n, MaxBatchReadings)
	}
	if n == 0 {
		return nil, nil
	}
	rs := make([]traffic.Reading, n)
	entries, err := decodeDictionary(m, rs)
	if err != nil {
		return nil, err
	}
	if err := decodeTimes(m, rs); err != nil {
		return nil, err
	}
	if err := decodeQuality(m, rs); err != nil {
		return nil, err
	}
	return rs, decodeQuantities(m, entries, rs)
}

func decodeQuantities(m *wirepb.Batch, entries []int, rs []traffic.Reading) error {
	for _, c := range []struct {
		name string
		from *wirepb.Column
		into func(*traffic.Reading) *traffic.Value
	}{
		{"speed_kmh", m.GetSpeedKmh(), func(r *traffic.Reading) *traffic.Value { return &r.Speed }},
		{"flow_vph", m.GetFlowVph(), func(r *traffic.Reading) *traffic.Value { return &r.Flow }},
		{"occupancy", m.GetOccupancy(), func(r *traffic.Reading) *traffic.Value { return &r.Occupancy }},
		{"score", m.GetScore(), func(r *traffic.Reading) *traffic.Value { return &r.Score }},
	} {
		err := decodeColumn(c.from, entries, func(i int, v traffic.Value) { *c.into(&rs[i]) = v })
		if err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}

// encodeTimes writes the times as second differences in the largest unit that
// divides them all: readings of one round of sensors, and rounds at a steady pace,
// become zeros.
func encodeTimes(m *wirepb.Batch, rs []traffic.Reading) {
	base := rs[0].At.UnixMicro()
	var unit int64
	for i := range rs {
		unit = gcd(unit, rs[i].At.UnixMicro()-base)
	}
	unit = max(unit, 1)
	m.TimeBaseUs, m.TimeUnitUs = base, unit
	m.TimeSteps = make([]int64, 0, len(rs)-1)
	var last, step int64
	for i := range rs[1:] {
		t := (rs[i+1].At.UnixMicro() - base) / unit
		m.TimeSteps = append(m.TimeSteps, t-last-step)
		last, step = t, t-last
	}
}

func decodeTimes(m *wirepb.Batch, rs []traffic.Reading) error {
	base, unit, steps := m.GetTimeBaseUs(), m.GetTimeUnitUs(), m.GetTimeSteps()
	if len(steps) != len(rs)-1 {
		return fmt.Errorf("%d time steps for %d readings", len(steps), len(rs))
	}
	if unit < 1 {
		return fmt.Errorf("time unit %d µs: want at least 1", unit)
	}
	var last, step int64
	for i := range rs {
		if i > 0 {
			step += steps[i-1]
			last += step
		}
		// A hostile product may wrap around; the range is checked on the result.
		at, err := timeOfMicro(base + last*unit)
		if err != nil {
			return fmt.Errorf("reading %d: %w", i, err)
		}
		rs[i].At = at
	}
	return nil
}

// timeOfMicro refuses times that neither RFC 3339 nor a database can express.
func timeOfMicro(us int64) (time.Time, error) {
	if us < minMicro || us > maxMicro {
		return time.Time{}, fmt.Errorf("time %d µs is outside the years 1 to 9999", us)
	}
	return time.UnixMicro(us).UTC(), nil
}

const (
	minMicro = -62135596800 * 1e6 // 0001-01-01
	maxMicro = 253402300800*1e6 - 1
)

func gcd(a, b int64) int64 {
	if b < 0 {
		b = -b
	}
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// encodeQuality writes runs of equal flags, or nothing when no reading has any.
func encodeQuality(m *wirepb.Batch, rs []traffic.Reading) {
	seen := traffic.Quality(0)
	for i := range rs {
		seen |= rs[i].Quality
	}
	if seen == 0 {
		return
	}
	for i := 0; i < len(rs); {
		n := i + 1
		for n < len(rs) && rs[n].Quality == rs[i].Quality {
			n++
		}
		m.QualityFlags = append(m.QualityFlags, uint32(rs[i].Quality))
		m.QualityRuns = append(m.QualityRuns, uint32(n-i))
		i = n
	}
}

func decodeQuality(m *wirepb.Batch, rs []traffic.Reading) error {
	flags, runs := m.GetQualityFlags(), m.GetQualityRuns()
	if len(flags) != len(runs) {
		return fmt.Errorf("%d quality flags for %d runs", len(flags), len(runs))
	}
	if len(flags) == 0 {
		return nil
	}
	i := 0
	for k, run := range runs {
		if int64(run) > int64(len(rs)-i) {
			return fmt.Errorf("quality runs are longer than %d readings", len(rs))
		}
		for range run {
			rs[i].Quality = traffic.Quality(flags[k])
			i++
		}
	}
	if i != len(rs) {
		return fmt.Errorf("quality runs cover %d of %d readings", i, len(rs))
	}
	return nil
}
