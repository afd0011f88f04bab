package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
)

// A track is one file on its way to the merge: its rows in time order.
type track struct {
	in *intake
	// rank is the place of the file among the files.
	rank int
	// rows are those that were loaded, pos the next of them.
	rows *rows
	pos  int
	// rest reads what was not loaded, nil where all was; its rows must be in order.
	rest *opened
	// head is the current row and last the time of the newest one before.
	head row
	last int64
}

// opened is a file whose form is known, ready to be read.
type opened struct {
	form
	file *input
	in   *intake
}

// An opener opens files the way the user said.
type opener struct {
	plan plan
	deps Deps
	log  *slog.Logger
}

// quiet returns an opener that only looks: it reports, counts and shows nothing.
func (s opener) quiet() opener {
	deps := Deps{Now: s.deps.Now}.orDefaults()
	return opener{plan: s.plan, deps: deps, log: deps.Log}
}

// open recognises a file.
func (s *opener) open(path string, sens *sensors, c *counts) (*opened, error) {
	in := &intake{path: path, plan: &s.plan, sensors: sens, now: s.deps.Now(), counts: c, onRejected: s.deps.OnRejected}
	file, err := openInput(path, s.deps.Progress.Add)
	if err != nil {
		return nil, err
	}
	warn := func(msg string) { s.log.Warn(msg, "file", path) }
	f, err := recognise(in, file, warn)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &opened{form: f, file: file, in: in}, nil
}

// load makes a track of a file: it holds the file's rows, or as many as the budget
// allows and, when those were in order, the rest of the file. It returns nil when
// the file has no readings.
func (s *Source) load(ctx context.Context, path string, sens *sensors, budget *int) (*track, error) {
	stream, err := s.streams(path)
	if err != nil {
		return nil, err
	}
	o, err := s.open(path, sens, &s.counts)
	if err != nil {
		return nil, err
	}
	s.log.Info("reading", "file", path, "form", o.name)
	t := &track{in: o.in, rows: newRows(), rest: o, last: math.MinInt64}
	if !stream {
		err = t.fill(ctx, budget)
	}
	var some bool
	if err == nil {
		some, err = t.advance()
	}
	if err == nil && !some {
		err = o.in.verdict()
		s.log.Warn("no readings in the file", "file", path, "no_measurement", o.in.own.noMeasurement.Load())
	}
	if err != nil || !some {
		t.close()
		return nil, err
	}
	return t, nil
}

// streams reports whether a file's rows are in time order for certain: by its form,
// or because it is a wide table, which may be large, and its time column, read once,
// says so.
func (s *opener) streams(path string) (bool, error) {
	quiet := s.quiet()
	o, err := quiet.open(path, newSensors(nil), new(counts))
	if err != nil {
		return false, err
	}
	defer o.file.Close()
	if w, ok := o.decoder.(*wide); ok && !o.ordered {
		return w.inOrder()
	}
	return o.ordered, nil
}

// fill loads rows until the file ends or the budget is used up.
func (t *track) fill(ctx context.Context, budget *int) error {
	var r row
	for n := 0; *budget > 0; n++ {
		if n%blockRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		_, err := t.rest.next(&r)
		if errors.Is(err, io.EOF) {
			t.close()
			t.rows.sort()
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.rows.add(&r); err != nil {
			return err
		}
		*budget--
	}
	if !t.rows.sorted {
		return fmt.Errorf("%s: %w", t.in.path, errUnsorted)
	}
	return nil
}

// errUnsorted is the error of a file that would have to be sorted and is too large.
var errUnsorted = errors.New("the file is not in time order and has more rows than may be held in memory:" +
	" sort it by time, or raise --max-rows (36 bytes a row at most)")

// advance moves head to the next row; false is the end of the file.
func (t *track) advance() (bool, error) {
	if t.pos < t.rows.n {
		t.rows.get(t.pos, &t.head)
		t.pos++
		t.last = t.head.at
		return true, nil
	}
	if t.rest == nil {
		return false, nil
	}
	t.rows, t.pos = newRows(), 0
	line, err := t.rest.next(&t.head)
	switch {
	case errors.Is(err, io.EOF):
		t.close()
		return false, nil
	case err != nil:
		return false, err
	case t.head.at < t.last:
		return false, fmt.Errorf("%s: %w", t.in.where(line), errUnsorted)
	}
	t.last = t.head.at
	return true, nil
}

func (t *track) close() {
	if t.rest != nil {
		t.rest.file.Close()
		t.rest = nil
	}
}
