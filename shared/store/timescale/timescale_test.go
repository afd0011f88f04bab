package timescale_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/storetest"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a server of its own; each test gets a database in it, a copy of one
// that was migrated once, which is faster than to migrate each.
func backend(t testing.TB, o rig.PostgresOptions) storetest.Backend {
	b := storetest.Backend{Open: func(ctx context.Context, address string) (store.Store, error) {
		return timescale.Open(ctx, address, nil)
	}}
	if storetest.InChild() {
		return b // it is told where to go
	}
	server := rig.StartPostgres(t, o)
	template := server.Database(t)
	if !o.Plain {
		needTimescaleDB(t, template)
	}
	s, err := timescale.Open(t.Context(), template, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.New = func(t testing.TB) string { return server.Clone(t, template) }
	return b
}

func TestPlainPostgreSQL(t *testing.T) {
	storetest.Test(t, backend(t, rig.PostgresOptions{Plain: true}))
}

func TestTimescaleDB(t *testing.T) {
	storetest.Test(t, backend(t, rig.PostgresOptions{}))
}

// needTimescaleDB skips the test where the server does not offer the extension.
func needTimescaleDB(t testing.TB, dsn string) {
	t.Helper()
	if n := number(t, dsn, `SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'`); n == 0 {
		t.Skip("the PostgreSQL server does not offer TimescaleDB: see docs of the extension for how to install it")
	}
}

func number(t testing.TB, dsn, sql string) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func open(t testing.TB, dsn string) *timescale.Store {
	t.Helper()
	s, err := timescale.Open(t.Context(), dsn, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func reading(minute int) traffic.Reading {
	return traffic.Reading{
		At: time.Date(2024, 5, 6, 0, minute, 0, 0, time.UTC), Sensor: "s", Road: "r", Speed: traffic.Some(50),
	}
}

// Processes that start together bring the schema up to date once.
func TestOpenTogether(t *testing.T) {
	dsn := rig.Postgres(t)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			s, err := timescale.Open(context.Background(), dsn, nil)
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
	if n := number(t, dsn, `SELECT count(*) FROM goose_db_version`); n != len(versions(t))+1 {
		t.Errorf("%d schema versions are noted, want 0 and %v", n, versions(t))
	}
}

// versions are the numbers of the migrations.
func versions(t *testing.T) (out []int) {
	t.Helper()
	files, err := filepath.Glob("migration/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		n := 0
		if _, err := fmt.Sscanf(filepath.Base(f), "%d_", &n); err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

func TestHypertables(t *testing.T) {
	dsn := rig.Postgres(t)
	needTimescaleDB(t, dsn)
	open(t, dsn)
	open(t, dsn) // and again on what is there
	const hypertables = `SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_name IN ('traffic_raw', 'predictions', 'reroutes')`
	if n := number(t, dsn, hypertables); n != 3 {
		t.Errorf("%d hypertables, want 3", n)
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	dsn := rig.Postgres(t)
	open(t, dsn)
	newest := slices.Max(versions(t))
	number(t, dsn, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true) RETURNING 1`)
	_, err := timescale.Open(t.Context(), dsn, nil)
	if !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), fmt.Sprintf("up to %d", newest)) {
		t.Errorf("open: %v, want ErrNewerSchema with both versions", err)
	}
}

func TestOpenErrorsKeepThePassword(t *testing.T) {
	for _, dsn := range []string{
		"postgres://user:hunter2@127.0.0.1:1/db?connect_timeout=1", "postgres://user:hunter2@127.0.0.1:1/db?pool_max_conns=x",
	} {
		_, err := timescale.Open(t.Context(), dsn, nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("open %s: %v", dsn, err)
		}
	}
}

// A server that crashes has what it had confirmed, and the store goes on with it.
func TestServerCrash(t *testing.T) {
	server := rig.StartPostgres(t, rig.PostgresOptions{Durable: true, Child: true})
	s := open(t, server.Database(t))
	stop := make(chan struct{})
	confirmed := make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			if _, err := s.Append(context.Background(), store.Delivery{Readings: []traffic.Reading{reading(n)}}); err != nil {
				break
			}
			if n == 50 {
				close(stop)
			}
		}
		confirmed <- n
	}()
	<-stop
	server.Kill(t)
	n := <-confirmed
	if _, err := s.Append(t.Context(), store.Delivery{Readings: []traffic.Reading{reading(n)}}); err == nil {
		t.Fatal("a dead server answered")
	}
	server.Start(t)
	var got store.Appended
	var err error
	for range 100 { // the pool may have to notice its dead connections first
		if got, err = s.Append(t.Context(), store.Delivery{Readings: []traffic.Reading{reading(n)}}); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("append after the restart: %v", err)
	}
	rs, _, err := s.Readings(t.Context(), store.ReadingQuery{Road: "r", Page: store.Page{Limit: n + 10}})
	if err != nil || len(rs) != n+1 {
		t.Errorf("%d readings after a crash, want the %d that were confirmed and one more (%+v): %v", len(rs), n, got, err)
	}
}

func BenchmarkStore(b *testing.B) {
	for name, o := range map[string]rig.PostgresOptions{
		"postgresql":  {Plain: true, Durable: true},
		"timescaledb": {Durable: true},
	} {
		b.Run(name, func(b *testing.B) { storetest.Bench(b, backend(b, o)) })
	}
}
