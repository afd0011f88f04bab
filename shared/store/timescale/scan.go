package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// ScanReadings reads one block of five minutes after the other, so that the server has to
// sort no more than that. It has no deadline but the caller's: how long it takes is for the
// one to say who takes the readings.
func (s *Store) ScanReadings(ctx context.Context, from, to time.Time, each func([]traffic.Reading) error) error {
	lo, hi := bounds(from, to)
	next := pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	for {
		slot, found, err := s.slotAfter(ctx, next, lo, hi)
		if err != nil || !found {
			return err
		}
		if err := s.scanSlot(ctx, slot, lo, hi, each); err != nil {
			return fmt.Errorf("scan readings: %w", err)
		}
		next = pgtype.Timestamptz{Time: slot, Valid: true}
	}
}

// slotAfter is the first block after one that holds readings of [lo, hi).
func (s *Store) slotAfter(ctx context.Context, after, lo, hi pgtype.Timestamptz) (slot time.Time, found bool, err error) {
	sel := new(query).add(`SELECT slot FROM traffic_slots WHERE slot > ? AND last_ts >= ? AND first_ts < ? ORDER BY slot LIMIT 1`, after, lo, hi)
	err = s.each(ctx, "find readings", sel, func(rows pgx.Rows) error {
		found = true
		return rows.Scan(&slot)
	})
	return slot, found, err
}

func (s *Store) scanSlot(ctx context.Context, slot time.Time, lo, hi pgtype.Timestamptz, each func([]traffic.Reading) error) error {
	rows, err := s.pool.Query(ctx, `SELECT `+readingColumns+` FROM traffic_raw r
		WHERE r.ts >= $1 AND r.ts < $1 + interval '5 minutes' AND r.ts >= $2 AND r.ts < $3 ORDER BY r.ts, r.sensor_id`, slot, lo, hi)
	if err != nil {
		return err
	}
	defer rows.Close()
	p := row.Pieces{Each: each}
	for rows.Next() {
		if err := p.Add(func(r *traffic.Reading) error { return scanReading(rows, r) }); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return p.Flush()
}

var _ store.ReadingScanner = (*Store)(nil)
