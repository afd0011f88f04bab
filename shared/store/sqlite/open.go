package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"

	"github.com/2zrhun/city-flow/shared/store"
)

//go:embed migration/*.sql
var migrations embed.FS

const (
	// busyTimeout is how long a statement waits for another process.
	busyTimeout = 5 * time.Second
	// readers is the number of connections that read.
	readers = 4
	// writerCache and readerCache bound each connection's page cache.
	writerCache = 16 << 20
	readerCache = 4 << 20
	// checkpointPages is how many 4 KiB pages the write-ahead log gathers before
	// they are copied into the database: pages that many batches touch are
	// copied once.
	checkpointPages = 4000
	// checkTimeout bounds the check of a database that was not closed.
	checkTimeout = 10 * time.Second
	// migrationAttempts covers two processes that create the same file.
	migrationAttempts = 5
)

// A Store is a store.Store in one SQLite file. It is safe for concurrent use.
type Store struct {
	path   string
	log    *slog.Logger
	now    func() time.Time
	writer *writer
	read   *sql.DB

	mu    sync.Mutex // guards everything declared below
	stmts map[string]*sql.Stmt
}

var _ store.Store = (*Store)(nil)

// Open opens the database in the file at path and creates it when there is none;
// its folder must exist. It brings an older schema up to date. The error is
// store.ErrNewerSchema when a newer version of the program wrote the file. A nil
// log discards.
func Open(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{path: path, log: log.With("component", "store"), now: time.Now, stmts: map[string]*sql.Stmt{}}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, errors.Join(explain(err), s.Close()))
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := createFile(s.path); err != nil {
		return err
	}
	unclean := hasLog(s.path)
	// A commit needs the data and the length of the file on disk, not its
	// timestamps. Where the platform has no fdatasync, fsync stays.
	if _, err := driver.Fdatasync(true); err != nil {
		s.log.Debug("fdatasync is not available", "error", err)
	}
	write, err := sql.Open("sqlite", dsn(s.path, writerCache, false))
	if err != nil {
		return err
	}
	write.SetMaxOpenConns(1)
	s.writer = &writer{db: write, path: s.path, log: s.log, logLimit: maxLog, turn: make(chan struct{}, 1)}
	if err := migrate(ctx, write, s.log); err != nil {
		return err
	}
	if err := s.writer.prepare(ctx); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(s.path, readerCache, true)); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	if err := s.Ping(ctx); err != nil || !unclean {
		return err
	}
	return s.checkBriefly(ctx)
}

// hasLog reports whether there is a write-ahead log with something in it: the last one
// to close a database empties and removes it, so somebody was stopped, or is at work.
func hasLog(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

// checkBriefly checks a database that was not closed. One that takes too long is used
// as it is; Check has the time.
func (s *Store) checkBriefly(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	began := time.Now()
	err := s.Check(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		s.log.Warn("the database was not closed properly and is too large to be checked at the start", "limit", checkTimeout)
		return nil
	}
	if err == nil {
		s.log.Info("the database was not closed properly; it is in order", "checked_for", time.Since(began))
	}
	return err
}

// createFile makes a file that only its owner may read, since it holds password
// hashes; SQLite gives its side files the same rights.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func dsn(path string, cache int, readOnly bool) string {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	q.Set("_journal_mode", "WAL")
	// In WAL mode only FULL flushes the log at every commit; NORMAL would lose
	// the last transactions in a power cut.
	q.Set("_synchronous", "FULL")
	q.Set("_foreign_keys", "1")
	q.Set("_txlock", "immediate")
	q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", cache>>10))
	q.Add("_pragma", fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages))
	q.Add("_pragma", "journal_size_limit(67108864)")
	if readOnly {
		q.Set("_query_only", "1")
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// migrate brings the schema up to date. Two processes may try at once: each step
// is a transaction, so the slower one fails, and sees on its next attempt that
// there is nothing left to do.
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	dir, err := fs.Sub(migrations, "migration")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	for attempt := 1; ; attempt++ {
		err = migrateOnce(ctx, p, log)
		if err == nil || attempt == migrationAttempts || ctx.Err() != nil || errors.Is(err, store.ErrNewerSchema) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func migrateOnce(ctx context.Context, p *goose.Provider, log *slog.Logger) error {
	found, supported, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if found > supported {
		return fmt.Errorf("%w: it has schema version %d, this program knows versions up to %d; use the newer program, or another data folder",
			store.ErrNewerSchema, found, supported)
	}
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate schema from version %d to %d: %w", found, supported, err)
	}
	if len(done) > 0 {
		log.Info("schema brought up to date", "from", found, "to", supported)
	}
	return nil
}

// Ping returns nil when the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.read.QueryRowContext(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1").Scan(&one); err != nil {
		return fmt.Errorf("ping database: %w", explain(err))
	}
	return nil
}

// Close waits for running transactions and releases the file.
func (s *Store) Close() error {
	var errs []error
	s.mu.Lock()
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	clear(s.stmts)
	s.mu.Unlock()
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database: %w", explain(err))
	}
	return nil
}
