package replay

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/simulator/parisfeed"
	"github.com/2zrhun/city-flow/simulator/source"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

// Config is what a user chooses. The texts are as they stand on the command line.
type Config struct {
	// Files are the paths to replay, at least one.
	Files []string
	// Columns names the columns of long tables: "ts=…,sensor=…,flow=…,speed=…,
	// occupancy=…,road=…,label=…,lat=…,lng=…". ts and one quantity are needed;
	// without sensor the file's name is the sensor. Files that are recognised and
	// do not have these columns are read as what they are.
	Columns string
	// Units of files that do not say theirs, several separated by commas: "kmh" or
	// "mph"; "veh/h", "veh/15min" or any other number of minutes; "fraction" or
	// "%". The first one named is what the cells of a wide table are. Default: kmh,
	// veh/h, fraction.
	Units string
	// Start is the time of the first row of wide tables without a time column, and
	// Step the time from each row to the next.
	Start string
	Step  time.Duration
	// Stamp says what the times of long and wide tables name: the "begin" of the
	// interval, or its "end", which needs Step.
	Stamp string
	// TZ is the zone of times without an offset, an IANA name. Paris counts have
	// their own.
	TZ string
	// Speed is "max", or how many seconds of event time pass in a second.
	Speed string
	// From drops the readings before it; the zero time drops none.
	From time.Time
	// Places is a table of sensor positions: id, latitude, longitude and perhaps a
	// name. Optional.
	Places string
	// MaxRows bounds the rows held in memory, 36 bytes each at most.
	MaxRows int
}

// The bounds of Config.MaxRows.
const (
	DefaultMaxRows = 4 << 20
	maxMaxRows     = 1 << 31
)

// DefaultConfig returns what is used where the user says nothing; Files is empty.
func DefaultConfig() Config {
	return Config{TZ: "Europe/Paris", Speed: "1", Stamp: "begin", MaxRows: DefaultMaxRows}
}

// Validate returns an error that names each bad key, its value and what is allowed.
// It does not touch the files: Open does.
func (c Config) Validate() error {
	_, err := c.plan()
	return err
}

// plan is a Config that was understood.
type plan struct {
	columns map[role]string
	units   units
	// loc is the user's zone, paris that of the Paris counts.
	loc, paris *time.Location
	start      time.Time
	hasStart   bool
	// shift is subtracted from the stamps of tables that name the end.
	shift   time.Duration
	step    time.Duration
	speed   source.Speed
	from    int64 // µs
	maxRows int
}

func (c Config) plan() (plan, error) {
	p := plan{step: c.Step, maxRows: c.MaxRows}
	var errs []error
	note := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	if len(c.Files) == 0 {
		note("file", errors.New("none given: want at least one"))
	}
	var err error
	p.columns, err = parseColumns(c.Columns)
	note("columns", err)
	p.units, err = parseUnits(c.Units)
	note("units", err)
	p.speed, err = source.ParseSpeed(c.Speed)
	note("speed", err)
	p.loc, err = location(c.TZ)
	note("tz", err)
	if err == nil {
		note("start", p.parseStart(c.Start, c.Step))
	}
	p.paris, err = location(parisfeed.Zone)
	note("zone of the Paris counts", err)
	note("stamp", p.parseStamp(c.Stamp, c.Step))
	if c.MaxRows < 1 || c.MaxRows > maxMaxRows {
		note("max-rows", fmt.Errorf("%d: want 1 to %d", c.MaxRows, maxMaxRows))
	}
	if !c.From.IsZero() {
		p.from = c.From.UnixMicro()
	}
	return p, errors.Join(errs...)
}

// location refuses "Local": the same file would give other instants elsewhere.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q: want an IANA zone such as Europe/Paris or UTC", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q: want an IANA zone such as Europe/Paris or UTC: %w", name, err)
	}
	return loc, nil
}

func (p *plan) parseStart(start string, step time.Duration) error {
	if step < 0 {
		return fmt.Errorf("step %s: want more than 0", step)
	}
	if start == "" {
		return nil
	}
	if step == 0 {
		return fmt.Errorf("%q without a step: want both, for example --step 5m", start)
	}
	clock := wallclock.New(p.loc)
	t, err := clock.Parse(start)
	if err != nil {
		return fmt.Errorf("%q: want %w", start, err)
	}
	p.start, p.hasStart = t, true
	return nil
}

func (p *plan) parseStamp(stamp string, step time.Duration) error {
	switch strings.ToLower(stamp) {
	case "begin":
		return nil
	case "end":
		if step <= 0 {
			return errors.New(`"end" without a step: want the length of the interval, for example --step 1h`)
		}
		p.shift = step
		return nil
	default:
		return fmt.Errorf("%q: want begin or end", stamp)
	}
}
