package timescale

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

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
	return s.transaction(ctx, "store skills", func(ctx context.Context, tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`DELETE FROM forecast_skill WHERE shard = $1 OR shard >= $2`, shard, of)
		for i := range ss {
			k := &ss[i]
			batch.Queue(`INSERT INTO forecast_skill (`+skillColumns+`)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
				k.Shard, k.Model, k.HorizonMin, k.Group, instant(k.Through), k.Served, k.Demoted, k.Weight, k.AbsErr, k.Err, k.Intervals, k.Covered,
				k.Persistence.Weight, k.Persistence.Own, k.Persistence.Other, k.Profile.Weight, k.Profile.Own, k.Profile.Other)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// Skills lists how well the models do, in the order of the key.
func (s *Store) Skills(ctx context.Context) ([]traffic.Skill, error) {
	var out []traffic.Skill
	sel := new(query).add(`SELECT ` + skillColumns + ` FROM forecast_skill ORDER BY shard, model_version, horizon_min, road_group`)
	err := s.each(ctx, "list skills", sel, func(rows pgx.Rows) error {
		var k traffic.Skill
		err := rows.Scan(&k.Shard, &k.Model, &k.HorizonMin, &k.Group, &k.Through, &k.Served, &k.Demoted, &k.Weight, &k.AbsErr, &k.Err,
			&k.Intervals, &k.Covered, &k.Persistence.Weight, &k.Persistence.Own, &k.Persistence.Other,
			&k.Profile.Weight, &k.Profile.Own, &k.Profile.Other)
		k.Through = k.Through.UTC()
		out = append(out, k)
		return err
	})
	return out, err
}
