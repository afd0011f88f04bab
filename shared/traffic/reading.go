package traffic

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// SensorID names one detector. It is the operator's own name, never ours.
type SensorID string

// RoadID names one directed road, the arc between two junctions.
type RoadID string

// EdgeID names one edge agent. It is the common name of its certificate.
type EdgeID string

// A Reading is what one sensor measured over one interval. (Sensor, At) names it:
// a reading offered twice counts once.
type Reading struct {
	// At is the beginning of the measured interval, in UTC, at microsecond
	// resolution.
	At     time.Time
	Sensor SensorID
	Road   RoadID
	// Speed is the mean speed in km/h.
	Speed Value
	// Flow is in vehicles per hour, whatever the length of the interval.
	Flow Value
	// Occupancy is the share of the interval during which the detector was
	// covered, 0 to 1.
	Occupancy Value
	// Score is the congestion score given by the edge, 0 (free flow) to 1
	// (standstill). Absent until somebody scored the reading.
	Score   Value
	Quality Quality
	// Edge is the agent that delivered the reading, empty when the sensor
	// published to the central broker itself.
	Edge EdgeID
	// Place is what the sensor said about its road, nil when it said nothing.
	// Readings may share one Place; nobody changes it.
	Place *Place
}

// A Place is the road metadata that a sensor may send beside a reading.
type Place struct {
	Label string
	// Lat and Lng are WGS 84 degrees; either both are present or neither.
	Lat, Lng Value
}

// Quality is a set of remarks about a reading that was taken. A reading that may
// not be taken is refused instead, see Refused.
type Quality uint32

const (
	// QualityReceiveTime says that the sensor sent no time and At is the
	// moment of reception.
	QualityReceiveTime Quality = 1 << iota
	// QualityClock says that At was corrected after the clock became known.
	QualityClock
	// QualityLate says that newer readings of the same sensor had arrived before.
	QualityLate
	// QualityThinned says that the reading is an average made from several
	// to save buffer space.
	QualityThinned
	// QualityStuck says that the sensor has repeated the same values for longer than
	// traffic does.
	QualityStuck
	// QualityInconsistent says that flow, occupancy and speed contradict each other.
	QualityInconsistent
)

// Resolution is the finest difference between two reading times that is kept.
const Resolution = time.Microsecond

// The limits of a reading that is taken, all inclusive.
const (
	MaxSpeedKMH  = 250
	MaxFlowVPH   = 20000
	MaxOccupancy = 1
	// MaxFuture is how far ahead of the receiver's clock a reading may be.
	MaxFuture = 10 * time.Minute
	// MaxIDBytes bounds sensor, road and edge names.
	MaxIDBytes = 128
	// MaxLabelBytes bounds a road label.
	MaxLabelBytes = 256
)

// Earliest is the oldest time a reading may have: anything before is a clock that
// was never set, not a measurement.
var Earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Validate returns nil when r may be taken by a receiver whose clock says now, and
// otherwise an *InvalidError that names the field, the value and what is allowed.
// It never changes r.
func (r *Reading) Validate(now time.Time) error {
	if err := checkID("sensor_id", string(r.Sensor)); err != nil {
		return err
	}
	if err := checkID("road_id", string(r.Road)); err != nil {
		return err
	}
	switch {
	case r.At.IsZero():
		return invalid(ReasonTime, "ts", "absent", "an RFC 3339 time")
	case r.At.Before(Earliest):
		return invalid(ReasonTime, "ts", r.At.Format(time.RFC3339), "not before "+Earliest.Format(time.RFC3339))
	case r.At.After(now.Add(MaxFuture)):
		return invalid(ReasonFuture, "ts", r.At.Format(time.RFC3339),
			fmt.Sprintf("at most %s after the receiver's clock (%s)", MaxFuture, now.UTC().Format(time.RFC3339)))
	}
	if !r.Speed.ok && !r.Flow.ok && !r.Occupancy.ok {
		return invalid(ReasonEmpty, "speed_kmh, flow_rate, occupancy", "all absent", "at least one of them")
	}
	if err := checkRange("speed_kmh", r.Speed, MaxSpeedKMH); err != nil {
		return err
	}
	if err := checkRange("flow_rate", r.Flow, MaxFlowVPH); err != nil {
		return err
	}
	if err := checkRange("occupancy", r.Occupancy, MaxOccupancy); err != nil {
		return err
	}
	return r.Place.validate()
}

func (p *Place) validate() error {
	if p == nil {
		return nil
	}
	if len(p.Label) > MaxLabelBytes {
		return invalid(ReasonRange, "label", fmt.Sprintf("%d bytes", len(p.Label)), fmt.Sprintf("at most %d bytes", MaxLabelBytes))
	}
	if !printable(p.Label) {
		return invalid(ReasonRange, "label", fmt.Sprintf("%q", p.Label), "printable UTF-8")
	}
	if p.Lat.ok != p.Lng.ok {
		return invalid(ReasonRange, "lat, lng", "only one of them", "both or neither")
	}
	if p.Lat.ok && (math.Abs(p.Lat.v) > 90 || math.Abs(p.Lng.v) > 180) {
		return invalid(ReasonRange, "lat, lng", p.Lat.String()+", "+p.Lng.String(), "-90 to 90, -180 to 180")
	}
	return nil
}

func checkID(field, id string) error {
	if id == "" {
		return invalid(ReasonID, field, "absent", "a name")
	}
	if len(id) > MaxIDBytes {
		return invalid(ReasonID, field, id[:MaxIDBytes]+"…", fmt.Sprintf("at most %d bytes", MaxIDBytes))
	}
	if !printable(id) {
		return invalid(ReasonID, field, fmt.Sprintf("%q", id), "printable UTF-8")
	}
	return nil
}

// printable refuses what a database, a terminal or a page may stumble over: control
// characters and bytes that are not UTF-8.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func checkRange(field string, v Value, limit float64) error {
	if v.ok && !(v.v >= 0 && v.v <= limit) {
		return invalid(ReasonRange, field, v.String(), fmt.Sprintf("0 to %g", limit))
	}
	return nil
}
