package timescale

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

// dailyFor is the age from which on the partitions of plain PostgreSQL are months:
// years of history that are read in later would otherwise make thousands of them.
const dailyFor = 62 * 24 * time.Hour

// partitionLock is the advisory lock of whoever makes or drops partitions.
const partitionLock = migrationLock + 1

// A family is a table that plain PostgreSQL partitions by time. It remembers which days
// have a partition.
type family struct {
	parent string
	// monthly says that young partitions are months, too.
	monthly bool

	mu   sync.Mutex
	days map[int64]string // guarded by mu; the partition of each day
}

// forget is for when a partition turns out to be gone.
func (f *family) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.days = nil
}

// missing returns the days that are not remembered.
func (f *family) missing(days []int64) (out []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range days {
		if f.days[d] == "" {
			out = append(out, d)
		}
	}
	return out
}

func (f *family) remember(days []int64, list partitionList) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.days == nil || len(f.days) > maxRemembered {
		f.days = map[int64]string{}
	}
	for _, d := range days {
		f.days[d] = list.holding(row.Time(d * dayMicros))
	}
}

// table is where rows of the days from first to last go with the least detour: if that
// is one day, its partition.
func (f *family) table(first, last int64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name := f.days[first]; first == last && name != "" {
		return name
	}
	return f.parent
}

// daysOf returns the days of items that are sorted by time or by day.
func daysOf[T any](items []T, at func(*T) int64) (days []int64) {
	for i := range items {
		if d := day(at(&items[i])); len(days) == 0 || days[len(days)-1] != d {
			days = append(days, d)
		}
	}
	return days
}

// makeRoom makes sure that there is a partition for each of these days.
func (s *Store) makeRoom(ctx context.Context, f *family, days []int64) error {
	if s.hyper {
		return nil
	}
	missing := f.missing(days)
	if len(missing) == 0 {
		return nil
	}
	there, err := s.makePartitions(ctx, f, missing)
	if err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	f.remember(missing, there)
	return nil
}

// inRoom runs fn, which writes to a family, and makes room (again) when there is none.
func (s *Store) inRoom(ctx context.Context, f *family, days []int64, fn func() error) error {
	for again := false; ; again = true {
		if err := s.makeRoom(ctx, f, days); err != nil {
			return err
		}
		err := fn()
		if again || !hasCode(err, codeNoPartition, codeNoTable) {
			return err
		}
		f.forget()
	}
}

// makePartitions makes the partitions of the given days that are not there, and
// returns all.
func (s *Store) makePartitions(ctx context.Context, f *family, days []int64) (there partitionList, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
			return err
		}
		if there, err = partitions(ctx, tx, f.parent); err != nil {
			return err
		}
		for _, d := range days {
			from := row.Time(d * dayMicros)
			if there.holding(from) != "" {
				continue // a day lies within one partition or in none
			}
			p := f.partition(from, there, s.now())
			if err := p.create(ctx, tx); err != nil {
				return err
			}
			there = append(there, p)
		}
		return nil
	})
	return there, err
}

// partition plans the partition for a day that has none.
func (f *family) partition(from time.Time, there partitionList, now time.Time) partition {
	month := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
	if old := now.Sub(from) > dailyFor; (old || f.monthly) && !there.overlap(month, month.AddDate(0, 1, 0)) {
		return partition{f.parent + "_" + from.Format("200601"), f.parent, month, month.AddDate(0, 1, 0)}
	}
	return partition{f.parent + "_" + from.Format("20060102"), f.parent, from, from.Add(24 * time.Hour)}
}

// A partition is a row of the table of that name.
type partition struct {
	name, parent string
	from, to     time.Time
}

type partitionList []partition

func (l partitionList) overlap(from, to time.Time) bool {
	for _, p := range l {
		if p.from.Before(to) && from.Before(p.to) {
			return true
		}
	}
	return false
}

// holding is the name of the partition that a time belongs to.
func (l partitionList) holding(at time.Time) string {
	for _, p := range l {
		if !at.Before(p.from) && at.Before(p.to) {
			return p.name
		}
	}
	return ""
}

func partitions(ctx context.Context, tx pgx.Tx, parent string) (partitionList, error) {
	rows, err := tx.Query(ctx, `SELECT name, parent, from_ts, to_ts FROM partitions WHERE parent = $1`, parent)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (p partition, err error) {
		err = r.Scan(&p.name, &p.parent, &p.from, &p.to)
		return p, err
	})
}

// create makes the table first and then attaches it, for which readers and writers of
// the parent need not wait.
func (p *partition) create(ctx context.Context, tx pgx.Tx) error {
	name, parent := pgx.Identifier{p.name}.Sanitize(), pgx.Identifier{p.parent}.Sanitize()
	for _, sql := range []string{
		fmt.Sprintf(`CREATE TABLE %s (LIKE %s INCLUDING ALL)`, name, parent),
		fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')`, parent, name,
			p.from.UTC().Format(time.RFC3339), p.to.UTC().Format(time.RFC3339)),
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO partitions (name, parent, from_ts, to_ts) VALUES ($1, $2, $3, $4)`, p.name, p.parent, p.from, p.to)
	return err
}

// dropPartitions drops the partitions that end by a time and returns how many. It gives
// up on one that readers use for longer than a moment: everybody who comes after would
// have to wait with it.
func (s *Store) dropPartitions(ctx context.Context, f *family, before time.Time) (dropped int, err error) {
	defer func() {
		if dropped > 0 {
			f.forget()
		}
	}()
	for {
		gone := false
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1), set_config('lock_timeout', '2s', true)`, int64(partitionLock)); err != nil {
				return err
			}
			var name string
			err := tx.QueryRow(ctx, `DELETE FROM partitions WHERE name = (SELECT name FROM partitions WHERE parent = $1 AND to_ts <= $2 ORDER BY to_ts LIMIT 1)
				RETURNING name`, f.parent, before).Scan(&name)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			if err == nil {
				gone = true
				_, err = tx.Exec(ctx, `DROP TABLE IF EXISTS `+pgx.Identifier{name}.Sanitize())
			}
			return err
		})
		if err != nil || !gone {
			return dropped, err
		}
		dropped++
	}
}
