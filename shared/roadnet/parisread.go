package roadnet

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
)

// A part is one row or feature of the Paris reference: an arc, or a piece of one.
type part struct {
	arc      int
	label    string
	from, to traffic.NodeID
	lines    [][]traffic.Point
	where    string
}

// A rowError is a row that cannot be used while those around it can.
type rowError struct {
	where string
	err   error
}

func (e *rowError) Error() string { return e.where + ": " + e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// parts yields the usable rows of a file; a *rowError stands for a bad row and goes
// on, any other error ends the file.
type parts = iter.Seq2[part, error]

// rawPart is a row before its fields were read, in the spelling of the API.
type rawPart struct {
	Arc     json.RawMessage `json:"iu_ac"`
	Label   json.RawMessage `json:"libelle"`
	From    json.RawMessage `json:"iu_nd_amont"`
	To      json.RawMessage `json:"iu_nd_aval"`
	geo     json.RawMessage
	whereAt string
}

func (r *rawPart) part() (part, error) {
	p := part{where: r.whereAt, label: text(r.Label)}
	arc, err := strconv.Atoi(number(r.Arc))
	if err != nil || arc < 0 {
		return p, r.bad("iu_ac", text(r.Arc), "a whole number")
	}
	p.arc = arc
	if p.from, err = nodeID(r.From); err != nil {
		return p, r.bad("iu_nd_amont", text(r.From), "a whole number or nothing")
	}
	if p.to, err = nodeID(r.To); err != nil {
		return p, r.bad("iu_nd_aval", text(r.To), "a whole number or nothing")
	}
	if p.lines, err = geometryLines(r.geo); err != nil {
		return p, &rowError{r.whereAt, fmt.Errorf("iu_ac %d: geometry: %w", arc, err)}
	}
	return p, nil
}

func (r *rawPart) bad(field, value, want string) error {
	return &rowError{r.whereAt, fmt.Errorf("%s: %q is not allowed: want %s", field, value, want)}
}

// text is a JSON string's content, or the JSON text of anything else; null is empty.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s // a null leaves s empty
	}
	return string(raw)
}

// number is the text of a whole number that may be written 12, "12" or 12.0.
func number(raw json.RawMessage) string {
	return strings.TrimSuffix(strings.TrimSpace(text(raw)), ".0")
}

// nodeID reads a junction's number; junction 0 is real, only absence is "".
func nodeID(raw json.RawMessage) (traffic.NodeID, error) {
	s := number(raw)
	if s == "" {
		return "", nil
	}
	n, err := strconv.Atoi(s)
	return traffic.NodeID(strconv.Itoa(n)), err
}

// geometryLines reads a GeoJSON LineString or MultiLineString, bare or inside a
// Feature, as the publisher's export formats have it.
func geometryLines(raw json.RawMessage) ([][]traffic.Point, error) {
	var g struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
		Geometry    json.RawMessage `json:"geometry"`
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil, errors.New("absent")
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, err
	}
	var lines [][][]float64
	switch g.Type {
	case "LineString":
		lines = make([][][]float64, 1)
		if err := json.Unmarshal(g.Coordinates, &lines[0]); err != nil {
			return nil, err
		}
	case "MultiLineString":
		if err := json.Unmarshal(g.Coordinates, &lines); err != nil {
			return nil, err
		}
	case "Feature":
		return geometryLines(g.Geometry)
	default:
		return nil, fmt.Errorf("type %q is not allowed: want LineString or MultiLineString", g.Type)
	}
	return pointLines(lines)
}

func pointLines(lines [][][]float64) ([][]traffic.Point, error) {
	out := make([][]traffic.Point, len(lines))
	for i, line := range lines {
		if len(line) < 2 {
			return nil, fmt.Errorf("a line has %d points: want at least 2", len(line))
		}
		out[i] = make([]traffic.Point, len(line))
		for j, c := range line {
			if len(c) < 2 {
				return nil, fmt.Errorf("a point has %d numbers: want longitude and latitude", len(c))
			}
			p := traffic.Point{Lng: c[0], Lat: c[1]}
			if !validPoint(p) {
				return nil, fmt.Errorf("point %v is not on Earth: want longitude -180 to 180, latitude -90 to 90", c)
			}
			out[i][j] = quantized(p)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no line")
	}
	return out, nil
}

// geoJSONParts reads a FeatureCollection feature by feature, so that memory holds
// one at a time.
func geoJSONParts(name string, in io.Reader) parts {
	return func(yield func(part, error) bool) {
		dec := json.NewDecoder(in)
		if err := seekFeatures(dec); err != nil {
			yield(part{}, fmt.Errorf("%s: %w", name, err))
			return
		}
		for i := 1; dec.More(); i++ {
			where := fmt.Sprintf("%s: feature %d", name, i)
			var f struct {
				Properties rawPart         `json:"properties"`
				Geometry   json.RawMessage `json:"geometry"`
			}
			err := dec.Decode(&f)
			var wrongType *json.UnmarshalTypeError
			switch {
			case errors.As(err, &wrongType):
				if !yield(part{}, &rowError{where, err}) {
					return
				}
				continue
			case err != nil:
				yield(part{}, damaged(fmt.Sprintf("%s (byte %d)", where, dec.InputOffset()), err))
				return
			}
			f.Properties.geo, f.Properties.whereAt = f.Geometry, where
			if !yield(f.Properties.part()) {
				return
			}
		}
		if _, err := dec.Token(); err != nil { // the closing bracket
			yield(part{}, damaged(name, err))
		}
	}
}

// seekFeatures reads up to the first element of the top-level "features" array.
func seekFeatures(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return damaged("top level", err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return damaged("top level", err)
		}
		if key == "features" {
			if open, err := dec.Token(); err != nil || open != json.Delim('[') {
				return errors.New(`"features" is not a list: want a GeoJSON FeatureCollection`)
			}
			return nil
		}
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return damaged("top level", err)
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return damaged("top level", err)
	}
	return errors.New(`no "features": want a GeoJSON FeatureCollection`)
}

// csvParts reads the export with semicolons row by row.
func csvParts(name string, in io.Reader) parts {
	return func(yield func(part, error) bool) {
		r := csv.NewReader(in)
		r.Comma, r.ReuseRecord = ';', true
		header, err := r.Read()
		if err != nil {
			yield(part{}, fmt.Errorf("%s:1: %w", name, err))
			return
		}
		cols, err := csvColumns(header)
		if err != nil {
			yield(part{}, fmt.Errorf("%s:1: %w", name, err))
			return
		}
		for line := 1; ; line, _ = r.FieldPos(0) {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var syntax *csv.ParseError
			switch {
			case errors.As(err, &syntax) && errors.Is(err, csv.ErrFieldCount):
				err = &rowError{fmt.Sprintf("%s:%d", name, syntax.StartLine), fmt.Errorf("%d columns: want %d as in the header", len(row), len(header))}
				if !yield(part{}, err) {
					return
				}
				continue
			case errors.As(err, &syntax):
				yield(part{}, fmt.Errorf("%s:%d: column %d: %w: repair or delete the row that begins at line %d", name, syntax.Line, syntax.Column, syntax.Err, syntax.StartLine))
				return
			case err != nil:
				yield(part{}, damaged(fmt.Sprintf("%s: after line %d", name, line), err))
				return
			}
			at, _ := r.FieldPos(0)
			if !yield(cols.part(row, fmt.Sprintf("%s:%d", name, at))) {
				return
			}
		}
	}
}

// csvFields are the columns that matter, by their place in a row.
type csvFields struct{ arc, label, from, to, shape int }

// csvColumns finds the columns by their French labels or their API names, however
// they are accented, capitalised or spaced.
func csvColumns(header []string) (csvFields, error) {
	var c csvFields
	for _, want := range []struct {
		at    *int
		names []string
	}{
		{&c.arc, []string{"identifiant arc", "iu ac"}},
		{&c.label, []string{"libelle"}},
		{&c.from, []string{"identifiant noeud amont", "iu nd amont"}},
		{&c.to, []string{"identifiant noeud aval", "iu nd aval"}},
		{&c.shape, []string{"geo shape"}},
	} {
		*want.at = -1
		for i, h := range header {
			for _, n := range want.names {
				if columnName(h) == n {
					*want.at = i
				}
			}
		}
		if *want.at < 0 {
			return c, fmt.Errorf("column %q is missing, there are %q: want the export of referentiel-comptages-routiers", want.names[0], header)
		}
	}
	return c, nil
}

// columnName folds what differs between the publisher's exports.
func columnName(s string) string {
	fold := strings.NewReplacer("é", "e", "è", "e", "œ", "oe", "_", " ")
	return strings.Join(strings.Fields(fold.Replace(strings.ToLower(s))), " ")
}

func (c csvFields) part(row []string, where string) (part, error) {
	raw := rawPart{
		Arc: quoted(row[c.arc]), Label: quoted(row[c.label]), From: quoted(row[c.from]), To: quoted(row[c.to]),
		geo: json.RawMessage(row[c.shape]), whereAt: where,
	}
	return raw.part()
}

// quoted makes a CSV field look like a JSON string.
func quoted(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string cannot fail
	return b
}
