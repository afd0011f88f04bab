package timescale_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/storetest"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a server of its own; each test gets a database in it, as long as it runs:
// one that was emptied after another test, or else a copy of one that was migrated once.
// To make a database takes longer than most tests. In a child that is told where to go
// there is no server.
func backend(t testing.TB, o rig.PostgresOptions) (b storetest.Backend, server *rig.PostgresServer, template string) {
	b = storetest.Backend{Open: func(ctx context.Context, address string) (store.Store, error) {
		return timescale.Open(ctx, address, nil)
	}}
	if storetest.InChild() {
		return b, nil, ""
	}
	server = rig.StartPostgres(t, o)
	template = server.Database(t)
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
	var mu sync.Mutex
	var free []string // guarded by mu
	b.New = func(test testing.TB) (dsn string) {
		mu.Lock()
		defer mu.Unlock()
		if n := len(free); n > 0 {
			dsn, free = free[n-1], free[:n-1]
		} else {
			dsn = server.Clone(t, template)
		}
		test.Cleanup(func() {
			execute(test, dsn, empty)
			mu.Lock()
			defer mu.Unlock()
			free = append(free, dsn)
		})
		return dsn
	}
	return b, server, template
}

// empty removes every row, but neither partitions nor what says which there are. Most
// tables hold few rows or none, and to delete them costs less than to make new files.
const empty = `SET session_replication_role = replica; DO $$ DECLARE t regclass; filled boolean; BEGIN
	FOR t IN SELECT c.oid FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND c.relname NOT IN ('goose_db_version', 'roads_revision', 'partitions') LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM %s)', t) INTO filled;
		IF filled AND t = 'traffic_raw'::regclass THEN
			TRUNCATE traffic_raw;
		ELSIF filled THEN
			EXECUTE format('DELETE FROM %s', t);
		END IF;
	END LOOP;
END $$`

// testAll runs the store's suite and, on the same server, what is particular here.
func testAll(t *testing.T, o rig.PostgresOptions) {
	b, server, template := backend(t, o)
	storetest.Test(t, b)
	if server == nil {
		return
	}
	for _, tt := range []struct {
		name     string
		migrated bool // begins with the schema of today, else with nothing
		test     func(t *testing.T, dsn string)
	}{
		{"OpenTogether", false, testOpenTogether},
		{"OpenRefusesNewerSchema", true, testOpenRefusesNewerSchema},
		{"Upgrade", false, testUpgrade},
		{"Shape", true, testShape},
		{"Deadlock", true, testDeadlock},
		{"ServerRefuses", true, testServerRefuses},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.migrated {
				tt.test(t, server.Clone(t, template))
				return
			}
			tt.test(t, server.Database(t))
		})
	}
}

func TestPlainPostgreSQL(t *testing.T) {
	t.Parallel()
	testAll(t, rig.PostgresOptions{Plain: true})
}

func TestTimescaleDB(t *testing.T) {
	t.Parallel()
	testAll(t, rig.PostgresOptions{})
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
func testOpenTogether(t *testing.T, dsn string) {
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

// testShape looks at how the tables that grow are kept.
func testShape(t *testing.T, dsn string) {
	s := open(t, dsn)
	open(t, dsn) // and again on what is there
	now := time.Now()
	old := reading(0)
	if _, err := s.Append(t.Context(), store.Delivery{Readings: []traffic.Reading{old}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Maintain(t.Context(), now, store.Upkeep{CompressAfter: store.Day}); err != nil {
		t.Fatal(err)
	}
	if n := number(t, dsn, `SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'`); n > 0 {
		const hypertables = `SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_schema = 'public' AND hypertable_name IN
			('traffic_raw', 'predictions', 'reroutes', 'rollup_5m', 'rollup_1h')`
		if n := number(t, dsn, hypertables); n != 5 {
			t.Errorf("%d hypertables, want 5", n)
		}
		if n := number(t, dsn, `SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'traffic_raw' AND is_compressed`); n != 1 {
			t.Errorf("%d chunks are compressed, want the one of the old reading", n)
		}
		return
	}
	// The old month, today, and a week ahead.
	if n := number(t, dsn, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'traffic_raw'::regclass`); n != 9 {
		t.Errorf("%d partitions, want 9", n)
	}
	if _, err := s.Maintain(t.Context(), now, store.Upkeep{Raw: store.Day}); err != nil {
		t.Fatal(err)
	}
	if n := number(t, dsn, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'traffic_raw'::regclass`); n != 8 {
		t.Errorf("%d partitions, want 8 without the old one", n)
	}
	// A process that remembers a partition that is gone makes it anew.
	old.At = old.At.Add(time.Second)
	if got, err := s.Append(t.Context(), store.Delivery{Readings: []traffic.Reading{old}}); err != nil || got.New != 1 {
		t.Errorf("append for a time that was dropped: %+v, %v", got, err)
	}
}

func testOpenRefusesNewerSchema(t *testing.T, dsn string) {
	open(t, dsn)
	newest := slices.Max(versions(t))
	number(t, dsn, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true) RETURNING 1`)
	_, err := timescale.Open(t.Context(), dsn, nil)
	if !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), fmt.Sprintf("up to %d", newest)) {
		t.Errorf("open: %v, want ErrNewerSchema with both versions", err)
	}
}

// testUpgrade fills a database of the first version and opens it with this one.
func testUpgrade(t *testing.T, dsn string) {
	execute(t, dsn, `CREATE TABLE goose_db_version (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, version_id bigint NOT NULL,
		is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now());
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true)`)
	for _, file := range []string{"migration/00001_extension.sql", "migration/00002_initial.sql"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, dsn, string(text))
	}
	execute(t, dsn, `INSERT INTO roads (road_id, label, updated_at) VALUES ('r', 'old', now());
		INSERT INTO traffic_raw SELECT t, 's', 'r', 50, NULL, 0.5, NULL, 0, 'e' FROM generate_series(timestamptz '2024-05-06T00:00:00Z', '2024-05-08T00:00:00Z', '1 hour') t;
		INSERT INTO road_latest SELECT 'r', max(ts), 's', 50, NULL, 0.5, NULL, 0, 'e' FROM traffic_raw;
		INSERT INTO predictions VALUES ('2024-05-06T00:05:00Z', 'r', 5, 'm', 0.5, 0.5, NULL, NULL, NULL);
		INSERT INTO predictions_latest SELECT * FROM predictions; INSERT INTO prediction_cycles VALUES ('m', '2024-05-06T00:05:00Z', 5)`)
	s := open(t, dsn)
	ctx := t.Context()
	first, last := reading(0), reading(48*60)
	rs, _, err := s.Readings(ctx, store.ReadingQuery{Road: "r"})
	if err != nil || len(rs) != 49 || !rs[0].At.Equal(last.At) || !rs[48].At.Equal(first.At) {
		t.Fatalf("%d readings of %v, want 49: %v", len(rs), rs, err)
	}
	again := []traffic.Reading{first, reading(1), reading(72 * 60)}
	if got, err := s.Append(ctx, store.Delivery{Readings: again}); err != nil || got.New != 2 || len(got.Latest) != 1 {
		t.Fatalf("append to an upgraded database: %+v, %v", got, err)
	}
	for range 2 { // before and after averages were made
		bs, err := s.Buckets(ctx, store.BucketQuery{From: first.At, To: last.At.Add(time.Hour), Width: time.Hour})
		if err != nil || len(bs) != 49 || bs[0].Samples != 2 || bs[0].Speed != traffic.Some(50) {
			t.Fatalf("%d averages, want 49: %+v, %v", len(bs), bs, err)
		}
		if _, err := s.Maintain(ctx, time.Now(), store.Upkeep{}); err != nil {
			t.Fatal(err)
		}
	}
	ps, _, err := s.LatestPredictions(ctx, store.PredictionQuery{})
	if err != nil || len(ps) != 1 {
		t.Fatalf("predictions %v: %v", ps, err)
	}
	if err := s.PutPredictions(ctx, []traffic.Prediction{ps[0]}); err != nil {
		t.Fatal(err)
	}
	if at, err := s.FirstSince(ctx, first.At.Add(1)); err != nil || !at.Equal(reading(1).At) {
		t.Errorf("first reading after %s is at %s: %v", first.At, at, err)
	}
}

func execute(t testing.TB, dsn, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	for range 5 { // a call that was cut off may still be running, and stand in the way
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "40P01" {
			break
		}
		_, err = conn.Exec(ctx, sql)
	}
	if err != nil {
		t.Fatal(err)
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
	t.Parallel()
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
		b.Run(name, func(b *testing.B) {
			backend, _, _ := backend(b, o)
			storetest.Bench(b, backend)
		})
	}
}
