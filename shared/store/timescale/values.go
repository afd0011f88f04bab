package timescale

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// optional is a quantity that may be NULL.
func optional(v traffic.Value) pgtype.Float8 {
	f, ok := v.Get()
	return pgtype.Float8{Float64: f, Valid: ok}
}

// value reads a quantity that may be NULL.
type value traffic.Value

// ScanFloat64 is called by pgx.
func (v *value) ScanFloat64(f pgtype.Float8) error {
	*v = value{}
	if f.Valid {
		*v = value(traffic.Some(f.Float64))
	}
	return nil
}

// floats is a column of quantities.
func floats[T any](items []T, get func(*T) traffic.Value) pgtype.FlatArray[pgtype.Float8] {
	out := make(pgtype.FlatArray[pgtype.Float8], len(items))
	for i := range items {
		out[i] = optional(get(&items[i]))
	}
	return out
}

// column is a column of anything else.
func column[T, V any](items []T, get func(*T) V) []V {
	out := make([]V, len(items))
	for i := range items {
		out[i] = get(&items[i])
	}
	return out
}

// bounds are half-open bounds as the server takes them; open ends are infinite.
func bounds(from, to time.Time) (lo, hi pgtype.Timestamptz) {
	l, h := row.Range(from, to)
	return bound(l), bound(h)
}

func bound(us int64) pgtype.Timestamptz {
	switch us {
	case math.MinInt64:
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	case math.MaxInt64:
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: row.Time(us), Valid: true}
}

// query builds one SELECT from parts that depend on what was asked; "?" stands for
// the next argument. The texts are few, since arguments never become part of
// them, so each connection prepares them once.
type query struct {
	text strings.Builder
	args []any
}

// add appends text whose question marks are the arguments.
func (q *query) add(text string, args ...any) *query {
	for part := range strings.SplitAfterSeq(text, "?") {
		before, found := strings.CutSuffix(part, "?")
		q.text.WriteString(before)
		if found {
			q.args = append(q.args, args[0])
			args = args[1:]
			q.text.WriteString("$" + strconv.Itoa(len(q.args)))
		}
	}
	q.text.WriteByte('\n')
	return q
}

// when appends only if the condition holds.
func (q *query) when(cond bool, text string, args ...any) *query {
	if cond {
		q.add(text, args...)
	}
	return q
}
