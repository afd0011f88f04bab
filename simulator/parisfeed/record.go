package parisfeed

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

// Zone is where the counts without an offset were stamped.
const Zone = "Europe/Paris"

// Period is the time that one count covers.
const Period = time.Hour

// A Record is one row of the feed as text, "" where the row says nothing.
type Record struct {
	// Arc is iu_ac; Stamp is t_1h, the end of the hour.
	Arc, Stamp string
	// Flow is q and Occupancy is k.
	Flow, Occupancy string
	// Label, FromNode and ToNode describe the arc at the time of the count.
	Label, FromNode, ToNode string
	// Point is "lat,lon"; Shape is GeoJSON text, a geometry or a feature.
	Point, Shape string
}

// SensorID returns the name under which the arc is known in CityFlow.
func (r *Record) SensorID() traffic.SensorID { return traffic.SensorID("PARIS-" + r.Arc) }

// Count is what a Record says about its hour.
type Count struct {
	// At is the beginning of the hour.
	At time.Time
	// Flow is in vehicles per hour; Occupancy is a fraction.
	Flow, Occupancy traffic.Value
}

// Measured reports whether the hour has any value. An hour without one is normal.
func (r *Record) Measured() bool { return !absent(r.Flow) || !absent(r.Occupancy) }

// Count reads the measurement; clock resolves stamps without an offset and must be
// one for Zone. The error is a *traffic.InvalidError that names the field. It does
// not judge whether the values are plausible: traffic.Reading.Validate does.
func (r *Record) Count(clock *wallclock.Clock) (Count, error) {
	if r.Arc == "" {
		return Count{}, &traffic.InvalidError{Reason: traffic.ReasonID, Field: "iu_ac", Value: "absent", Allowed: "the number of an arc"}
	}
	flow, err := number("q", r.Flow)
	if err != nil {
		return Count{}, err
	}
	percent, err := number("k", r.Occupancy)
	if err != nil {
		return Count{}, err
	}
	end, err := clock.Parse(r.Stamp)
	if err != nil {
		return Count{}, &traffic.InvalidError{Reason: traffic.ReasonTime, Field: "t_1h", Value: strconv.Quote(r.Stamp), Allowed: err.Error()}
	}
	c := Count{At: end.Add(-Period), Flow: flow}
	if k, ok := percent.Get(); ok {
		c.Occupancy = traffic.Some(k / 100)
	}
	return c, nil
}

// number reads a quantity of the feed: a decimal, or nothing.
func number(field, s string) (traffic.Value, error) {
	v, err := ParseNumber(s)
	if err != nil {
		return traffic.Value{}, &traffic.InvalidError{Reason: traffic.ReasonParse, Field: field, Value: strconv.Quote(s), Allowed: "a number or nothing"}
	}
	return v, nil
}

// ParseNumber reads a decimal number as people export it: "3.5", "3,5" or, for an
// absent quantity, nothing, "null", "NaN" or "NA".
func ParseNumber(s string) (traffic.Value, error) {
	if absent(s) {
		return traffic.Value{}, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
		f, err = strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	}
	if err != nil {
		return traffic.Value{}, fmt.Errorf("%q: want a number", s)
	}
	return traffic.Some(f), nil
}

func absent(s string) bool {
	switch len(s) {
	case 0:
		return true
	case 2, 3, 4:
		switch strings.ToLower(s) {
		case "na", "n/a", "nan", "null", "none":
			return true
		}
	}
	return false
}

// String shows the record for people, shortly.
func (r *Record) String() string {
	return fmt.Sprintf("iu_ac=%s t_1h=%s q=%s k=%s", r.Arc, r.Stamp, r.Flow, r.Occupancy)
}
