package replay

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

// The SCATS day table: 96 slots of 15 minutes, vehicles in the slot.
const (
	scatsSlots   = 96
	scatsSlot    = 15 * time.Minute
	scatsPerHour = 4
)

const wantSCATS = "SCATS Number, HF VicRoads Internal, Date, and V00 to V95"

// scats reads the day tables of VicRoads: a row is one approach on one day. The
// sensor is "<SCATS Number>-<HF VicRoads Internal>", because two detectors may share
// the name of their approach. Stamps are the beginning of the slot, in the zone of
// Config.TZ; Config.Units does not apply.
type scats struct {
	t                                        *table
	clock                                    *wallclock.Clock
	site, detector, name, lat, lng, day, v00 int

	// the row being read
	fields []string
	line   int
	date   time.Time
	number uint32
	slot   int
}

// newSCATS returns nil when the table does not claim to be one. Its header may have
// a line with the slots' start times above it.
func newSCATS(t *table) (*scats, error) {
	if parisfeed.Fold(strings.Join(t.header[:min(len(t.header), 12)], "")) == "starttime000015" {
		if err := t.readHeader(); err != nil {
			return nil, err
		}
	}
	s := &scats{t: t, clock: wallclock.New(t.in.plan.loc), slot: scatsSlots}
	var has [4]bool
	s.site, has[0] = t.find("SCATS Number")
	if !has[0] {
		return nil, nil
	}
	s.detector, has[1] = t.find("HF VicRoads Internal")
	s.day, has[2] = t.find("Date")
	s.v00, has[3] = t.find("V00")
	last, _ := t.find("V95")
	if has != [4]bool{true, true, true, true} || last != s.v00+scatsSlots-1 {
		return nil, columnsError(t.header, wantSCATS)
	}
	s.name, _ = t.find("Location")
	s.lat, _ = t.find("NB_LATITUDE")
	s.lng, _ = t.find("NB_LONGITUDE")
	return s, nil
}

func (s *scats) next(r *row) (int, error) {
	for {
		if s.slot == scatsSlots {
			if err := s.nextRow(); err != nil {
				return 0, err
			}
		}
		slot := s.slot
		s.slot++
		if ok, err := s.read(slot, r); err != nil {
			s.t.in.reject(s.line, s.text(slot), err)
		} else if ok && s.t.in.take(r, s.line, func() string { return s.text(slot) }) {
			return s.line, nil
		}
	}
}

func (s *scats) text(slot int) string {
	return fmt.Sprintf("%s %s V%02d=%s", s.fields[s.site], s.fields[s.day], slot, s.fields[s.v00+slot])
}

// read fills r with one slot; false without error is a slot without a count.
func (s *scats) read(slot int, r *row) (bool, error) {
	cell := s.fields[s.v00+slot]
	v, err := parisfeed.ParseNumber(cell)
	if err != nil {
		return false, &traffic.InvalidError{Reason: traffic.ReasonParse, Field: fmt.Sprintf("V%02d", slot), Value: strconv.Quote(cell), Allowed: "a number or nothing"}
	}
	n, ok := v.Get()
	if !ok {
		s.t.in.skip()
		return false, nil
	}
	at, err := s.clock.At(s.date.Add(time.Duration(slot) * scatsSlot))
	if err != nil {
		return false, &traffic.InvalidError{Reason: traffic.ReasonTime, Field: "Date", Value: s.fields[s.day], Allowed: err.Error()}
	}
	*r = row{at: at.UnixMicro(), sensor: s.number, flow: traffic.Some(n * scatsPerHour)}
	return true, nil
}

// nextRow goes to the next row whose date can be read.
func (s *scats) nextRow() error {
	for {
		var err error
		if s.fields, s.line, err = s.t.next(); err != nil {
			return err
		}
		if s.date, err = wallclock.Date(s.fields[s.day]); err != nil {
			s.t.in.reject(s.line, strings.Join(s.fields, ","), &traffic.InvalidError{
				Reason: traffic.ReasonTime, Field: "Date", Value: strconv.Quote(s.fields[s.day]), Allowed: err.Error(),
			})
			continue
		}
		id := s.fields[s.site] + "-" + s.fields[s.detector]
		s.number = s.t.in.sensors.number(traffic.SensorID(id), traffic.RoadID(id))
		s.t.in.sensors.list[s.number].note(s.place())
		s.slot = 0
		return nil
	}
}

// place is where the approach is; VicRoads writes 0,0 where it does not know.
func (s *scats) place() traffic.Place {
	field := func(i int) string {
		if i < 0 {
			return ""
		}
		return s.fields[i]
	}
	p := traffic.Place{Label: field(s.name)}
	lat, errLat := strconv.ParseFloat(field(s.lat), 64)
	lng, errLng := strconv.ParseFloat(field(s.lng), 64)
	if errLat == nil && errLng == nil && (lat != 0 || lng != 0) {
		p.Lat, p.Lng = traffic.Some(lat), traffic.Some(lng)
	}
	return p
}
