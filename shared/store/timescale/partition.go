package timescale

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
)

// dailyFor is the age from which on the partitions of plain PostgreSQL are months:
// years of history that are read in later would otherwise make thousands of them.
const dailyFor = 62 * 24 * time.Hour

// rooms remembers which days have a partition in traffic_raw.
type rooms struct {
	mu   sync.Mutex
	days map[int64]string // guarded by mu; the partition of each day
}

func (r *rooms) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.days = nil
}

// missing returns the days of the offers, which are sorted by day, that are not
// remembered.
func (r *rooms) missing(offers []row.Offer) (days []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range offers {
		d := day(offers[i].At)
		if (i == 0 || d != day(offers[i-1].At)) && r.days[d] == "" {
			days = append(days, d)
		}
	}
	return days
}

func (r *rooms) remember(days []int64, list partitionList) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.days == nil || len(r.days) > maxRemembered {
		r.days = map[int64]string{}
	}
	for _, d := range days {
		r.days[d] = list.holding(row.Time(d * dayMicros))
	}
}

// table is where offers, which are sorted by day, go with the least detour: if
// they are all of one day, that is its partition.
func (r *rooms) table(offers []row.Offer) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, last := day(offers[0].At), day(offers[len(offers)-1].At)
	if name := r.days[first]; first == last && name != "" {
		return name
	}
	return "traffic_raw"
}

// makeRoom makes sure that there is a partition for every offer.
func (s *Store) makeRoom(ctx context.Context, offers []row.Offer) error {
	if s.hyper {
		return nil
	}
	days := s.rooms.missing(offers)
	if len(days) == 0 {
		return nil
	}
	there, err := s.makePartitions(ctx, days)
	if err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	s.rooms.remember(days, there)
	return nil
}

// partitionLock is the advisory lock of whoever makes or drops partitions.
const partitionLock = migrationLock + 1

// makePartitions makes the partitions of the given days that are not there.
func (s *Store) makePartitions(ctx context.Context, days []int64) (there partitionList, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
			return err
		}
		if there, err = partitions(ctx, tx); err != nil {
			return err
		}
		for _, d := range days {
			from := row.Time(d * dayMicros)
			if there.overlap(from, from.Add(24*time.Hour)) {
				continue // a day lies within one partition or in none
			}
			p := partition{parent: "traffic_raw", from: from, to: from.Add(24 * time.Hour)}
			p.name = "traffic_raw_" + from.Format("20060102")
			month := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
			if old := s.now().Sub(from) > dailyFor; old && !there.overlap(month, month.AddDate(0, 1, 0)) {
				p.name, p.from, p.to = "traffic_raw_"+from.Format("200601"), month, month.AddDate(0, 1, 0)
			}
			if err := p.create(ctx, tx); err != nil {
				return err
			}
			there = append(there, p)
		}
		return nil
	})
	return there, err
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

func partitions(ctx context.Context, tx pgx.Tx) (partitionList, error) {
	rows, err := tx.Query(ctx, `SELECT name, parent, from_ts, to_ts FROM partitions WHERE parent = 'traffic_raw'`)
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
