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
	roads, err := list(q.Roads)
	if err != nil {
		return nil, fmt.Errorf("average readings: %w", err)
	}
	sel := new(query).add(`SELECT r.road_id, r.ts, r.speed_kmh, r.flow_rate, r.occupancy, r.score`)
	if q.Roads != nil && len(q.Roads) < manyRoads {
		sel.add(`FROM (SELECT DISTINCT value AS road_id FROM json_each(?)) j CROSS JOIN road_sensors p ON p.road_id = j.road_id
			CROSS JOIN traffic_slots t CROSS JOIN traffic_raw r
			ON r.slot = t.slot AND r.sensor_id = p.sensor_id AND r.road_id = p.road_id
			WHERE t.slot BETWEEN ? AND ? AND r.ts >= ? AND r.ts < ?`, roads, slot(lo), slot(hi-1), lo, hi)
	} else {
		sel.add(`FROM traffic_raw r WHERE r.slot BETWEEN ? AND ? AND r.ts >= ? AND r.ts < ?`, slot(lo), slot(hi-1), lo, hi).
			when(q.Roads != nil, `AND r.road_id IN (SELECT value FROM json_each(?))`, roads)
	}
	sums := adder{width: q.Width.Microseconds(), by: map[bucketKey]*bucketSum{}}
	if err := s.each(ctx, "average readings", sel, sums.add); err != nil {
		return nil, err
	}
	return sums.buckets(q.Width), nil
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
	var k bucketKey
	var ts int64
	var speed, flow, occupancy, score traffic.Value
	if err := rows.Scan(&k.road, &ts, (*value)(&speed), (*value)(&flow), (*value)(&occupancy), (*value)(&score)); err != nil {
		return err
	}
	// The remainder is taken twice so that buckets before 1970 begin right, too.
	k.start = ts - (ts%a.width+a.width)%a.width
	b := a.by[k]
	if b == nil {
		b = &bucketSum{}
		a.by[k] = b
	}
	b.samples++
	b.speed.add(speed)
	b.flow.add(flow)
	b.occupancy.add(occupancy)
	b.score.add(score)
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
