package parisfeed

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// UnmarshalJSON reads one record of the Explore API. Numbers may be text and the
// other way round: the publisher changed its mind over the years.
func (r *Record) UnmarshalJSON(b []byte) error {
	var j struct {
		Arc       scalar          `json:"iu_ac"`
		Stamp     scalar          `json:"t_1h"`
		Flow      scalar          `json:"q"`
		Occupancy scalar          `json:"k"`
		Label     scalar          `json:"libelle"`
		From      scalar          `json:"iu_nd_amont"`
		To        scalar          `json:"iu_nd_aval"`
		Point     *point          `json:"geo_point_2d"`
		Shape     json.RawMessage `json:"geo_shape"`
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*r = Record{
		Arc: string(j.Arc), Stamp: string(j.Stamp), Flow: string(j.Flow), Occupancy: string(j.Occupancy),
		Label: string(j.Label), FromNode: string(j.From), ToNode: string(j.To),
	}
	if j.Point != nil {
		r.Point = j.Point.text()
	}
	if s := string(j.Shape); s != "null" {
		r.Shape = s
	}
	return nil
}

// scalar is a JSON string, number, boolean or null, as text.
type scalar string

func (s *scalar) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '"':
		var t string
		if err := json.Unmarshal(b, &t); err != nil {
			return err
		}
		*s = scalar(t)
	case '{', '[':
		return fmt.Errorf("found %.20s: want text or a number", b)
	case 'n':
		*s = ""
	default:
		*s = scalar(b)
	}
	return nil
}

type point struct{ Lon, Lat float64 }

func (p *point) text() string {
	f := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	return f(p.Lat) + "," + f(p.Lon)
}

// A JSONReader reads the records of an answer of the Explore API, either
// {"total_count":…,"results":[…]} or a bare array, one at a time: an answer of any
// size takes the memory of one record.
type JSONReader struct {
	dec   *json.Decoder
	begun bool
	ended bool
	// object says that the records are a member of an object.
	object bool
	total  int
	n      int
}

// NewJSONReader returns a reader of the answer in r.
func NewJSONReader(r io.Reader) *JSONReader {
	return &JSONReader{dec: json.NewDecoder(r), total: -1}
}

// Total is what the answer said about the number of records that match the query,
// or -1 as long as it has not said it: it may come after the records.
func (j *JSONReader) Total() int { return j.total }

// N is the number of records read, broken ones included.
func (j *JSONReader) N() int { return j.n }

// A RecordError is one record that can't be read; those after it can.
type RecordError struct {
	// N counts the records of the answer from 1.
	N   int
	Err error
}

// Error names the record.
func (e *RecordError) Error() string { return fmt.Sprintf("record %d: %v", e.N, e.Err) }

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// Next returns the next record, io.EOF after the last, a *RecordError for one that
// is not what the API promises, and any other error when the answer breaks off or
// is no answer of the API at all.
func (j *JSONReader) Next() (Record, error) {
	if !j.begun {
		if err := j.begin(); err != nil {
			return Record{}, err
		}
		j.begun = true
	}
	if j.ended {
		return Record{}, io.EOF
	}
	if !j.dec.More() {
		return Record{}, j.end()
	}
	j.n++
	var r Record
	err := j.dec.Decode(&r)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Record{}, fmt.Errorf("JSON breaks off in record %d, byte %d: %w", j.n, j.dec.InputOffset(), noEOF(err))
	default:
		return Record{}, &RecordError{N: j.n, Err: err}
	}
}

// begin walks to the first record.
func (j *JSONReader) begin() error {
	t, err := j.dec.Token()
	if err != nil {
		return fmt.Errorf("want JSON of the Explore API: %w", noEOF(err))
	}
	switch t {
	case json.Delim('['):
		return nil
	case json.Delim('{'):
		j.object = true
		return j.members("results")
	default:
		return fmt.Errorf("want JSON of the Explore API, found %v", t)
	}
}

// members walks the members of the answer, up to and into the list that is called
// list. An answer without that member is none of the API.
func (j *JSONReader) members(list string) error {
	var keys []string
	for j.dec.More() {
		key, err := j.dec.Token()
		if err != nil {
			return fmt.Errorf("read answer: %w", noEOF(err))
		}
		name := fmt.Sprint(key)
		if name == list {
			return j.expect('[')
		}
		keys = append(keys, name)
		var into any = new(json.RawMessage)
		if name == "total_count" {
			into = &j.total
		}
		if err := j.dec.Decode(into); err != nil {
			return fmt.Errorf("read %s: %w", name, noEOF(err))
		}
	}
	if list == "" {
		return j.expect('}')
	}
	return fmt.Errorf("want a member %q, found %s", list, strings.Join(keys, ", "))
}

func (j *JSONReader) expect(d json.Delim) error {
	t, err := j.dec.Token()
	if err != nil {
		return fmt.Errorf("read answer: %w", noEOF(err))
	}
	if t != d {
		return fmt.Errorf("read answer: found %v, want %v", t, d)
	}
	return nil
}

// end consumes what comes after the last record, so that an answer which was cut off
// is not taken for a short one.
func (j *JSONReader) end() error {
	err := j.expect(']')
	if err == nil && j.object {
		err = j.members("")
	}
	if err != nil {
		return fmt.Errorf("JSON breaks off after record %d: %w", j.n, err)
	}
	j.ended = true
	return io.EOF
}

// noEOF keeps "the answer is cut off" from looking like the regular end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteJSON writes records as the portal's exports/json does; a JSONReader reads
// them back. Shapes and points are left out.
func WriteJSON(w io.Writer, recs []Record) error {
	type record struct {
		Arc       string      `json:"iu_ac"`
		Stamp     string      `json:"t_1h"`
		Flow      json.Number `json:"q,omitempty"`
		Occupancy json.Number `json:"k,omitempty"`
		Label     string      `json:"libelle,omitempty"`
		From      string      `json:"iu_nd_amont,omitempty"`
		To        string      `json:"iu_nd_aval,omitempty"`
	}
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for i, r := range recs {
		_ = b.WriteByte("[,"[min(i, 1)]) // Flush returns the error of any write
		err := e.Encode(record{r.Arc, r.Stamp, jsonNumber(r.Flow), jsonNumber(r.Occupancy), r.Label, r.FromNode, r.ToNode})
		if err != nil {
			return fmt.Errorf("write record of arc %s: %w", r.Arc, err)
		}
	}
	end := "]\n"
	if len(recs) == 0 {
		end = "[]\n"
	}
	_, _ = b.WriteString(end)
	return b.Flush()
}

// jsonNumber is the number in a text, nothing where there is none.
func jsonNumber(s string) json.Number {
	v, err := ParseNumber(s)
	if f, ok := v.Get(); err == nil && ok && !math.IsInf(f, 0) {
		return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
	}
	return ""
}
