package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/2zrhun/city-flow/shared/traffic"
	"github.com/2zrhun/city-flow/simulator/parisfeed"
)

// A table is a CSV file with a header, read row by row.
type table struct {
	in     *intake
	csv    *csv.Reader
	header []string
	// headerLine is the last line of the header.
	headerLine int
}

// openTable reads the header. warn hears of what was put right to read the file.
func openTable(in *intake, r *input, warn func(string)) (*table, error) {
	t := &table{in: in}
	head, err := r.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return nil, readError(err)
	}
	g := newGuard(r.Reader, t.badLine, func() { warn("the header begins with a stray quote, which is ignored") })
	t.csv = csv.NewReader(g)
	t.csv.Comma = delimiter(head)
	t.csv.FieldsPerRecord = -1
	t.csv.ReuseRecord = true
	return t, t.readHeader()
}

func (t *table) readHeader() error {
	fields, err := t.csv.Read()
	if err != nil {
		return fmt.Errorf("read header: %w", headerError(err))
	}
	t.header = make([]string, len(fields))
	for i, f := range fields {
		t.header[i] = strings.TrimSpace(strings.Clone(f))
	}
	t.headerLine, _ = t.csv.FieldPos(0)
	return nil
}

func headerError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file has no line with text")
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return err
	}
	return readError(err)
}

// delimiter is the separator that the first line has most of.
func delimiter(head []byte) rune {
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', strings.Count(line, ",")
	for _, c := range []rune{';', '\t'} {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// next returns the next row that has as many fields as the header, and its line. The
// others are rejected on the way. The row is valid until the next call.
func (t *table) next() ([]string, int, error) {
	for {
		fields, err := t.csv.Read()
		var parse *csv.ParseError
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return nil, 0, io.EOF
		case errors.As(err, &parse):
			t.in.reject(parse.StartLine, strings.Join(fields, ","), errors.New(parse.Err.Error()))
			continue
		default:
			return nil, 0, fmt.Errorf("%s: %w", t.in.path, readError(err))
		}
		line, _ := t.csv.FieldPos(0)
		if n := len(fields); n < len(t.header) || !allEmpty(fields[len(t.header):]) {
			t.in.reject(line, strings.Join(fields, ","), fmt.Errorf("the row has %d fields, the header %d", n, len(t.header)))
			continue
		}
		return fields, line, nil
	}
}

func allEmpty(fields []string) bool {
	for _, f := range fields {
		if f != "" {
			return false
		}
	}
	return true
}

// badLine records a line that the guard left out.
func (t *table) badLine(line int, head []byte, reason traffic.Reason, detail string) {
	t.in.refuse(traffic.Rejected{
		At: t.in.now, Origin: t.in.where(line), Reason: reason, Detail: detail,
		Payload: []byte(strings.TrimRight(string(head[:min(len(head), traffic.MaxRejectedPayload)]), "\r\n")),
	})
}

// find returns the place of a column, by its exact name or else by its folded one.
func (t *table) find(name string) (int, bool) {
	for i, h := range t.header {
		if h == name {
			return i, true
		}
	}
	folded := parisfeed.Fold(name)
	for i, h := range t.header {
		if folded != "" && parisfeed.Fold(h) == folded {
			return i, true
		}
	}
	return -1, false
}

// columnsError says which columns a file has and which were wanted.
func columnsError(found []string, wanted string) error {
	const most = 20
	list := found
	more := ""
	if len(list) > most {
		list, more = list[:most], fmt.Sprintf(" and %d more", len(found)-most)
	}
	return fmt.Errorf("columns found: %s%s; wanted: %s", strings.Join(list, ", "), more, wanted)
}
