package timescale

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/2zrhun/city-flow/shared/store"
)

//go:embed migration/*.sql
var migrations embed.FS

const (
	// callTimeout bounds every call, on top of what the caller's context says.
	callTimeout = 30 * time.Second
	// connectTimeout bounds the first contact and the migration of the schema.
	connectTimeout = 2 * time.Minute
	// oldestServer is the first version that works: PostgreSQL 15.
	oldestServer = 150000
	// migrationLock is the advisory lock that one migrating process holds.
	migrationLock = 0x43697479466c6f77 // "CityFlow"
	// migrationWaits is for how many seconds another process's migration is
	// waited for.
	migrationWaits = 100
)

// A Store is a store.Store on a PostgreSQL server. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
	log  *slog.Logger
	now  func() time.Time
	// hyper says that the tables that grow are hypertables.
	hyper  bool
	memory *memory
	// What plain PostgreSQL partitions.
	raw, forecasts, fives, hours family
}

var _ store.Store = (*Store)(nil)

// Open connects to the server named by dsn, a URL or keywords as psql takes them,
// with pool_max_conns and the like, and brings the schema up to date. The error is
// store.ErrNewerSchema when a newer version of the program did so before. A nil log
// discards.
func Open(ctx context.Context, dsn string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("component", "store")
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	pool, err := connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{pool: pool, log: log, now: time.Now, memory: newMemory()}
	s.raw.parent, s.forecasts.parent = "traffic_raw", "predictions"
	s.fives.parent, s.fives.monthly = "rollup_5m", true
	s.hours.parent, s.hours.monthly = "rollup_1h", true
	if err := s.prepare(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database %s: %w", pool.Config().ConnConfig.Database, err)
	}
	return s, nil
}

func connect(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	params := cfg.ConnConfig.RuntimeParams
	for name, value := range map[string]string{
		"application_name":  "cityflow",
		"timezone":          "UTC",
		"statement_timeout": strconv.FormatInt(2*callTimeout.Milliseconds(), 10),
	} {
		if params[name] == "" {
			params[name] = value
		}
	}
	// A call that ends early asks the server to stop, too, instead of leaving the
	// statement running on a connection that nobody hears any more.
	cfg.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Second}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// prepare checks the server and migrates the schema.
func (s *Store) prepare(ctx context.Context) error {
	var version int
	var text, commit, fsync string
	err := s.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, version(),
		current_setting('synchronous_commit'), current_setting('fsync')`).Scan(&version, &text, &commit, &fsync)
	if err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	if version < oldestServer {
		return fmt.Errorf("the server is %s: want PostgreSQL %d or newer", text, oldestServer/10000)
	}
	if commit == "off" || fsync == "off" {
		s.log.Warn("the server may lose acknowledged data in a power cut", "synchronous_commit", commit, "fsync", fsync)
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')`).Scan(&s.hyper)
	if err != nil {
		return fmt.Errorf("look for TimescaleDB: %w", err)
	}
	s.log.Info("database opened", "server", text, "timescaledb", s.hyper)
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migration")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, migrationWaits))
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return errors.Join(fmt.Errorf("read migrations: %w", err), db.Close())
	}
	return errors.Join(s.migrateWith(ctx, p), db.Close())
}

// migrateWith first applies what is missing, under the lock: on a schema of a newer
// program that is nothing.
func (s *Store) migrateWith(ctx context.Context, p *goose.Provider) error {
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate schema: %w", err)
	}
	found, supported, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if found > supported {
		return fmt.Errorf("%w: it has schema version %d, this program knows versions up to %d; use the newer program, or another database",
			store.ErrNewerSchema, found, supported)
	}
	if len(done) > 0 {
		s.log.Info("schema brought up to date", "version", found)
	}
	return nil
}

// Ping returns nil when the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.call(ctx, "ping database", s.pool.Ping)
}

// Close waits for running calls and closes the connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

const (
	// attempts is how often a call is tried that the server aborted only because
	// of others.
	attempts = 6
	// retryDelay grows with each attempt.
	retryDelay = 10 * time.Millisecond
)

// call runs fn with a deadline, again when the server aborted it because of a
// deadlock or a serialization failure: then nothing of it was done. The verb says
// what was being done, for the error.
func (s *Store) call(ctx context.Context, verb string, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.retry(ctx, verb, fn)
}

// retry runs fn, again when the server aborted it because of others.
func (s *Store) retry(ctx context.Context, verb string, fn func(ctx context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := fn(ctx)
		if err == nil {
			return nil
		}
		if ended := ctx.Err(); ended != nil {
			return fmt.Errorf("%s: %w", verb, errors.Join(ended, err))
		}
		if !aborted(err) || attempt == attempts {
			return fmt.Errorf("%s: %w", verb, err)
		}
		select {
		case <-time.After(time.Duration(attempt) * retryDelay):
		case <-ctx.Done():
		}
	}
}

// SQLSTATE codes.
const (
	codeUnique        = "23505"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	// codeNoPartition is also that of every other broken CHECK; traffic_raw has none.
	codeNoPartition = "23514"
	codeNoTable     = "42P01"
)

func hasCode(err error, codes ...string) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

func aborted(err error) bool { return hasCode(err, codeSerialization, codeDeadlock) }

// send runs the statements of a batch in one round trip and one transaction.
func (s *Store) send(ctx context.Context, b *pgx.Batch) error {
	return s.pool.SendBatch(ctx, b).Close()
}

// each runs a query and calls fn with each row.
func (s *Store) each(ctx context.Context, verb string, q *query, fn func(pgx.Rows) error) error {
	return s.call(ctx, verb, func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := fn(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
