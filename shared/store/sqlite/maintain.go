package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

const (
	// maintainFor is for how long one Maintain begins new steps.
	maintainFor = 40 * time.Second
	// settling is how long after its end a block is averaged first: later than most
	// of its readings come, so that few have to be averaged again.
	settling = 2 * time.Minute
	// deleteStep is how many rows are deleted in one transaction.
	deleteStep = 2000

	dayMicros  = 24 * 3600 * 1_000_000
	hourMicros = 3600 * 1_000_000
	fiveMicros = 300 * 1_000_000
)

// Maintain brings averages up to date and drops what is old, in transactions that are
// short enough for writers to wait for. Another process that maintains the same file does
// the same work in turn, which harms nothing.
func (s *Store) Maintain(ctx context.Context, now time.Time, u store.Upkeep) (store.Maintained, error) {
	const verb = "maintain database"
	if err := u.Validate(); err != nil {
		return store.Maintained{}, fmt.Errorf("%s: %w", verb, err)
	}
	m := maintenance{s: s, now: now, u: u, until: time.Now().Add(maintainFor)}
	for _, step := range []func(context.Context) error{m.rollUp, m.dropRaw, m.dropAverages, m.dropForecasts, m.dropRecords} {
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

// repeat runs a step in one transaction after the other until it finds nothing to do
// or time is up.
func (m *maintenance) repeat(ctx context.Context, verb string, step func(ctx context.Context, w *writer) (found bool, err error)) error {
	for {
		if time.Now().After(m.until) {
			m.done.More = true
			return nil
		}
		found := false
		err := m.s.write(ctx, verb, func(ctx context.Context, w *writer) (err error) {
			found, err = step(ctx, w)
			return err
		})
		if err != nil || !found {
			return err
		}
	}
}

// before is the moment from which on things are kept; none when they are for ever.
// It is the begin of a day, as with the other databases.
func (m *maintenance) before(keep time.Duration) (us int64, some bool) {
	if keep == 0 {
		return 0, false
	}
	return begin(row.Micros(m.now.Add(-keep)), dayMicros), true
}

// begin is the begin of the block of a width that a time belongs to. The remainder is
// taken twice so that blocks before 1970 begin right, too.
func begin(at, width int64) int64 { return at - (at%width+width)%width }

const averageFives = `
INSERT OR REPLACE INTO rollup_5m (start, road_id, n, speed, speed_n, flow, flow_n, occupancy, occupancy_n, score, score_n)
SELECT ?1, road_id, count(*), sum(speed_kmh), count(speed_kmh), sum(flow_rate), count(flow_rate), sum(occupancy), count(occupancy), sum(score), count(score)
FROM traffic_raw WHERE slot >= ?2 AND slot < ?3 GROUP BY road_id`

const averageHours = `
INSERT OR REPLACE INTO rollup_1h (start, road_id, n, speed, speed_n, flow, flow_n, occupancy, occupancy_n, score, score_n)
SELECT ?1, road_id, sum(n), sum(speed), sum(speed_n), sum(flow), sum(flow_n), sum(occupancy), sum(occupancy_n), sum(score), sum(score_n)
FROM rollup_5m WHERE start >= ?1 AND start < ?2 GROUP BY road_id`

// rollUp averages the blocks that have changed, one and its hour in a transaction, the
// newest first.
func (m *maintenance) rollUp(ctx context.Context) error {
	before := slot(begin(row.Micros(m.now.Add(-settling)), fiveMicros))
	return m.repeat(ctx, "roll up", func(ctx context.Context, w *writer) (bool, error) {
		newest, found, err := w.number(ctx, `SELECT slot FROM traffic_slots WHERE rolled <> version AND slot < ? AND level = 0 ORDER BY slot DESC LIMIT 1`, before)
		if err != nil || !found {
			return false, err
		}
		start := begin(newest*slotWidth, fiveMicros)
		first, end := slot(start), slot(start+fiveMicros)
		m.done.RolledUp++
		settle := `UPDATE traffic_slots SET rolled = version WHERE slot >= ? AND slot < ?`
		// Of a block that is being dropped the averages stay as they are.
		_, dropped, err := w.number(ctx, `SELECT slot FROM traffic_slots WHERE slot >= ? AND slot < ? AND level > 0 LIMIT 1`, first, end)
		if err != nil || dropped {
			return true, errors.Join(err, w.exec(ctx, settle, first, end))
		}
		if err := w.exec(ctx, averageFives, start, first, end); err != nil {
			return false, err
		}
		hour := begin(start, hourMicros)
		if err := w.exec(ctx, averageHours, hour, hour+hourMicros); err != nil {
			return false, err
		}
		return true, w.exec(ctx, settle, first, end)
	})
}

// dropRaw drops single readings that are too old, a minute in a transaction. Their
// averages are made by then.
func (m *maintenance) dropRaw(ctx context.Context) error {
	before, some := m.before(m.u.Raw)
	if !some || m.done.More {
		return nil
	}
	days := map[int64]bool{}
	err := m.repeat(ctx, "drop readings", func(ctx context.Context, w *writer) (bool, error) {
		// Late readings may have come to a slot that was dropped before.
		old, found, err := w.number(ctx, `SELECT slot FROM traffic_slots WHERE level = 0 AND rolled = version AND slot < ? ORDER BY slot LIMIT 1`, slot(before))
		if err == nil && !found {
			old, found, err = w.number(ctx, `SELECT slot FROM traffic_slots WHERE rolled <> version AND level > 0 ORDER BY slot LIMIT 1`)
		}
		if err != nil || !found {
			return false, err
		}
		if err := w.exec(ctx, `DELETE FROM traffic_raw WHERE slot = ?`, old); err != nil {
			return false, err
		}
		days[begin(old*slotWidth, dayMicros)] = true
		return true, w.exec(ctx, `UPDATE traffic_slots SET level = max(level, 1), rolled = version WHERE slot = ?`, old)
	})
	m.done.Dropped += len(days)
	return err
}

// dropAverages drops averages that are too old.
func (m *maintenance) dropAverages(ctx context.Context) error {
	if before, some := m.before(m.u.FiveMinutes); some {
		if err := m.deleteOld(ctx, "rollup_5m", "start", before); err != nil {
			return err
		}
		err := m.s.write(ctx, "drop averages", func(ctx context.Context, w *writer) error {
			return w.exec(ctx, `UPDATE traffic_slots SET level = 2 WHERE level = 1 AND slot < ?`, slot(before))
		})
		if err != nil {
			return err
		}
	}
	before, some := m.before(m.u.Hours)
	if !some {
		return nil
	}
	if err := m.deleteOld(ctx, "rollup_1h", "start", before); err != nil {
		return err
	}
	return m.s.write(ctx, "drop averages", func(ctx context.Context, w *writer) error {
		return w.exec(ctx, `DELETE FROM traffic_slots WHERE level = 2 AND slot < ?`, slot(before))
	})
}

// dropForecasts drops predictions and advice that are too old.
func (m *maintenance) dropForecasts(ctx context.Context) error {
	before, some := m.before(m.u.Forecasts)
	if !some {
		return nil
	}
	for _, table := range []string{"predictions", "predictions_latest", "prediction_cycles", "reroutes"} {
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

// keyOf is the primary key of a table that is deleted from.
func keyOf(table string) string {
	switch table {
	case "rollup_5m", "rollup_1h":
		return "start, road_id"
	case "predictions":
		return "ts, road_id, horizon_min, model_version"
	case "predictions_latest":
		return "road_id, horizon_min, model_version"
	case "prediction_cycles":
		return "model_version, ts, horizon_min"
	case "reroutes":
		return "ts, route_id, alt_route_id"
	case "edge_batches":
		return "edge_id, epoch, seq"
	}
	return "id"
}

// deleteOld deletes rows in small steps.
func (m *maintenance) deleteOld(ctx context.Context, table, column string, before int64) error {
	query := fmt.Sprintf(`DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s < ? LIMIT %[4]d)`, table, keyOf(table), column, deleteStep)
	return m.repeat(ctx, "delete from "+table, func(ctx context.Context, w *writer) (bool, error) {
		n, err := w.change(ctx, query, before)
		return n == deleteStep, err
	})
}
