package works

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// zone is the wall clock of the sentences and dates.
const zone = "Europe/Paris"

// farEnd is how long a work may last before it is remarked upon.
const farEnd = 5 * 366 * 24 * time.Hour

// Import reads closures or works from a CSV with semicolons, gzipped or not, and finds
// out by its columns which of the three files it is. The error names the file, the
// line and what to do when it cannot be read to its end or nothing of it can be used;
// the other results are nil then.
func Import(ctx context.Context, path string) ([]Work, *Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read works: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	works, rep, err := read(ctx, filepath.Base(path), f)
	if err != nil {
		return nil, nil, fmt.Errorf("read works: %w", err)
	}
	return works, rep, nil
}

// A reader reads one file.
type reader struct {
	name  string
	rows  *csv.Reader
	cols  map[string]int
	width int
	form  form
	place *time.Location
	rep   *Report
	seen  map[string]bool
}

func read(ctx context.Context, name string, in io.Reader) ([]Work, *Report, error) {
	place, err := time.LoadLocation(zone)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{name: name, place: place, rep: &Report{}, seen: make(map[string]bool)}
	if err := r.header(in); err != nil {
		return nil, nil, err
	}
	var works []Work
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		row, err := r.rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: the file is damaged or was cut short, get it again: %w", name, err)
		}
		if w, ok := r.row(row); ok {
			works = append(works, w)
		}
	}
	r.rep.Works = len(works)
	if len(works) == 0 {
		return nil, nil, fmt.Errorf("%s: none of %d rows can be used%s", name, r.rep.Rows, firstOf(r.rep.Issues))
	}
	return works, r.rep, nil
}

func firstOf(issues []Issue) string {
	if len(issues) == 0 {
		return ""
	}
	return fmt.Sprintf(", the first because of %s (%s) %s", issues[0].Kind, issues[0].Where, issues[0].Detail)
}

// header reads the first row and finds out which file this is.
func (r *reader) header(in io.Reader) error {
	buf := bufio.NewReaderSize(in, 64<<10)
	if head, _ := buf.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		gz, err := gzip.NewReader(buf)
		if err != nil {
			return fmt.Errorf("%s: not a whole gzip file: %w", r.name, err)
		}
		buf = bufio.NewReaderSize(gz, 64<<10)
	}
	if head, _ := buf.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = buf.Discard(3) // it was there
	}
	r.rows = csv.NewReader(buf)
	r.rows.Comma, r.rows.FieldsPerRecord, r.rows.ReuseRecord = ';', -1, true
	names, err := r.rows.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the file is empty", r.name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	r.cols, r.width = make(map[string]int), len(names)
	for i, n := range names {
		r.cols[plain(n)] = i
	}
	for _, f := range forms() {
		if missing := f.missing(r.cols); len(missing) == 0 {
			r.form, r.rep.Format = f, f.name
			return nil
		} else if len(missing) < len(f.columns)/2 {
			return fmt.Errorf("%s: column %q is missing: want the export of %s with all its columns", r.name, missing[0], f.name)
		}
	}
	return fmt.Errorf("%s: unknown columns: want the export of fermetures-voirie, chantiers-perturbants or chantiers-a-paris as CSV with semicolons", r.name)
}

// row makes a work of a row, or says why not.
func (r *reader) row(row []string) (w Work, ok bool) {
	r.rep.Rows++
	line, _ := r.rows.FieldPos(0)
	issue := Issue{Where: fmt.Sprintf("%s:%d", r.name, line)}
	drop := func(k IssueKind, detail string) (Work, bool) {
		issue.Kind, issue.Detail = k, detail
		r.rep.add(issue)
		return Work{}, false
	}
	if len(row) != r.width {
		return drop(BadRow, fmt.Sprintf("%d columns: want %d as in the header", len(row), r.width))
	}
	get := func(column string) string { return strings.TrimSpace(row[r.cols[column]]) }
	w = r.form.work(get)
	issue.ID = w.ID
	if w.ID == "" {
		return drop(BadRow, "no id")
	}
	if r.seen[w.ID] {
		return drop(Duplicate, "the first row with the id counts")
	}
	var notes []Issue
	note := func(k IssueKind, detail string) {
		notes = append(notes, Issue{Kind: k, Where: issue.Where, ID: w.ID, Detail: detail})
	}
	var err error
	if w.From, w.To, err = r.form.times(get, r.place, note); err != nil {
		return drop(NoDates, err.Error())
	}
	if !w.From.Before(w.To) {
		return drop(EndsFirst, fmt.Sprintf("from %s to %s", w.From.Format(time.RFC3339), w.To.Format(time.RFC3339)))
	}
	if w.To.Sub(w.From) > farEnd {
		note(FarEnd, "until "+w.To.Format(time.DateOnly))
	}
	switch w.Shape, err = shape(get("geo shape")); {
	case err != nil:
		return drop(BadRow, "geo_shape: "+err.Error())
	case w.Shape == nil:
		note(NoShape, "")
	}
	r.seen[w.ID] = true
	for _, n := range notes {
		r.rep.add(n)
	}
	return w, true
}
