package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

const (
	// maintainLock is the advisory lock of the one process that maintains.
	maintainLock = migrationLock + 2
	// maintainFor is for how long one Maintain begins new steps.
	maintainFor = 40 * time.Second
	// stepTimeout bounds one step, such as to compress a day.
	stepTimeout = 10 * time.Minute
	// daysAhead is for how many days there is room before they begin.
	daysAhead = 7
	// summarizeFrom is how many new rows a table must have for that to be worth it.
	summarizeFrom = 1000
	// deleteStep is how many rows are deleted at once where whole partitions cannot
	// be dropped.
	deleteStep = 20_000
)

// Maintain makes room, brings averages up to date, compresses, and drops what is old.
func (s *Store) Maintain(ctx context.Context, now time.Time, u store.Upkeep) (done store.Maintained, err error) {
	const verb = "maintain database"
	if err := u.Validate(); err != nil {
		return done, fmt.Errorf("%s: %w", verb, err)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return done, fmt.Errorf("%s: %w", verb, err)
	}
	defer conn.Release()
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(maintainLock)).Scan(&mine); err != nil {
		return done, fmt.Errorf("%s: %w", verb, err)
	}
	if !mine {
		return store.Maintained{Skipped: true}, nil
	}
	defer func() {
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if _, failed := conn.Exec(unlock, `SELECT pg_advisory_unlock($1)`, int64(maintainLock)); failed != nil {
			_ = conn.Conn().Close(unlock) // the server unlocks at the end of the session
		}
	}()
	m := maintenance{s: s, now: now, u: u, until: time.Now().Add(maintainFor)}
	for _, step := range []func(context.Context) error{m.ahead, m.summarize, m.rollUp, m.compress, m.dropRaw, m.dropAverages, m.dropForecasts, m.dropRecords} {
		if err := step(ctx); err != nil {
			return m.done, fmt.Errorf("%s: %w", verb, err)
		}
	}
	return m.done, nil
}

// maintenance is one run of Maintain.
type maintenance struct {
	s     *Store
	now   time.Time
	u     store.Upkeep
	until time.Time // when to stop beginning new steps
	done  store.Maintained
}

// late reports whether there is no time for another step.
func (m *maintenance) late() bool {
	if time.Now().Before(m.until) {
		return false
	}
	m.done.More = true
	return true
}

// before is the moment from which on things are kept; none when they are for ever.
// It is the begin of a day, because days are dropped as a whole.
func (m *maintenance) before(keep time.Duration) (at time.Time, some bool) {
	if keep == 0 {
		return at, false
	}
	return row.Time(day(row.Micros(m.now.Add(-keep))) * dayMicros), true
}

// ahead makes the partitions of the days to come.
func (m *maintenance) ahead(ctx context.Context) error {
	today := day(row.Micros(m.now))
	var days []int64
	for d := range int64(daysAhead + 1) {
		days = append(days, today+d)
	}
	for _, f := range []*family{&m.s.raw, &m.s.forecasts} {
		if err := m.s.makeRoom(ctx, f, days); err != nil {
			return err
		}
	}
	return nil
}

// summarize notes the times of the rows that came lately in the block range indexes:
// until then every window of time reads those rows. Autovacuum does the same, but in its
// own time.
func (m *maintenance) summarize(ctx context.Context) error {
	return m.s.step(ctx, "summarize new rows", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT brin_summarize_new_values(i.indexrelid) FROM pg_index i
			JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' JOIN pg_am a ON a.oid = c.relam AND a.amname = 'brin'
			JOIN pg_stat_user_tables s ON s.relid = i.indrelid
			WHERE s.n_ins_since_vacuum > $1 AND pg_has_role(c.relowner, 'USAGE')`, summarizeFrom)
		return err
	})
}

// compress compresses the chunks that are old enough, and again those to which late
// readings came.
func (m *maintenance) compress(ctx context.Context) error {
	if !m.s.hyper || m.u.CompressAfter == 0 {
		return nil
	}
	before, _ := m.before(m.u.CompressAfter)
	for !m.late() {
		n := 0
		err := m.s.step(ctx, "compress readings", func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, `SELECT count(compress_chunk(format('%I.%I', c.chunk_schema, c.chunk_name)::regclass)) FROM (
				SELECT i.chunk_schema, i.chunk_name FROM timescaledb_information.chunks i
				JOIN _timescaledb_catalog.chunk k ON k.schema_name = i.chunk_schema AND k.table_name = i.chunk_name
				WHERE i.hypertable_name = 'traffic_raw' AND i.range_end <= $1 AND (NOT i.is_compressed OR k.status & 8 <> 0)
				ORDER BY i.range_end DESC LIMIT 1) c`, before).Scan(&n)
		})
		if err != nil || n == 0 {
			return err
		}
		m.done.Compressed += n
	}
	return nil
}

// step runs fn in a transaction that may take its time.
func (s *Store) step(ctx context.Context, verb string, fn func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return s.retry(ctx, verb, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
				return err
			}
			return fn(ctx, tx)
		})
	})
}

// dropRaw drops single readings that are too old, once their averages are made.
func (m *maintenance) dropRaw(ctx context.Context) error {
	before, some := m.before(m.u.Raw)
	if !some {
		return nil
	}
	stale := false
	err := m.s.step(ctx, "drop readings", func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM traffic_slots WHERE slot < $1 AND level = 0 AND rolled <> version)`, before).Scan(&stale)
		if err != nil || stale {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE traffic_slots SET level = 1 WHERE slot IN (SELECT slot FROM traffic_slots WHERE slot < $1 AND level = 0 ORDER BY slot FOR UPDATE)`, before)
		return err
	})
	if stale {
		m.done.More = true
		return nil
	}
	if err != nil {
		return err
	}
	return m.drop(ctx, &m.s.raw, "ts", before)
}

// drop drops the partitions or chunks that are older than a moment, and the older rows
// of the one that the moment cuts through.
func (m *maintenance) drop(ctx context.Context, f *family, column string, before time.Time) error {
	if m.s.hyper {
		n := 0
		err := m.s.step(ctx, "drop chunks", func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, `SELECT count(*) FROM drop_chunks($1::regclass, older_than => $2::timestamptz)`, f.parent, before).Scan(&n)
		})
		m.done.Dropped += n
		if err != nil || f == &m.s.raw {
			return err // its chunks are days
		}
	} else {
		n, err := m.s.dropPartitions(ctx, f, before)
		m.done.Dropped += n
		if err != nil {
			return fmt.Errorf("drop partitions of %s: %w", f.parent, err)
		}
	}
	return m.s.step(ctx, "delete old rows", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf(`DELETE FROM %s WHERE %s < $1`, f.parent, column), before)
		return err
	})
}

// dropAverages drops averages that are too old.
func (m *maintenance) dropAverages(ctx context.Context) error {
	if before, some := m.before(m.u.FiveMinutes); some {
		err := m.s.step(ctx, "drop averages", func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE traffic_slots SET level = 2 WHERE slot < $1 AND level = 1`, before)
			return err
		})
		if err != nil {
			return err
		}
		if err := m.drop(ctx, &m.s.fives, "start", before); err != nil {
			return err
		}
	}
	before, some := m.before(m.u.Hours)
	if !some {
		return nil
	}
	if err := m.drop(ctx, &m.s.hours, "start", before); err != nil {
		return err
	}
	return m.s.step(ctx, "drop averages", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM traffic_slots WHERE slot < $1 AND level = 2`, before)
		return err
	})
}

// dropForecasts drops predictions and advice that are too old.
func (m *maintenance) dropForecasts(ctx context.Context) error {
	before, some := m.before(m.u.Forecasts)
	if !some {
		return nil
	}
	if err := m.drop(ctx, &m.s.forecasts, "ts", before); err != nil {
		return err
	}
	for _, table := range []string{"predictions_latest", "prediction_cycles", "reroutes"} {
		if err := m.deleteOld(ctx, table, "ts", before); err != nil {
			return err
		}
	}
	return nil
}

// dropRecords forgets batches and gaps that are too old.
func (m *maintenance) dropRecords(ctx context.Context) error {
	before, some := m.before(m.u.Records)
	if !some {
		return nil
	}
	if err := m.deleteOld(ctx, "edge_batches", "received_at", before); err != nil {
		return err
	}
	return m.deleteOld(ctx, "gaps", "noticed_at", before)
}

// deleteOld deletes rows in small steps. Those that somebody works with wait for the
// next time.
func (m *maintenance) deleteOld(ctx context.Context, table, column string, before time.Time) error {
	for !m.late() {
		var n int64
		err := m.s.step(ctx, "delete from "+table, func(ctx context.Context, tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, fmt.Sprintf(`DELETE FROM %[1]s WHERE (tableoid, ctid) IN
				(SELECT tableoid, ctid FROM %[1]s WHERE %[2]s < $1 LIMIT %[3]d FOR UPDATE SKIP LOCKED)`, table, column, deleteStep), before)
			n = tag.RowsAffected()
			return err
		})
		if err != nil || n < deleteStep {
			return err
		}
	}
	return nil
}
