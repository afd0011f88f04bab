package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

const (
	// rollupStep is how many blocks are averaged in one transaction: a day.
	rollupStep = 288
	// settling is how long after its end a block is averaged first: later than most
	// of its readings come, so that few have to be averaged again.
	settling = 2 * time.Minute
)

// rollUp averages the blocks that have changed. Each step reads the versions of its
// blocks first and their readings after that. What comes in between is in the averages,
// but not in the version that they are noted for, so the block stays to be done again.
func (m *maintenance) rollUp(ctx context.Context) error {
	before := row.Time(slot(row.Micros(m.now.Add(-settling))))
	for !m.late() {
		blocks, err := m.staleBlocks(ctx, before)
		if err != nil || len(blocks) == 0 {
			return err
		}
		if err := m.average(ctx, blocks); err != nil {
			return err
		}
		m.done.RolledUp += len(blocks)
	}
	return nil
}

// staleBlock is a block of five minutes whose averages are out of date.
type staleBlock struct {
	start   time.Time
	version int64
}

// staleBlocks returns the newest ones, at most a day from the first to the last.
func (m *maintenance) staleBlocks(ctx context.Context, before time.Time) ([]staleBlock, error) {
	sel := new(query).add(`SELECT slot, version FROM traffic_slots WHERE slot < ? AND rolled <> version AND level = 0 ORDER BY slot DESC LIMIT ?`, before, rollupStep)
	var out []staleBlock
	err := m.s.each(ctx, "find blocks to average", sel, func(rows pgx.Rows) error {
		var b staleBlock
		if err := rows.Scan(&b.start, &b.version); err != nil {
			return err
		}
		if len(out) == 0 || out[0].start.Sub(b.start) < 24*time.Hour {
			out = append(out, b)
		}
		return nil
	})
	return out, err
}

const sums = `count(*), sum(speed_kmh), count(speed_kmh), sum(flow_rate), count(flow_rate), sum(occupancy), count(occupancy), sum(score), count(score)`

const sumsOfSums = `sum(n), sum(speed), sum(speed_n), sum(flow), sum(flow_n), sum(occupancy), sum(occupancy_n), sum(score), sum(score_n)`

// replace is for averages that exist: there are only ever more readings, so none
// vanishes.
const replace = ` ON CONFLICT (road_id, start) DO UPDATE SET n = excluded.n, speed = excluded.speed, speed_n = excluded.speed_n, flow = excluded.flow,
	flow_n = excluded.flow_n, occupancy = excluded.occupancy, occupancy_n = excluded.occupancy_n, score = excluded.score, score_n = excluded.score_n`

const averageFives = `
INSERT INTO rollup_5m (start, road_id, n, speed, speed_n, flow, flow_n, occupancy, occupancy_n, score, score_n)
SELECT date_bin('5 minutes', ts, '1970-01-01T00:00:00Z') AS b, road_id, ` + sums + `
FROM traffic_raw WHERE ts >= $2 AND ts < $3 AND date_bin('5 minutes', ts, '1970-01-01T00:00:00Z') = ANY($1)
GROUP BY b, road_id ORDER BY b, road_id` + replace

const averageHours = `
INSERT INTO rollup_1h (start, road_id, n, speed, speed_n, flow, flow_n, occupancy, occupancy_n, score, score_n)
SELECT date_bin('1 hour', start, '1970-01-01T00:00:00Z') AS b, road_id, ` + sumsOfSums + `
FROM rollup_5m WHERE start >= $2 AND start < $3 AND date_bin('1 hour', start, '1970-01-01T00:00:00Z') = ANY($1)
GROUP BY b, road_id ORDER BY b, road_id` + replace

// average brings the averages of some blocks, newest first, and of their hours up to
// date.
func (m *maintenance) average(ctx context.Context, blocks []staleBlock) error {
	slots := column(blocks, func(b *staleBlock) time.Time { return b.start })
	versions := column(blocks, func(b *staleBlock) int64 { return b.version })
	var hours []time.Time
	for _, s := range slots {
		if h := s.Truncate(time.Hour); len(hours) == 0 || !hours[len(hours)-1].Equal(h) {
			hours = append(hours, h)
		}
	}
	days := daysOf(slots, func(t *time.Time) int64 { return row.Micros(*t) })
	write := func(ctx context.Context, tx pgx.Tx) error {
		first, last := slots[len(slots)-1], slots[0].Add(5*time.Minute)
		if _, err := tx.Exec(ctx, averageFives, slots, first, last); err != nil {
			return fmt.Errorf("average five minutes: %w", err)
		}
		if _, err := tx.Exec(ctx, averageHours, hours, hours[len(hours)-1], hours[0].Add(time.Hour)); err != nil {
			return fmt.Errorf("average hours: %w", err)
		}
		_, err := tx.Exec(ctx, `WITH locked AS MATERIALIZED (
				SELECT s.slot, i.version FROM traffic_slots s JOIN unnest($1::timestamptz[], $2::bigint[]) AS i (slot, version) ON i.slot = s.slot
				ORDER BY s.slot FOR UPDATE OF s)
			UPDATE traffic_slots s SET rolled = l.version FROM locked l WHERE s.slot = l.slot`, slots, versions)
		return err
	}
	return m.s.inRoom(ctx, &m.s.hours, days, func() error {
		return m.s.inRoom(ctx, &m.s.fives, days, func() error { return m.s.step(ctx, "roll up", write) })
	})
}
