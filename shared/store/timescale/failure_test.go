package timescale_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A writer that the server ends to break a deadlock begins again, and its reading is there
// once.
func testDeadlock(t *testing.T, dsn string) {
	s := open(t, dsn)
	if _, err := s.Append(t.Context(), store.Delivery{Readings: []traffic.Reading{reading(0)}}); err != nil {
		t.Fatal(err)
	}
	// A sequence counts on when a transaction is undone.
	execute(t, dsn, `CREATE SEQUENCE attempts;
		CREATE FUNCTION attempt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('attempts'); RETURN NEW; END $$;
		CREATE TRIGGER attempt BEFORE UPDATE ON latest_blocks FOR EACH ROW EXECUTE FUNCTION attempt()`)
	other, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.WithoutCancel(t.Context()))
	do := func(sql string) {
		t.Helper()
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	// The one that has waited longest for its deadlock_timeout finds the deadlock and is
	// ended: the store.
	do(`SET deadlock_timeout = '30s'; BEGIN; UPDATE traffic_slots SET version = version`)
	type answer struct {
		store.Appended
		err error
	}
	done := make(chan answer, 1)
	go func() {
		got, err := s.Append(context.WithoutCancel(t.Context()), store.Delivery{Readings: []traffic.Reading{reading(1)}})
		done <- answer{got, err}
	}()
	for waits := 0; waits == 0; time.Sleep(5 * time.Millisecond) {
		waits = number(t, dsn, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	}
	do(`SELECT FROM latest_blocks FOR UPDATE; COMMIT`)
	if got := <-done; got.err != nil || got.New != 1 || len(got.Latest) != 1 {
		t.Errorf("append after a deadlock: %+v", got)
	}
	if n := number(t, dsn, `SELECT last_value FROM attempts`); n != 2 {
		t.Errorf("%d attempts, want the one that was ended and another", n)
	}
	checkReadings(t, s, 2)
}

// What the server refuses because of others is tried again; a full disk is not, changes
// nothing, and is over when there is room.
func testServerRefuses(t *testing.T, dsn string) {
	s := open(t, dsn)
	execute(t, dsn, `CREATE SEQUENCE refusals;
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('refusals') <= 2 THEN RAISE EXCEPTION 'refused' USING ERRCODE = TG_ARGV[0]; END IF; RETURN NEW;
		END $$`)
	for i, c := range []struct {
		code  string
		again bool
	}{{"40001", true}, {"40P01", true}, {"53100", false}} {
		execute(t, dsn, fmt.Sprintf(`ALTER SEQUENCE refusals RESTART; DROP TRIGGER IF EXISTS refuse ON edge_batches;
			CREATE TRIGGER refuse BEFORE INSERT ON edge_batches FOR EACH ROW EXECUTE FUNCTION refuse('%s')`, c.code))
		d := store.Delivery{Readings: []traffic.Reading{reading(i)}, Batches: []store.BatchID{{Edge: "e", Epoch: 1, Seq: uint64(i)}}}
		for tries := 0; ; tries++ {
			got, err := s.Append(t.Context(), d)
			if err == nil {
				if got.New != 1 || len(got.Latest) != 1 || c.again != (tries == 0) {
					t.Errorf("%s: %+v after %d failed calls", c.code, got, tries)
				}
				break
			}
			var e *pgconn.PgError
			if c.again || tries > 2 || !errors.As(err, &e) || e.Code != c.code {
				t.Fatalf("%s: %v", c.code, err)
			}
			checkReadings(t, s, i)
		}
		checkReadings(t, s, i+1)
	}
}

// checkReadings fails when the road of reading has another number of readings.
func checkReadings(t *testing.T, s store.ReadingReader, want int) {
	t.Helper()
	rs, _, err := s.Readings(t.Context(), store.ReadingQuery{Road: "r"})
	if err != nil || len(rs) != want {
		t.Errorf("%d readings, %v, want %d", len(rs), err, want)
	}
}
