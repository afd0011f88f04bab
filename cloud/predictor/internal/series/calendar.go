package series

import (
	"encoding/json"
	"fmt"
	"time"
)

// Day is 24 hours: the length of a day in steps is Day/Step. Clock changes make a
// local day an hour shorter or longer; Calendar.Slot goes by the local clock.
const Day = 24 * time.Hour

// A Calendar says which moments resemble each other: those at the same local time of
// the same day of the week, where a holiday counts as a Sunday.
type Calendar struct {
	// Zone is the name of the time zone, for example "Europe/Paris"; empty is UTC.
	Zone string
	// Holidays is "" for none or "FR" for the public holidays of France.
	Holidays string
	// NoDates says that the dates are made up: days of the week repeat every seven
	// days, but which of them is Sunday is not known.
	NoDates bool

	zone *time.Location
}

// NewCalendar loads the zone.
func NewCalendar(zone, holidays string) (Calendar, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return Calendar{}, err
	}
	return Calendar{Zone: zone, Holidays: holidays, zone: loc}, nil
}

// Local is t by the local clock.
func (c Calendar) Local(t time.Time) time.Time {
	if c.zone == nil {
		return t.UTC()
	}
	return t.In(c.zone)
}

// Slot is the day of the week, 0 (Sunday) to 6, and the time since local midnight by
// the clock on the wall.
func (c Calendar) Slot(t time.Time) (weekday int, clock time.Duration) {
	l := c.Local(t)
	weekday = int(l.Weekday())
	if c.Holiday(l) {
		weekday = int(time.Sunday)
	}
	h, m, s := l.Clock()
	return weekday, time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
}

// Weekend is true on Saturdays, Sundays and holidays; never when the dates are made up.
func (c Calendar) Weekend(weekday int) bool {
	return !c.NoDates && (weekday == int(time.Saturday) || weekday == int(time.Sunday))
}

// Holiday is true when the local day of t is a public holiday.
func (c Calendar) Holiday(t time.Time) bool {
	if c.Holidays != "FR" || c.NoDates {
		return false
	}
	y, m, d := c.Local(t).Date()
	switch [2]int{int(m), d} {
	case [2]int{1, 1}, [2]int{5, 1}, [2]int{5, 8}, [2]int{7, 14}, [2]int{8, 15}, [2]int{11, 1}, [2]int{11, 11}, [2]int{12, 25}:
		return true
	}
	// Easter Monday, Ascension and Whit Monday.
	after := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Sub(easter(y)) / Day
	return after == 1 || after == 39 || after == 50
}

// easter is Easter Sunday of a year of the Gregorian calendar (Meeus, Astronomical
// Algorithms, chapter 8).
func easter(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	d, e, f := b/4, b%4, (b+8)/25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Date(year, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC)
}

// MarshalBinary writes what NewCalendar needs.
func (c Calendar) MarshalBinary() ([]byte, error) {
	return json.Marshal([]any{c.Zone, c.Holidays, c.NoDates})
}

// UnmarshalBinary reads it and loads the zone.
func (c *Calendar) UnmarshalBinary(b []byte) error {
	var noDates bool
	var zone, holidays string
	if err := json.Unmarshal(b, &[]any{&zone, &holidays, &noDates}); err != nil {
		return fmt.Errorf("read calendar: %w", err)
	}
	out, err := NewCalendar(zone, holidays)
	if err != nil {
		return fmt.Errorf("read calendar: %w", err)
	}
	out.NoDates = noDates
	*c = out
	return nil
}
