package sqlite

import (
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// ScanReadings reads one slot after the other: rows are clustered by slot, and only
// those of one have to be brought into the order of time.
func (s *Store) ScanReadings(ctx context.Context, from, to time.Time, each func([]traffic.Reading) error) error {
	lo, hi := row.Range(from, to)
	if lo >= hi {
		return nil
	}
	next, last := int64(math.MinInt64), slot(hi-1)
	if lo != math.MinInt64 {
		next = slot(lo)
	}
	for {
		at, found, err := s.slotFrom(ctx, next, last)
		if err != nil || !found {
			return err
		}
		if err := s.scanSlot(ctx, at, lo, hi, each); err != nil {
			return err
		}
		next = at + 1
	}
}

// slotFrom is the first slot in [lo, hi] that holds rows.
func (s *Store) slotFrom(ctx context.Context, lo, hi int64) (at int64, found bool, err error) {
	sel := new(query).add(`SELECT slot FROM traffic_slots WHERE slot BETWEEN ? AND ? ORDER BY slot LIMIT 1`, lo, hi)
	err = s.each(ctx, "find readings", sel, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&at)
	})
	return at, found, err
}

func (s *Store) scanSlot(ctx context.Context, at, lo, hi int64, each func([]traffic.Reading) error) error {
	sel := new(query).add(`SELECT `+readingColumns+` FROM traffic_raw r WHERE r.slot = ? AND r.ts >= ? AND r.ts < ?
		ORDER BY r.ts, r.sensor_id`, at, lo, hi)
	p := row.Pieces{Each: each}
	err := s.each(ctx, "scan readings", sel, func(rows *sql.Rows) error {
		return p.Add(func(r *traffic.Reading) error { return scanReading(rows, r) })
	})
	if err != nil {
		return err
	}
	return p.Flush()
}

var _ store.ReadingScanner = (*Store)(nil)
