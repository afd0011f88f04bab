package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// query builds one SELECT from parts that depend on what was asked. The texts are
// few, since arguments never become part of them, so each is prepared once.
type query struct {
	text strings.Builder
	args []any
}

// add appends text whose placeholders are the arguments.
func (q *query) add(text string, args ...any) *query {
	q.text.WriteString(text)
	q.text.WriteByte('\n')
	q.args = append(q.args, args...)
	return q
}

// when appends only if the condition holds.
func (q *query) when(cond bool, text string, args ...any) *query {
	if cond {
		q.add(text, args...)
	}
	return q
}

// prepared returns the statement for a text, on the reading connections.
func (s *Store) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stmts[text]; st != nil {
		return st, nil
	}
	st, err := s.read.PrepareContext(ctx, text) //nolint:sqlclosecheck // kept for the next time, closed with the store
	if err == nil {
		s.stmts[text] = st
	}
	return st, err
}

// each runs the query and calls fn with each row. The verb says what was being
// done, for the error.
func (s *Store) each(ctx context.Context, verb string, q *query, fn func(*sql.Rows) error) error {
	st, err := s.prepared(ctx, q.text.String())
	if err == nil {
		err = each(ctx, st, q.args, fn)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", verb, explain(err))
	}
	return nil
}
