package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const skillColumns = `shard, model_version, horizon_min, road_group, through_ts, served, demoted, weight, abs_err, err, intervals, covered,
	persistence_weight, persistence_own, persistence_other, profile_weight, profile_own, profile_other`

// PutSkills replaces what the shard said, and removes shards that are no more.
func (s *Store) PutSkills(ctx context.Context, shard, of int, ss []traffic.Skill) error {
	ss, err := row.Skills(shard, ss)
	if err != nil {
		return fmt.Errorf("store skills: %w", err)
	}
	return s.write(ctx, "store skills", func(ctx context.Context, w *writer) error {
		if err := w.exec(ctx, `DELETE FROM forecast_skill WHERE shard = ? OR shard >= ?`, shard, of); err != nil {
			return err
		}
		_, err := w.bulk(`INSERT INTO forecast_skill (`+skillColumns+`)`, 18, "").
			insert(ctx, len(ss), func(args []any, i int) []any {
				k := &ss[i]
				return append(args, int64(k.Shard), k.Model, int64(k.HorizonMin), k.Group, row.Micros(k.Through), k.Served, k.Demoted,
					k.Weight, k.AbsErr, k.Err, k.Intervals, k.Covered, k.Persistence.Weight, k.Persistence.Own, k.Persistence.Other,
					k.Profile.Weight, k.Profile.Own, k.Profile.Other)
			})
		return err
	})
}

// Skills lists how well the models do, in the order of the key.
func (s *Store) Skills(ctx context.Context) ([]traffic.Skill, error) {
	var out []traffic.Skill
	sel := new(query).add(`SELECT ` + skillColumns + ` FROM forecast_skill ORDER BY shard, model_version, horizon_min, road_group`)
	err := s.each(ctx, "list skills", sel, func(rows *sql.Rows) error {
		var k traffic.Skill
		var through int64
		err := rows.Scan(&k.Shard, &k.Model, &k.HorizonMin, &k.Group, &through, &k.Served, &k.Demoted, &k.Weight, &k.AbsErr, &k.Err,
			&k.Intervals, &k.Covered, &k.Persistence.Weight, &k.Persistence.Own, &k.Persistence.Other,
			&k.Profile.Weight, &k.Profile.Own, &k.Profile.Other)
		k.Through = row.Time(through)
		out = append(out, k)
		return err
	})
	return out, err
}
