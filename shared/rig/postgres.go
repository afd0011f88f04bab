package rig

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// EnvPostgres names the environment variable that may hold the DSN of a server to
// use instead of a child process. Its user must be allowed to create databases.
const EnvPostgres = "CITYFLOW_TEST_POSTGRES"

// PostgresOptions say which PostgreSQL a test needs. The zero value is the fast
// one that most tests want.
type PostgresOptions struct {
	// Durable turns fsync on, for tests of what survives and for benchmarks.
	Durable bool
	// Plain leaves TimescaleDB unloaded even where it is installed.
	Plain bool
	// Child ignores EnvPostgres, for tests that stop or kill their server.
	Child bool
}

// A PostgresServer is a PostgreSQL server, ours or the one named by EnvPostgres.
type PostgresServer struct {
	// Server is nil when the server is not ours to stop.
	*Server
	admin string
}

// Postgres starts a PostgreSQL server for t and returns the DSN of an empty
// database in it. A test that needs many starts one server with StartPostgres
// and asks it for databases.
func Postgres(t testing.TB) string {
	t.Helper()
	return StartPostgres(t, PostgresOptions{}).Database(t)
}

// StartPostgres starts a PostgreSQL server for t. Its databases are UTF-8 and sort
// text in English, as most servers do, so that code which counts on byte
// order has to say so. TimescaleDB is loaded where it is installed.
func StartPostgres(t testing.TB, o PostgresOptions) *PostgresServer {
	t.Helper()
	if dsn := os.Getenv(EnvPostgres); dsn != "" && !o.Child {
		return &PostgresServer{admin: dsn}
	}
	initdb := program(t, "initdb", "postgresql", "/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
	s := start(t, command{
		name:  "postgres",
		path:  filepath.Join(filepath.Dir(initdb), "postgres"),
		ready: "database system is ready to accept connections",
		stop:  syscall.SIGINT,
		arguments: func(folder, port string) ([]string, error) {
			data := filepath.Join(folder, "data")
			if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err != nil {
				if err := createCluster(initdb, data); err != nil {
					return nil, err
				}
			}
			return o.arguments(filepath.Dir(initdb), data, port), nil
		},
	})
	return &PostgresServer{Server: s, admin: "postgres://postgres@" + s.Addr() + "/postgres?sslmode=disable"}
}

func createCluster(initdb, data string) error {
	owner, err := unprivileged()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, initdb, "--pgdata", data, "--username", "postgres", "--auth", "trust", "--no-sync",
		"--encoding", "UTF8", "--locale", "C", "--locale-provider", "icu", "--icu-locale", "en-US")
	c.Dir = filepath.Dir(data)
	c.SysProcAttr = processAttr(owner, syscall.SIGKILL)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w; it wrote:\n%s", err, out)
	}
	return nil
}

func (o PostgresOptions) arguments(bin, data, port string) []string {
	set := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    port,
		"unix_socket_directories": "",
		"max_connections":         "60",
		"timezone":                "Asia/Kathmandu", // nobody may count on UTC
	}
	if !o.Durable {
		set["fsync"] = "off"
		set["full_page_writes"] = "off"
	}
	if !o.Plain && timescaleInstalled(bin) {
		set["shared_preload_libraries"] = "timescaledb"
		set["timescaledb.telemetry_level"] = "off"
		// Tests call the extension's jobs themselves: a scheduler in each of many
		// small databases would only be in the way.
		set["timescaledb.max_background_workers"] = "0"
	}
	args := []string{"-D", data}
	for k, v := range set {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

// timescaleInstalled looks where PostgreSQL keeps its libraries.
func timescaleInstalled(bin string) bool {
	for _, lib := range []string{"lib", "lib/postgresql"} {
		if found, _ := filepath.Glob(filepath.Join(filepath.Dir(bin), lib, "timescaledb.*")); len(found) > 0 {
			return true
		}
	}
	return false
}

// Database creates an empty database for t and returns its DSN. It is dropped
// when t ends.
func (p *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	return p.create(t, "")
}

// Clone creates a copy of the database at dsn for t, which nobody may be connected
// to, and returns its DSN. It is dropped when t ends.
func (p *PostgresServer) Clone(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("clone test database: %v", err)
	}
	return p.create(t, " TEMPLATE "+pgx.Identifier{strings.TrimPrefix(u.Path, "/")}.Sanitize())
}

func (p *PostgresServer) create(t testing.TB, template string) string {
	t.Helper()
	u, err := url.Parse(p.admin)
	if err != nil {
		t.Fatalf("%s must be a URL like postgres://user@host:5432/postgres: %v", EnvPostgres, err)
	}
	name := "cityflow_" + uuid.NewString()
	if err := p.execute("CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + template); err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() {
		if p.Server != nil && p.child == nil {
			return // the test stopped the server, which goes as a whole
		}
		if err := p.execute("DROP DATABASE IF EXISTS " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)"); err != nil {
			t.Errorf("drop test database: %v", err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

func (p *PostgresServer) execute(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.admin)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	if closeErr := conn.Close(ctx); err == nil {
		err = closeErr
	}
	return err
}
