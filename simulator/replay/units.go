package replay

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// role is what a column of a table holds.
type role string

const (
	roleTime      role = "ts"
	roleSensor    role = "sensor"
	roleRoad      role = "road"
	roleSpeed     role = "speed"
	roleFlow      role = "flow"
	roleOccupancy role = "occupancy"
	roleLabel     role = "label"
	roleLat       role = "lat"
	roleLng       role = "lng"
)

const roleNames = "ts, sensor, flow, speed, occupancy, road, label, lat, lng"

// parseColumns reads "ts=time,speed=v"; no text gives a nil map.
func parseColumns(s string) (map[role]string, error) {
	if s == "" {
		return nil, nil
	}
	cols := make(map[role]string)
	for part := range strings.SplitSeq(s, ",") {
		name, column, ok := strings.Cut(part, "=")
		r := role(strings.ToLower(strings.TrimSpace(name)))
		if !ok || column == "" {
			return nil, fmt.Errorf("%q: want role=column", part)
		}
		switch r {
		case roleTime, roleSensor, roleRoad, roleSpeed, roleFlow, roleOccupancy, roleLabel, roleLat, roleLng:
		default:
			return nil, fmt.Errorf("%q: want one of %s", name, roleNames)
		}
		if _, twice := cols[r]; twice {
			return nil, fmt.Errorf("%s is named twice", r)
		}
		cols[r] = strings.TrimSpace(column)
	}
	if cols[roleTime] == "" {
		return nil, fmt.Errorf("%q has no ts: want ts=<the column with the time>", s)
	}
	if cols[roleSpeed] == "" && cols[roleFlow] == "" && cols[roleOccupancy] == "" {
		return nil, fmt.Errorf("%q has no quantity: want at least one of speed, flow, occupancy", s)
	}
	return cols, nil
}

// units are the factors that bring a file's numbers to ours.
type units struct {
	speed, flow, occupancy float64
	// wide is the quantity of the cells of a wide table.
	wide role
	// said is false where the user named no unit at all.
	said bool
}

const kmPerMile = 1.609344

const unitNames = "kmh, mph, veh/h, veh/15min (any number of minutes), fraction or %"

func parseUnits(s string) (units, error) {
	u := units{speed: 1, flow: 1, occupancy: 1, wide: roleSpeed}
	seen := make(map[role]string)
	for part := range strings.SplitSeq(s, ",") {
		name := strings.ToLower(strings.TrimSpace(part))
		if name == "" {
			continue
		}
		r, factor, err := unit(name)
		if err != nil {
			return u, err
		}
		if before, twice := seen[r]; twice {
			return u, fmt.Errorf("%q and %q both say the unit of %s", before, name, r)
		}
		seen[r] = name
		switch r {
		case roleSpeed:
			u.speed = factor
		case roleFlow:
			u.flow = factor
		default:
			u.occupancy = factor
		}
		if !u.said {
			u.wide, u.said = r, true
		}
	}
	return u, nil
}

// unit reads one unit, with or without the name of its quantity before it.
func unit(name string) (role, float64, error) {
	bare := name
	for _, r := range []role{roleSpeed, roleFlow, roleOccupancy} {
		bare = strings.TrimLeft(strings.TrimPrefix(bare, string(r)), " =:")
	}
	switch bare {
	case "kmh", "km/h", "kph":
		return roleSpeed, 1, nil
	case "mph":
		return roleSpeed, kmPerMile, nil
	case "m/s":
		return roleSpeed, 3.6, nil
	case "veh/h":
		return roleFlow, 1, nil
	case "fraction":
		return roleOccupancy, 1, nil
	case "%", "percent":
		return roleOccupancy, 0.01, nil
	}
	if m := perMinutes().FindStringSubmatch(bare); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			return roleFlow, 60 / float64(n), nil
		}
	}
	return "", 0, fmt.Errorf("%q: want %s", name, unitNames)
}

func perMinutes() *regexp.Regexp { return regexp.MustCompile(`^veh/([0-9]{1,4})min$`) }

// convert brings a number of the file to our unit.
func (u *units) convert(r role, v traffic.Value) traffic.Value {
	f, ok := v.Get()
	if !ok {
		return v
	}
	switch r {
	case roleSpeed:
		return traffic.Some(f * u.speed)
	case roleFlow:
		return traffic.Some(f * u.flow)
	default:
		return traffic.Some(f * u.occupancy)
	}
}
