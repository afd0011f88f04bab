package replay

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

// long reads tables with one row per reading, whose columns the user named.
type long struct {
	t      *table
	clock  *wallclock.Clock
	cols   map[role]int
	sensor string // where there is no sensor column
	// last is the sensor before, which most rows repeat.
	last       sensorName
	lastNumber uint32
}

// newLong returns the decoder, or the columns that the table does not have.
func newLong(t *table) (*long, []string) {
	l := &long{t: t, clock: wallclock.New(t.in.plan.loc), cols: make(map[role]int), sensor: baseName(t.in.path)}
	var missing []string
	for r, name := range t.in.plan.columns {
		i, ok := t.find(name)
		if !ok {
			missing = append(missing, name+" (the "+string(r)+" column)")
			continue
		}
		l.cols[r] = i
	}
	return l, missing
}

// baseName is the file's name without what says its format.
func baseName(path string) string {
	name := filepath.Base(path)
	for _, ext := range []string{".gz", ".zst", ".csv", ".txt", ".tsv"} {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

func (l *long) next(r *row) (int, error) {
	for {
		fields, line, err := l.t.next()
		if err != nil {
			return 0, err
		}
		if err := l.read(fields, r); err != nil {
			l.t.in.reject(line, strings.Join(fields, ","), err)
			continue
		}
		if l.t.in.take(r, line, joined(fields)) {
			return line, nil
		}
	}
}

func (l *long) read(fields []string, r *row) error {
	pick := func(of role) string {
		if i, ok := l.cols[of]; ok {
			return strings.TrimSpace(fields[i])
		}
		return ""
	}
	var err error
	*r = row{}
	if r.speed, err = l.quantity(roleSpeed, pick(roleSpeed)); err != nil {
		return err
	}
	if r.flow, err = l.quantity(roleFlow, pick(roleFlow)); err != nil {
		return err
	}
	if r.occupancy, err = l.quantity(roleOccupancy, pick(roleOccupancy)); err != nil {
		return err
	}
	at, err := l.clock.Parse(pick(roleTime))
	if err != nil {
		return l.invalid(traffic.ReasonTime, roleTime, pick(roleTime), err.Error())
	}
	r.at = at.Add(-l.t.in.plan.shift).UnixMicro()
	l.name(r, pick(roleSensor), pick(roleRoad))
	return l.describe(r.sensor, pick(roleLabel), pick(roleLat), pick(roleLng))
}

func (l *long) name(r *row, sensor, road string) {
	if _, named := l.cols[roleSensor]; !named {
		sensor = l.sensor
	}
	if road == "" {
		road = sensor
	}
	name := sensorName{traffic.SensorID(sensor), traffic.RoadID(road)}
	if l.last != name {
		l.lastNumber = l.t.in.sensors.number(name.id, name.road)
		known := l.t.in.sensors.list[l.lastNumber]
		l.last = sensorName{known.id, known.road}
	}
	r.sensor = l.lastNumber
}

func (l *long) describe(n uint32, label, lat, lng string) error {
	p := traffic.Place{Label: label}
	var err error
	if p.Lat, err = l.quantity(roleLat, lat); err != nil {
		return err
	}
	if p.Lng, err = l.quantity(roleLng, lng); err != nil {
		return err
	}
	l.t.in.sensors.list[n].note(p)
	return nil
}

// quantity reads a number and brings it to our unit.
func (l *long) quantity(of role, s string) (traffic.Value, error) {
	v, err := parisfeed.ParseNumber(s)
	if err != nil {
		return v, l.invalid(traffic.ReasonParse, of, s, "a number or nothing")
	}
	if of == roleLat || of == roleLng {
		return v, nil
	}
	return l.t.in.plan.units.convert(of, v), nil
}

func (l *long) invalid(reason traffic.Reason, of role, value, allowed string) error {
	return &traffic.InvalidError{Reason: reason, Field: l.t.header[l.cols[of]], Value: strconv.Quote(value), Allowed: allowed}
}
