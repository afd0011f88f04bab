package wallclock

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Clock reads times of one place. It remembers the form of the last time that it
// read, so it is fastest on a file that keeps to one form, and is used by one
// goroutine.
type Clock struct {
	loc   *time.Location
	forms []form
	// last is the form that read the time before.
	last int
}

// New returns a Clock for wall-clock times in loc.
func New(loc *time.Location) *Clock { return &Clock{loc: loc, forms: forms()} }

// form is a layout, and whether it names an offset.
type form struct {
	layout string
	zoned  bool
}

// forms are tried in turn. time.Parse takes a fraction of a second after any of them
// that ends in seconds.
func forms() []form {
	return []form{
		{time.RFC3339, true},
		{"2006-01-02 15:04:05", false},
		{"2006-01-02T15:04:05", false},
		{"2006-01-02 15:04:05Z07:00", true},
		{"2006-01-02 15:04", false},
		{"2006-01-02T15:04", false},
		{"2006-01-02", false},
		{"2/1/2006 15:04:05", false},
		{"2/1/2006 15:04", false},
	}
}

// Parse returns the instant that s names, in UTC at microsecond resolution. The
// error says what would have been taken.
func (c *Clock) Parse(s string) (time.Time, error) {
	if t, ok := epoch(s); ok {
		return t, nil
	}
	for i := range c.forms {
		n := (c.last + i) % len(c.forms)
		t, err := time.Parse(c.forms[n].layout, s)
		if err != nil {
			continue
		}
		c.last = n
		t = t.UTC().Truncate(time.Microsecond)
		if c.forms[n].zoned {
			return t, nil
		}
		return c.resolve(t)
	}
	return time.Time{}, fmt.Errorf("a time such as 2006-01-02T15:04:05Z, 2006-01-02 15:04:05, 31/12/2006 15:04 or seconds since 1970")
}

// Date returns the beginning of the wall-clock day that s names, as a wall-clock time
// for At; years may have two digits.
func Date(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02", "2/1/2006", "2/1/06"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("a date such as 2006-12-31 or 31/12/06")
}

// At returns the instant of a wall-clock time that is given as if it were UTC.
func (c *Clock) At(wall time.Time) (time.Time, error) { return c.resolve(wall) }

// resolve finds the instant whose wall-clock time in the place reads like wall. The
// two candidates come from the offsets a day before and a day after, which differ
// only around a change of the clock.
func (c *Clock) resolve(wall time.Time) (time.Time, error) {
	const day = 24 * time.Hour
	before, after := c.offset(wall.Add(-day)), c.offset(wall.Add(day))
	early, late := wall.Add(-before), wall.Add(-after)
	if late.Before(early) {
		early, late = late, early
	}
	for _, t := range []time.Time{late, early} {
		if t.Add(c.offset(t)).Equal(wall) {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("a time that exists: the clocks of %s jump over %s", c.loc, wall.Format("2006-01-02 15:04:05"))
}

// offset is how far the place's clocks are ahead of UTC at t.
func (c *Clock) offset(t time.Time) time.Duration {
	_, s := t.In(c.loc).Zone()
	return time.Duration(s) * time.Second
}

// epoch reads seconds, milliseconds or microseconds since 1970, told apart by the
// number of digits: each covers the years 2001 to 2286.
func epoch(s string) (time.Time, bool) {
	whole, _, _ := strings.Cut(s, ".")
	var unit time.Duration
	switch len(whole) {
	case 10:
		unit = time.Second
	case 13:
		unit = time.Millisecond
	case 16:
		unit = time.Microsecond
	default:
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, false
	}
	t := time.UnixMicro(n * int64(unit/time.Microsecond)).UTC()
	if unit == time.Second && len(s) > len(whole) {
		f, err := strconv.ParseFloat("0"+s[len(whole):], 64)
		if err != nil {
			return time.Time{}, false
		}
		t = t.Add(time.Duration(f * float64(time.Second))).Truncate(time.Microsecond)
	}
	return t, true
}
