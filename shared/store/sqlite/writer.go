package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// maxChunk is the number of rows in the longest INSERT: longer ones gain nothing.
// It is a power of two.
const maxChunk = 64

// maxLog is the size in bytes from which on the write-ahead log is emptied by force.
// Normally it starts anew by itself when all of it was copied into the database,
// but not while there is always some reader in it.
const maxLog = 32 << 20

// writer is the one connection that changes the file.
type writer struct {
	db   *sql.DB
	path string
	log  *slog.Logger
	// turn holds a token while somebody writes. Those who wait are served in
	// the order of their arrival.
	turn chan struct{}
	// Everything below belongs to whoever holds the turn.
	conn   *sql.Conn
	memory memory
	bulks  map[string]*bulk
	stmts  map[string]*sql.Stmt
	closed bool
	// logLimit is maxLog, or more after the log could not be emptied.
	logLimit int64
}

func (w *writer) prepare(ctx context.Context) (err error) {
	w.bulks, w.stmts = map[string]*bulk{}, map[string]*sql.Stmt{}
	w.conn, err = w.db.Conn(ctx)
	return err
}

func (w *writer) close() error {
	w.turn <- struct{}{} // waits for the running transaction
	defer func() { <-w.turn }()
	w.closed = true
	var errs []error
	for _, b := range w.bulks {
		errs = append(errs, b.close())
	}
	for _, st := range w.stmts {
		errs = append(errs, st.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}

// write runs fn in one transaction, which is committed when fn returns nil and ctx
// has not ended. The verb says what was being done, for the error.
func (s *Store) write(ctx context.Context, verb string, fn func(ctx context.Context, w *writer) error) error {
	w := s.writer
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", verb, ctx.Err())
	}
	defer func() { <-w.turn }()
	if err := w.transaction(ctx, fn); err != nil {
		return fmt.Errorf("%s: %w", verb, explain(err))
	}
	return nil
}

func (w *writer) transaction(ctx context.Context, fn func(ctx context.Context, w *writer) error) error {
	if w.closed {
		return sql.ErrConnDone
	}
	err := w.exec(ctx, "BEGIN IMMEDIATE")
	if err == nil {
		err = fn(ctx, w)
	}
	if err == nil {
		err = ctx.Err()
	}
	// From here on it is all or nothing, whatever becomes of ctx.
	if err == nil {
		err = w.exec(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		w.memory.forget()
		// SQLite may have rolled back by itself; then there is nothing to roll
		// back, and that is all this can say.
		_ = w.exec(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	w.memory.keep()
	w.boundLog(context.WithoutCancel(ctx))
	return nil
}

// boundLog empties a write-ahead log that has become too long, for which it waits
// until the present readers are done. One that takes longer than the busy
// timeout is left alone until the log has grown by another half.
func (w *writer) boundLog(ctx context.Context) {
	info, err := os.Stat(w.path + "-wal")
	if err != nil || info.Size() < w.logLimit {
		return // without a log there is nothing to bound
	}
	var busy bool
	var frames, copied int
	err = w.row(ctx, "PRAGMA wal_checkpoint(TRUNCATE)", nil, &busy, &frames, &copied)
	w.logLimit = maxLog
	if err != nil || busy {
		w.logLimit = info.Size() + maxLog/2
		w.log.Warn("the write-ahead log could not be emptied, a reader takes too long", "bytes", info.Size(), "error", err)
	}
}

// restart undoes what the transaction did so far and begins it again.
func (w *writer) restart(ctx context.Context) error {
	w.memory.forget()
	if err := w.exec(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		return err
	}
	return w.exec(ctx, "BEGIN IMMEDIATE")
}

// stmt prepares each statement once.
func (w *writer) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := w.stmts[query]; st != nil {
		return st, nil
	}
	st, err := w.conn.PrepareContext(ctx, query)
	if err == nil {
		w.stmts[query] = st
	}
	return st, err
}

func (w *writer) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.change(ctx, query, args...)
	return err
}

// change returns how many rows changed.
func (w *writer) change(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := w.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time, closed with the writer
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row reads one row.
func (w *writer) row(ctx context.Context, query string, args []any, dest ...any) error {
	st, err := w.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time, closed with the writer
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(dest...)
}

// number reads one number if there is one.
func (w *writer) number(ctx context.Context, query string, args ...any) (n int64, found bool, err error) {
	err = w.row(ctx, query, args, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return n, err == nil, err
}

// rows calls fn with each row.
func (w *writer) rows(ctx context.Context, query string, args []any, fn func(*sql.Rows) error) error {
	st, err := w.stmt(ctx, query) //nolint:sqlclosecheck // kept for the next time, closed with the writer
	if err != nil {
		return err
	}
	return each(ctx, st, args, fn)
}

// each runs a query and calls fn with each row.
func each(ctx context.Context, st *sql.Stmt, args []any, fn func(*sql.Rows) error) (err error) {
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// bulk returns the many-row form of an INSERT: head, then columns placeholders a
// row, then tail.
func (w *writer) bulk(head string, columns int, tail string) *bulk {
	b := w.bulks[head+tail]
	if b == nil {
		b = &bulk{conn: w.conn, head: head, columns: columns, tail: tail, stmts: map[int]*sql.Stmt{}}
		w.bulks[head+tail] = b
	}
	return b
}

// bulk inserts many rows with few statements: rows are cut into chunks of
// 64, 32, … 1, and each length is prepared once.
type bulk struct {
	conn       *sql.Conn
	head, tail string
	columns    int
	stmts      map[int]*sql.Stmt
}

func (b *bulk) close() error {
	var errs []error
	for _, st := range b.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}

// chunks calls fn with each prepared statement and the rows for it, as [lo, hi).
func (b *bulk) chunks(ctx context.Context, n int, fn func(st *sql.Stmt, lo, hi int) error) error {
	size := maxChunk
	for lo := 0; lo < n; lo += size {
		for size > n-lo {
			size /= 2
		}
		st := b.stmts[size]
		if st == nil {
			row := "(?" + strings.Repeat(",?", b.columns-1) + ")"
			var err error
			st, err = b.conn.PrepareContext(ctx, b.head+" VALUES "+row+strings.Repeat(","+row, size-1)+" "+b.tail)
			if err != nil {
				return err
			}
			b.stmts[size] = st
		}
		if err := fn(st, lo, lo+size); err != nil {
			return err
		}
	}
	return nil
}

// insert inserts n rows, whose values fill appends, and returns how many rows
// changed.
func (b *bulk) insert(ctx context.Context, n int, fill func(args []any, i int) []any) (changed int64, err error) {
	args := make([]any, 0, min(n, maxChunk)*b.columns)
	err = b.chunks(ctx, n, func(st *sql.Stmt, lo, hi int) error {
		args = args[:0]
		for i := lo; i < hi; i++ {
			args = fill(args, i)
		}
		res, err := st.ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		c, err := res.RowsAffected()
		changed += c
		return err
	})
	return changed, err
}

// insertReturning is insert for a statement that returns rows.
func (b *bulk) insertReturning(ctx context.Context, n int, fill func(args []any, i int) []any, scan func(*sql.Rows) error) error {
	args := make([]any, 0, min(n, maxChunk)*b.columns)
	return b.chunks(ctx, n, func(st *sql.Stmt, lo, hi int) error {
		args = args[:0]
		for i := lo; i < hi; i++ {
			args = fill(args, i)
		}
		return each(ctx, st, args, scan)
	})
}
