package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
	"github.com/2zrhun/city-flow/simulator/wallclock"
)

// A parisRows turns records of the Paris counts into rows, whatever they came in.
type parisRows struct {
	in    *intake
	clock *wallclock.Clock
	arcs  map[string]uint32
}

func newParisRows(in *intake) parisRows {
	return parisRows{in: in, clock: wallclock.New(in.plan.paris), arcs: make(map[string]uint32)}
}

// take reads one record; false means that it is accounted for and there is no row.
func (p *parisRows) take(rec *parisfeed.Record, r *row, line int, text func() string) bool {
	if rec.Arc != "" && !rec.Measured() {
		p.in.skip()
		return false
	}
	count, err := rec.Count(p.clock)
	if err != nil {
		p.in.reject(line, text(), err)
		return false
	}
	*r = row{at: count.At.UnixMicro(), sensor: p.number(rec), flow: count.Flow, occupancy: count.Occupancy}
	p.in.sensors.list[r.sensor].describe(r.at, rec)
	return p.in.take(r, line, text)
}

func (p *parisRows) number(rec *parisfeed.Record) uint32 {
	if n, ok := p.arcs[rec.Arc]; ok {
		return n
	}
	id := rec.SensorID()
	n := p.in.sensors.number(id, traffic.RoadID(id))
	p.arcs[strings.Clone(rec.Arc)] = n
	return n
}

// A parisTable reads the CSV forms.
type parisTable struct {
	parisRows
	t    *table
	cols parisfeed.Columns
}

func newParisTable(t *table, cols parisfeed.Columns) *parisTable {
	return &parisTable{parisRows: newParisRows(t.in), t: t, cols: cols}
}

func (p *parisTable) next(r *row) (int, error) {
	for {
		fields, line, err := p.t.next()
		if err != nil {
			return 0, err
		}
		rec := p.cols.Record(fields)
		if p.take(&rec, r, line, joined(fields)) {
			return line, nil
		}
	}
}

// A parisJSON reads an answer of the Explore API. Its "lines" are records, counted
// from 1: the whole answer is one line.
type parisJSON struct {
	parisRows
	json *parisfeed.JSONReader
}

func newParisJSON(in *intake, r io.Reader) *parisJSON {
	return &parisJSON{parisRows: newParisRows(in), json: parisfeed.NewJSONReader(r)}
}

func (p *parisJSON) next(r *row) (int, error) {
	for {
		rec, err := p.json.Next()
		var bad *parisfeed.RecordError
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.EOF
		case errors.As(err, &bad):
			p.in.reject(bad.N, "", bad.Err)
			continue
		case err != nil:
			return 0, fmt.Errorf("%s: %w", p.in.path, err)
		}
		if p.take(&rec, r, p.json.N(), rec.String) {
			return p.json.N(), nil
		}
	}
}

// newParisLines returns the line decoder of the API's exports/jsonl.
func newParisLines(in *intake) lineDecoder {
	p := newParisRows(in)
	return func(in *intake, text []byte, line int) []row {
		var rec parisfeed.Record
		if err := json.Unmarshal(text, &rec); err != nil {
			in.reject(line, string(text), err)
			return nil
		}
		var r row
		if !p.take(&rec, &r, line, func() string { return string(text) }) {
			return nil
		}
		return []row{r}
	}
}
