package replay

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

// noSensor marks a column without sensor.
const noSensor = ^uint32(0)

// wide reads tables with one row per instant and one column per sensor.
type wide struct {
	t       *table
	clock   *wallclock.Clock
	timeCol int // -1: the rows are Step apart from Start on
	numbers []uint32

	// the row being read
	fields []string
	line   int
	at     int64
	col    int
}

func newWide(t *table, timeCol int) *wide {
	w := &wide{t: t, clock: wallclock.New(t.in.plan.loc), timeCol: timeCol, numbers: make([]uint32, len(t.header))}
	for i, name := range t.header {
		w.numbers[i] = noSensor
		if i != timeCol && name != "" {
			w.numbers[i] = t.in.sensors.number(traffic.SensorID(name), traffic.RoadID(name))
		}
	}
	return w
}

func (w *wide) next(r *row) (int, error) {
	for {
		if w.col >= len(w.fields) {
			if err := w.nextRow(); err != nil {
				return 0, err
			}
		}
		for w.col < len(w.fields) {
			i := w.col
			w.col++
			if i < len(w.numbers) && w.numbers[i] != noSensor && w.cell(i, r) {
				return w.line, nil
			}
		}
	}
}

// cell reads one cell into r; false means that there is no reading in it.
func (w *wide) cell(i int, r *row) bool {
	in := w.t.in
	text := func() string { return w.t.header[i] + "=" + w.fields[i] }
	v, err := parisfeed.ParseNumber(strings.TrimSpace(w.fields[i]))
	if err != nil {
		in.reject(w.line, text(), &traffic.InvalidError{
			Reason: traffic.ReasonParse, Field: "column " + w.t.header[i], Value: strconv.Quote(w.fields[i]), Allowed: "a number or nothing",
		})
		return false
	}
	*r = row{at: w.at, sensor: w.numbers[i]}
	u := &in.plan.units
	switch v = u.convert(u.wide, v); u.wide {
	case roleFlow:
		r.flow = v
	case roleOccupancy:
		r.occupancy = v
	default:
		r.speed = v
	}
	return in.take(r, w.line, text)
}

// nextRow goes to the next row whose time can be read.
func (w *wide) nextRow() error {
	for {
		var err error
		if w.fields, w.line, err = w.t.next(); err != nil {
			w.fields = nil
			return err
		}
		w.col = 0
		t, err := w.time()
		if err == nil {
			w.at = t.Add(-w.t.in.plan.shift).UnixMicro()
			return nil
		}
		w.t.in.reject(w.line, strings.Join(w.fields, ","), err)
	}
}

// time is that of the current row. Without a time column it follows from the line,
// so a row that was rejected still takes its step.
func (w *wide) time() (time.Time, error) {
	if w.timeCol < 0 {
		p := w.t.in.plan
		return p.start.Add(time.Duration(w.line-w.t.headerLine-1) * p.step), nil
	}
	s := strings.TrimSpace(w.fields[w.timeCol])
	t, err := w.clock.Parse(s)
	if err != nil {
		return t, &traffic.InvalidError{Reason: traffic.ReasonTime, Field: w.t.header[w.timeCol], Value: strconv.Quote(s), Allowed: err.Error()}
	}
	return t, nil
}

// inOrder reads the table to its end and reports whether its rows are in time order.
// It uses up the decoder.
func (w *wide) inOrder() (bool, error) {
	last := int64(0)
	for n := 0; ; n++ {
		err := w.nextRow()
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		case n > 0 && w.at < last:
			return false, nil
		}
		last = w.at
	}
}
