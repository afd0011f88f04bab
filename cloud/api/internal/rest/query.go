package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/2zrhun/city-flow/cloud/api/internal/live"
	"github.com/2zrhun/city-flow/cloud/api/internal/problem"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// The limits of lists.
const (
	maxLimit     = 1000
	defaultLimit = 100
	maxCursor    = 1024
)

// A query reads the parameters of one request. The first thing that is wrong is kept,
// and done returns it; so handlers read all they need and ask once.
type query struct {
	values url.Values
	known  []string
	bad    *problem.Error
}

func newQuery(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.refuse("query string", r.URL.RawQuery, "name=value pairs separated by & and percent-encoded")
	}
	return q
}

func (q *query) refuse(name, value, allowed string) {
	if q.bad == nil {
		q.bad = problem.BadInput(name, value, allowed)
	}
}

// done returns the first wrong parameter; a parameter that nobody asked for is wrong.
func (q *query) done() error {
	names := make([]string, 0, len(q.values))
	for name := range q.values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(q.known, name) {
			allowed := "no parameter"
			if len(q.known) > 0 {
				allowed = "only " + strings.Join(q.known, ", ")
			}
			q.refuse("parameter", name, allowed)
		}
	}
	if q.bad != nil {
		return q.bad
	}
	return nil
}

// text is a parameter's value; false when it was not given.
func (q *query) text(name string) (string, bool) {
	q.known = append(q.known, name)
	given := q.values[name]
	switch {
	case len(given) == 0:
		return "", false
	case len(given) > 1:
		q.refuse(name, strings.Join(given, ", "), "one value")
	case given[0] == "":
		q.refuse(name, "", "a value, or leave the parameter out")
	case !utf8.ValidString(given[0]):
		q.refuse(name, strings.ToValidUTF8(given[0], "?"), "UTF-8 text")
	}
	return given[0], given[0] != ""
}

// name is a road id or a model's name; empty when it was not given.
func (q *query) name(parameter string) string {
	s, _ := q.text(parameter)
	if len(s) > traffic.MaxIDBytes {
		q.refuse(parameter, s, fmt.Sprintf("at most %d bytes", traffic.MaxIDBytes))
	}
	if strings.ContainsRune(s, 0) {
		q.refuse(parameter, s, "printable text")
	}
	return s
}

// required is like name, but must be given.
func (q *query) required(parameter string) string {
	s := q.name(parameter)
	if s == "" {
		q.refuse(parameter, "", "a value: the parameter is required")
	}
	return s
}

// oneOf is one of the allowed words, the first of which is the default.
func (q *query) oneOf(name string, allowed ...string) string {
	s, ok := q.text(name)
	if !ok {
		return allowed[0]
	}
	if !slices.Contains(allowed, s) {
		q.refuse(name, s, "one of "+strings.Join(allowed, ", "))
	}
	return s
}

// integer is a number from low to high; def when it was not given.
func (q *query) integer(name string, low, high, def int) int {
	s, ok := q.text(name)
	if !ok {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		q.refuse(name, s, fmt.Sprintf("a whole number from %d to %d", low, high))
		return def
	}
	return n
}

// moment is a time; zero when it was not given.
func (q *query) moment(name string) time.Time {
	s, ok := q.text(name)
	if !ok {
		return time.Time{}
	}
	// A + that was not percent-encoded arrives as a space, where only a zone can be.
	t, err := time.Parse(time.RFC3339, strings.Replace(s, " ", "+", 1))
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		q.refuse(name, s, "an RFC 3339 time such as 2026-08-24T08:00:00Z")
		return time.Time{}
	}
	return t.UTC()
}

// width is the width of a bucket.
func (q *query) width(name string, low, high, def time.Duration) time.Duration {
	s, ok := q.text(name)
	if !ok {
		return def
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < low || d > high || d%time.Second != 0 {
		q.refuse(name, s, fmt.Sprintf("whole seconds from %s to %s, such as 30s, 5m or 1h", low, high))
		return def
	}
	return d
}

// box is a rectangle; nil when it was not given.
func (q *query) box(name string) *store.BBox {
	s, ok := q.text(name)
	if !ok {
		return nil
	}
	const allowed = "minLng,minLat,maxLng,maxLat in degrees, minima not above maxima"
	parts := strings.Split(s, ",")
	if len(parts) != 4 {
		q.refuse(name, s, allowed)
		return nil
	}
	var v [4]float64
	for i, p := range parts {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil {
			q.refuse(name, s, allowed)
			return nil
		}
		v[i] = f
	}
	b := store.BBox{MinLng: v[0], MinLat: v[1], MaxLng: v[2], MaxLat: v[3]}
	if err := live.CheckBBox(b); err != nil {
		q.refuse(name, s, allowed)
		return nil
	}
	return &b
}

// words is a list separated by commas; nil when it was not given.
func (q *query) words(name string, most int) []string {
	s, ok := q.text(name)
	if !ok {
		return nil
	}
	words := strings.Split(s, ",")
	if len(words) > most {
		q.refuse(name, strconv.Itoa(len(words))+" items", fmt.Sprintf("at most %d", most))
	}
	for _, w := range words {
		if w == "" || len(w) > traffic.MaxIDBytes || strings.ContainsRune(w, 0) {
			q.refuse(name, w, fmt.Sprintf("items of 1 to %d bytes separated by commas", traffic.MaxIDBytes))
		}
	}
	return words
}

// page is limit and cursor.
func (q *query) page() store.Page {
	p := store.Page{Limit: q.integer("limit", 1, maxLimit, defaultLimit)}
	c, _ := q.text("cursor")
	if len(c) > maxCursor {
		q.refuse("cursor", c, "the next_cursor of the answer before")
	}
	p.After = store.Cursor(c)
	return p
}

// badCursor is the answer to a cursor that does not belong to this list.
func badCursor(c store.Cursor) error {
	return problem.BadInput("cursor", string(c), "the next_cursor of the answer before, with the same other parameters")
}
