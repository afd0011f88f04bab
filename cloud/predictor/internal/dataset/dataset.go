package dataset

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/2zrhun/city-flow/cloud/predictor/internal/series"
)

// Kind is the form of a file.
type Kind string

// The forms.
const (
	// Wide has a column per sensor, with or without a column of times.
	Wide Kind = "wide"
	// Long has a row per time and sensor.
	Long Kind = "long"
	// Paris is the hourly counts of the city of Paris, in any of their forms.
	Paris Kind = "paris"
	// SCATS is the volumes per quarter of an hour of the state of Victoria.
	SCATS Kind = "scats"
)

// A Set is a file that was read.
type Set struct {
	Name  string
	Kind  Kind
	Grid  *series.Grid
	Graph series.Graph
	// Notes say what was found beside the file, and what was made up.
	Notes []string
}

// Options are what a file may leave out.
type Options struct {
	// Start is the first moment of a file without times; zero when it is not known.
	Start time.Time
	// Step is the length of a step of a file without times.
	Step time.Duration
	// Zone is the time zone of the clock times in the file; empty is UTC.
	Zone string
	// Holidays is the country of the public holidays in the file: "FR" or empty.
	Holidays string
	// Unit is the unit of the values, for people.
	Unit string
	// ZeroMissing makes zeros missing values.
	ZeroMissing bool
}

// Open reads a file and what lies beside it.
func Open(path string, o Options) (*Set, error) {
	head, err := peek(path)
	if err != nil {
		return nil, fmt.Errorf("open data set: %w", err)
	}
	kind := kindOf(head)
	read := map[Kind]func(string, []string, Options) (*Set, error){
		Wide: readWide, Long: readLong, Paris: readParis, SCATS: readSCATS,
	}[kind]
	s, err := read(path, head, o)
	if err != nil {
		return nil, fmt.Errorf("read %s as %s: %w", path, kind, err)
	}
	s.Name, s.Kind = strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".csv"), kind
	if o.ZeroMissing {
		for i, v := range s.Grid.Values {
			if v == 0 {
				s.Grid.Values[i] = series.NaN()
			}
		}
	}
	return s, s.Grid.Validate()
}

// kindOf tells a form by its header.
func kindOf(head []string) Kind {
	joined := strings.ToLower(strings.Join(head, ","))
	switch {
	case strings.Contains(joined, "start time") || strings.Contains(joined, "scats number"):
		return SCATS
	case strings.Contains(joined, "iu_ac") || strings.Contains(joined, "identifiant arc"):
		return Paris
	case len(head) == 3 && (strings.HasSuffix(strings.ToLower(head[1]), "id") || strings.Contains(joined, "sensor,")):
		return Long
	}
	return Wide
}

// peek is the first line of a file, split.
func peek(path string) ([]string, error) {
	r, closer, err := records(path, 0)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read header of %s: %w", path, err)
	}
	for i := range head {
		head[i] = strings.TrimSpace(strings.Trim(strings.TrimPrefix(head[i], "\ufeff"), `"`))
	}
	return head, nil
}

func separator(line string) rune {
	if strings.Count(line, ";") > strings.Count(line, ",") {
		return ';'
	}
	return ','
}

// open opens a file, uncompressed when its name ends in .gz.
func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return f, err
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}

// records opens a file for reading by line. A comma of 0 is the one of the first line;
// a stray quotation mark before that line, as files of Paris have it, is dropped.
func records(path string, comma rune) (*csv.Reader, io.Closer, error) {
	f, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	buf := bufio.NewReaderSize(f, 1<<16)
	begin, err := buf.Peek(1 << 14)
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, nil, err
	}
	line, _, _ := strings.Cut(string(begin), "\n")
	if strings.HasPrefix(line, `"`) && strings.Count(line, `"`)%2 == 1 {
		if _, err := buf.Discard(1); err != nil {
			f.Close()
			return nil, nil, err
		}
	}
	if comma == 0 {
		comma = separator(line)
	}
	r := csv.NewReader(buf)
	r.Comma, r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes = comma, -1, true, true
	return r, f, nil
}

// lines are what a file still has, each valid until the next; an error ends them.
func lines(r *csv.Reader) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for {
			rec, err := r.Read()
			if errors.Is(err, io.EOF) || !yield(rec, err) || err != nil {
				return
			}
		}
	}
}
