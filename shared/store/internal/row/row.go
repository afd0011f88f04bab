package row

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/2zrhun/city-flow/shared/store"
)

// MaxRejected is how many rejected messages a store keeps: the newest.
const MaxRejected = 10000

// Text returns s as every database can keep it: PostgreSQL takes neither NUL nor
// invalid UTF-8, so each becomes U+FFFD, here as there.
func Text[S ~string](s S) string {
	if utf8.ValidString(string(s)) && strings.IndexByte(string(s), 0) < 0 {
		return string(s)
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(s), "\uFFFD"), "\x00", "\uFFFD")
}

// Micros is t in whole microseconds since 1970, rounded down.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Time is the inverse of Micros, in UTC.
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }

// Range turns half-open bounds, of which zero is open, into whole microseconds:
// a stored time is inside when from <= time < to.
func Range(from, to time.Time) (lo, hi int64) {
	lo, hi = math.MinInt64, math.MaxInt64
	if !from.IsZero() {
		lo = ceil(from)
	}
	if !to.IsZero() {
		hi = ceil(to)
	}
	return lo, hi
}

// ceil rounds up: whole microseconds before t are those before ceil(t).
func ceil(t time.Time) int64 {
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return us
}

// Limit is the length of a page.
func Limit(p store.Page) int {
	if p.Limit <= 0 {
		return store.DefaultLimit
	}
	return p.Limit
}

// Cut ends a page. Items were asked for one more than the limit: when that one
// is there, it is dropped and the cursor names the last item that stays.
func Cut[T any](items []T, limit int, key func(*T) []any) ([]T, store.Cursor, error) {
	if len(items) <= limit {
		return items, "", nil
	}
	items = items[:limit]
	next, err := store.MakeCursor(key(&items[limit-1])...)
	return items, next, err
}

// Finite returns false for the numbers that no average survives.
func Finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// IDs returns the names as plain text.
func IDs[S ~string](ids []S) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = Text(id)
	}
	return out
}
