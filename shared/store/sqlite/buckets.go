package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// manyRoads is from how many roads on a time window is read as a whole
// instead of road by road.
const manyRoads = 64

// Buckets averages readings by road and time. Adding up here costs half of what
// SQLite's GROUP BY does, which would sort the rows by road.
func (s *Store) Buckets(ctx context.Context, q store.BucketQuery) ([]traffic.Bucket, error) {
	if q.From.IsZero() || q.To.IsZero() || q.Width < time.Second || q.Width%time.Second != 0 {
		return nil, fmt.Errorf("average readings: from %s, to %s, width %s: want both bounds and a width of whole seconds, at least 1s",
			q.From, q.To, q.Width)
	}
	lo, hi := row.Range(q.From, q.To)
	if lo >= hi || (q.Roads != nil && len(q.Roads) == 0) {
		return nil, nil
	}
	raw, unit := []row.Span{{From: lo, To: hi}}, int64(0)
	rolled := false
	sums := adder{width: q.Width.Microseconds(), by: map[bucketKey]*bucketSum{}}
	if q.Width%(5*time.Minute) == 0 {
		unit = fiveMicros
		if q.Width%time.Hour == 0 {
			unit = hourMicros
		}
		blocks, err := s.blocks(ctx, lo, hi, unit)
		if err != nil {
			return nil, err
		}
		raw, rolled = row.Plan(blocks, unit, row.Span{From: lo, To: hi})
	}
	for _, span := range raw {
		if err := s.addReadings(ctx, &sums, q, span); err != nil {
			return nil, err
		}
	}
	if rolled {
		if err := s.addAverages(ctx, &sums, q, unit, raw); err != nil {
			return nil, err
		}
	}
	return sums.buckets(q.Width), nil
}

// blocks lists the blocks of a width that hold readings in [lo, hi), oldest first.
func (s *Store) blocks(ctx context.Context, lo, hi, width int64) ([]row.Block, error) {
	// Division rounds towards zero, so negative slots are shifted before.
	const shift = int64(1) << 40
	n := width / slotWidth
	var out []row.Block
	sel := new(query).add(`SELECT (slot + ?1 * ?2) / ?1 - ?2 AS b, min(level >= 1 OR rolled = version), max(level >= 1)
		FROM traffic_slots WHERE slot >= ?3 AND slot < ?4 GROUP BY b ORDER BY b`, n, shift, slot(begin(lo, width)), slot(hi-1)+1)
	err := s.each(ctx, "average readings", sel, func(rows *sql.Rows) error {
		var b row.Block
		err := rows.Scan(&b.Start, &b.Ready, &b.Dropped)
		b.Start *= width
		out = append(out, b)
		return err
	})
	return out, err
}

// addReadings adds up the readings of a piece of time.
func (s *Store) addReadings(ctx context.Context, sums *adder, q store.BucketQuery, at row.Span) error {
	roads, err := list(q.Roads)
	if err != nil {
		return fmt.Errorf("average readings: %w", err)
	}
	first, last := slot(at.From), slot(at.To-1)
	sel := new(query).add(`SELECT r.road_id, r.ts, r.speed_kmh, r.flow_rate, r.occupancy, r.score`)
	if q.Roads != nil && len(q.Roads) < manyRoads {
		sel.add(`FROM (SELECT DISTINCT value AS road_id FROM json_each(?)) j CROSS JOIN road_sensors p ON p.road_id = j.road_id
			CROSS JOIN traffic_slots t CROSS JOIN traffic_raw r
			ON r.slot = t.slot AND r.sensor_id = p.sensor_id AND r.road_id = p.road_id
			WHERE t.slot BETWEEN ? AND ? AND r.ts >= ? AND r.ts < ?`, roads, first, last, at.From, at.To)
	} else {
		sel.add(`FROM traffic_raw r WHERE r.slot BETWEEN ? AND ? AND r.ts >= ? AND r.ts < ?`, first, last, at.From, at.To).
			when(q.Roads != nil, `AND r.road_id IN (SELECT value FROM json_each(?))`, roads)
	}
	return s.each(ctx, "average readings", sel, sums.add)
}

// addAverages adds up the averages of the blocks that are outside of the given pieces
// of time and wholly asked for.
func (s *Store) addAverages(ctx context.Context, sums *adder, q store.BucketQuery, unit int64, without []row.Span) error {
	roads, err := list(q.Roads)
	if err != nil {
		return fmt.Errorf("average readings: %w", err)
	}
	lo, hi := row.Range(q.From, q.To)
	table := "rollup_5m"
	if unit == hourMicros {
		table = "rollup_1h"
	}
	sel := new(query).add(`SELECT r.road_id, r.start, r.n, r.speed, r.speed_n, r.flow, r.flow_n, r.occupancy, r.occupancy_n, r.score, r.score_n`)
	if q.Roads != nil && len(q.Roads) < manyRoads {
		// A road is looked up in each block that there is.
		sel.add(`FROM (SELECT DISTINCT ((t.slot + ?1 * ?2) / ?1 - ?2) * ?3 AS start FROM traffic_slots t WHERE t.slot >= ?4 AND t.slot < ?5) b
			CROSS JOIN (SELECT DISTINCT value AS road_id FROM json_each(?6)) j
			CROSS JOIN `+table+` r ON r.start = b.start AND r.road_id = j.road_id WHERE r.start >= ?7 AND r.start <= ?8`,
			unit/slotWidth, int64(1)<<40, unit, slot(lo), slot(hi-1)+1, roads, lo, hi-unit)
	} else {
		sel.add(`FROM `+table+` r WHERE r.start >= ? AND r.start <= ?`, lo, hi-unit).
			when(q.Roads != nil, `AND r.road_id IN (SELECT value FROM json_each(?))`, roads)
	}
	return s.each(ctx, "average readings", sel, func(rows *sql.Rows) error { return sums.addSums(rows, unit, without) })
}

type bucketKey struct {
	road  string
	start int64
}

// bucketSum is the sums and the numbers of what was measured.
type bucketSum struct {
	speed, flow, occupancy, score sum
	samples                       int64
}

type sum struct {
	total float64
	n     int64
}

// addSum adds n values that make a sum, which is absent when there are none.
func (s *sum) addSum(v traffic.Value, n int64) {
	s.total += v.Or(0)
	s.n += n
}

func (s *sum) add(v traffic.Value) {
	if f, ok := v.Get(); ok {
		s.total += f
		s.n++
	}
}

func (s *sum) mean() traffic.Value {
	if s.n == 0 {
		return traffic.Value{}
	}
	return traffic.Some(s.total / float64(s.n))
}

// adder adds rows up by bucket.
type adder struct {
	width int64 // microseconds
	by    map[bucketKey]*bucketSum
}

func (a *adder) add(rows *sql.Rows) error {
	var road string
	var ts int64
	var speed, flow, occupancy, score traffic.Value
	if err := rows.Scan(&road, &ts, (*value)(&speed), (*value)(&flow), (*value)(&occupancy), (*value)(&score)); err != nil {
		return err
	}
	b := a.of(road, ts)
	b.samples++
	b.speed.add(speed)
	b.flow.add(flow)
	b.occupancy.add(occupancy)
	b.score.add(score)
	return nil
}

// of is the bucket of a road that a time belongs to.
func (a *adder) of(road string, ts int64) *bucketSum {
	k := bucketKey{road, begin(ts, a.width)}
	b := a.by[k]
	if b == nil {
		b = &bucketSum{}
		a.by[k] = b
	}
	return b
}

// addSums adds a row of averages, unless it lies in a piece of time that was added up
// from readings.
func (a *adder) addSums(rows *sql.Rows, unit int64, without []row.Span) error {
	var road string
	var start, n, speedN, flowN, occupancyN, scoreN int64
	var speed, flow, occupancy, score traffic.Value
	err := rows.Scan(&road, &start, &n, (*value)(&speed), &speedN, (*value)(&flow), &flowN, (*value)(&occupancy), &occupancyN, (*value)(&score), &scoreN)
	if err != nil {
		return err
	}
	for _, w := range without {
		if start < w.To && start+unit > w.From {
			return nil
		}
	}
	b := a.of(road, start)
	b.samples += n
	b.speed.addSum(speed, speedN)
	b.flow.addSum(flow, flowN)
	b.occupancy.addSum(occupancy, occupancyN)
	b.score.addSum(score, scoreN)
	return nil
}

func (a *adder) buckets(width time.Duration) []traffic.Bucket {
	out := make([]traffic.Bucket, 0, len(a.by))
	for k, b := range a.by {
		out = append(out, traffic.Bucket{
			Road: traffic.RoadID(k.road), Start: row.Time(k.start), Width: width, Samples: b.samples,
			Speed: b.speed.mean(), Flow: b.flow.mean(), Occupancy: b.occupancy.mean(), Score: b.score.mean(),
		})
	}
	slices.SortFunc(out, func(a, b traffic.Bucket) int {
		return cmp.Or(cmp.Compare(a.Road, b.Road), a.Start.Compare(b.Start))
	})
	return out
}
