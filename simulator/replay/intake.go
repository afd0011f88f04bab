package replay

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// Stats counts the rows of all files so far. A row of a wide table counts once for
// every cell.
type Stats struct {
	// Readings can be played; NoMeasurement had no quantity; Rejected were not
	// usable.
	Readings, NoMeasurement, Rejected int64
}

// Rows is the number of all rows.
func (s Stats) Rows() int64 { return s.Readings + s.NoMeasurement + s.Rejected }

// counts is Stats while it grows.
type counts struct {
	readings, noMeasurement, rejected atomic.Int64
}

func (c *counts) stats() Stats {
	return Stats{Readings: c.readings.Load(), NoMeasurement: c.noMeasurement.Load(), Rejected: c.rejected.Load()}
}

// An intake is what the decoder of one file needs from outside: the dictionary, the
// judgement of readings, and the place where refused rows go.
type intake struct {
	path    string
	plan    *plan
	sensors *sensors
	now     time.Time
	counts  *counts
	// onRejected is never nil.
	onRejected func(traffic.Rejected)
	// own counts this file alone; first is its first refusal.
	own   counts
	first string
}

// take judges a row. It returns false, and accounts for it, when the row may not be
// played; where and text are for the record of the refusal.
func (in *intake) take(r *row, where int, text func() string) bool {
	if !r.speed.Known() && !r.flow.Known() && !r.occupancy.Known() {
		in.skip()
		return false
	}
	reading := in.sensors.reading(r)
	if err := reading.Validate(in.now); err != nil {
		in.reject(where, text(), err)
		return false
	}
	in.own.readings.Add(1)
	if r.at < in.plan.from {
		return false
	}
	in.counts.readings.Add(1)
	return true
}

// skip counts a row without measurement.
func (in *intake) skip() {
	in.own.noMeasurement.Add(1)
	in.counts.noMeasurement.Add(1)
}

// reject records a refused row.
func (in *intake) reject(line int, text string, err error) {
	reason := traffic.ReasonParse
	var invalid *traffic.InvalidError
	if errors.As(err, &invalid) {
		reason = invalid.Reason
	}
	in.refuse(traffic.Rejected{
		At: in.now, Origin: in.where(line), Payload: []byte(text), Reason: reason, Detail: err.Error(),
	})
}

// refuse passes the record on, its payload cut to the allowed length.
func (in *intake) refuse(r traffic.Rejected) {
	in.own.rejected.Add(1)
	in.counts.rejected.Add(1)
	if len(r.Payload) > traffic.MaxRejectedPayload {
		r.Payload = r.Payload[:traffic.MaxRejectedPayload]
	}
	if in.first == "" {
		in.first = r.Origin + ": " + r.Detail
	}
	in.onRejected(r)
}

func (in *intake) where(line int) string { return fmt.Sprintf("%s:%d", in.path, line) }

// verdict is the error of a file of which nothing could be used.
func (in *intake) verdict() error {
	s := in.own.stats()
	if s.Rejected > 0 && s.Readings == 0 && s.NoMeasurement == 0 {
		return fmt.Errorf("%s: none of the %d rows can be used; the first: %s", in.path, s.Rejected, in.first)
	}
	return nil
}

// reading builds the reading of a row.
func (s *sensors) reading(r *row) traffic.Reading {
	of := s.list[r.sensor]
	return traffic.Reading{
		At: time.UnixMicro(r.at).UTC(), Sensor: of.id, Road: of.road, Place: of.place,
		Speed: r.speed, Flow: r.flow, Occupancy: r.occupancy,
	}
}

// joined is the text of a table's row for the record of a refusal.
func joined(fields []string) func() string {
	return func() string { return strings.Join(fields, ",") }
}
