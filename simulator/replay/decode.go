package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/simulator/parisfeed"
)

// A decoder reads the readings of one file in the order of its rows.
type decoder interface {
	// next fills r with the next reading and returns its line; rows that can't be
	// played are accounted for on the way. io.EOF is the end; any other error means
	// that the rest of the file can't be read.
	next(r *row) (line int, err error)
}

// A form is a decoder and what the loader may assume about it.
type form struct {
	decoder
	name string
	// ordered says that rows can't be out of time order.
	ordered bool
	// wide tables may be too large to load, so their order is checked first.
	wide bool
}

// recognise finds out what a file is, by its first bytes and, of tables, its header.
func recognise(in *intake, r *input, warn func(string)) (form, error) {
	head, err := r.Peek(headBytes)
	if len(head) == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			return form{}, errors.New("the file is empty")
		}
		return form{}, readError(err)
	}
	switch trimmed := bytes.TrimLeft(head, " \t\r\n"); {
	case len(trimmed) == 0:
		return form{}, errors.New("the file begins with 64 KiB of blanks")
	case bytes.IndexByte(head, 0) >= 0:
		return form{}, errors.New("the file is not text: want CSV, JSON or NDJSON, perhaps compressed with gzip or zstd")
	case trimmed[0] == '<':
		return form{}, errors.New("the file is a web page or XML: want CSV, JSON or NDJSON (a download that failed looks like this)")
	case trimmed[0] == '{' || trimmed[0] == '[':
		return recogniseJSON(in, r, trimmed), nil
	}
	t, err := openTable(in, r, warn)
	if err != nil {
		return form{}, err
	}
	return recogniseTable(t, warn)
}

// recogniseJSON tells an answer of the Paris API from lines of readings.
func recogniseJSON(in *intake, r *input, head []byte) form {
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	paris := bytes.Contains(head, []byte(`"iu_ac"`)) || bytes.Contains(head, []byte(`"results"`))
	switch {
	case !paris:
		return form{decoder: newLines(in, r, decodeSensorLine), name: "CityFlow NDJSON"}
	case head[0] == '{' && bytes.Contains(line, []byte(`"iu_ac"`)) && !bytes.Contains(line, []byte(`"results"`)):
		return form{decoder: newLines(in, r, newParisLines(in)), name: "Paris counts, JSON lines"}
	default:
		return form{decoder: newParisJSON(in, r), name: "Paris counts, JSON"}
	}
}

// recogniseTable goes by the header. Columns that the user named come first, so that
// a table which looks like another can still be read.
func recogniseTable(t *table, warn func(string)) (form, error) {
	if t.in.plan.columns != nil {
		d, missing := newLong(t)
		if len(missing) == 0 {
			return form{decoder: d, name: "long table"}, nil
		}
		if other, err := recogniseKnown(t); other.decoder != nil || err != nil {
			return other, err
		}
		return form{}, columnsError(t.header, strings.Join(missing, ", ")+" (named by --columns)")
	}
	if known, err := recogniseKnown(t); known.decoder != nil || err != nil {
		return known, err
	}
	return recogniseWide(t, warn)
}

// recogniseKnown finds the tables that describe themselves; a zero form is "none".
func recogniseKnown(t *table) (form, error) {
	cols, claimed, complete := parisfeed.FindColumns(t.header)
	switch {
	case complete:
		return form{decoder: newParisTable(t, cols), name: "Paris counts, CSV"}, nil
	case claimed:
		return form{}, columnsError(t.header, parisfeed.Wanted)
	}
	d, err := newSCATS(t)
	if d == nil || err != nil {
		return form{}, err
	}
	return form{decoder: d, name: "SCATS volumes"}, nil
}

const wantWide = "the columns of Paris counts (" + parisfeed.Wanted + ")," +
	" or a time column (ts, time, timestamp, date, datetime) and one column per sensor," +
	" or a column per sensor with --start and --step," +
	" or any columns named by --columns ts=…,sensor=…,flow=…"

// recogniseWide takes a table for wide when it has a time column or the user said
// when it starts.
func recogniseWide(t *table, warn func(string)) (form, error) {
	p := t.in.plan
	col := slices.IndexFunc(t.header, isTimeColumn)
	if col < 0 && !p.hasStart && isIndexColumn(t.header[0]) {
		col = 0
	}
	switch {
	case col < 0 && !p.hasStart, len(t.header) == 1 && col == 0:
		return form{}, columnsError(t.header, wantWide)
	case col >= 0 && len(t.header) > 1:
		if name := longLooking(t.header); name != "" {
			return form{}, fmt.Errorf("column %q does not look like a sensor: %w", name, columnsError(t.header, wantWide))
		}
	}
	if !p.units.said {
		warn("the file does not say its unit: its numbers are taken as km/h; say --units mph, veh/h, …")
	}
	return form{decoder: newWide(t, col), name: "wide table", wide: true, ordered: col < 0}, nil
}

func isTimeColumn(name string) bool {
	switch parisfeed.Fold(name) {
	case "ts", "time", "timestamp", "date", "datetime":
		return true
	}
	return false
}

// isIndexColumn reports a first column as data frames write their index.
func isIndexColumn(name string) bool {
	return name == "" || strings.HasPrefix(name, "Unnamed: ")
}

// longLooking returns a column that belongs to a long table: reading one as wide
// would make a sensor of every column.
func longLooking(header []string) string {
	for _, h := range header {
		switch parisfeed.Fold(h) {
		case "sensor", "sensorid", "detector", "detectorid", "speed", "avgspeed", "speedkmh", "flow", "occupancy",
			"value", "count", "volume", "vehiclecount", "counterid", "reportid":
			return h
		}
	}
	return ""
}
