package cch

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/routing"
	"github.com/2zrhun/city-flow/shared/routing/routingtest"
)

// pgRouting is the mean time in seconds in which pgr_dijkstra answers the questions on
// the same graph and machine, the table in memory. Its answers are compared with q's.
func pgRouting(b *testing.B, c *routingtest.Case, asks []Ask, q *Query) float64 {
	ctx := b.Context()
	server := rig.StartPostgres(b, rig.PostgresOptions{Plain: true})
	db, err := pgx.Connect(ctx, server.Database(b))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	execute := func(sql string) {
		if _, err := db.Exec(ctx, sql); err != nil {
			b.Fatalf("%s: %v (Debian: apt install postgresql-15-pgrouting)", sql, err)
		}
	}
	execute("CREATE EXTENSION pgrouting CASCADE")
	execute("CREATE UNLOGGED TABLE edges (id int8 PRIMARY KEY, source int8, target int8, cost float8)")
	rows := pgx.CopyFromSlice(c.Graph.Edges(), func(e int) ([]any, error) {
		return []any{int64(e), int64(c.Graph.From(int32(e))), int64(c.Graph.To(int32(e))), float64(c.Millis[e])}, nil
	})
	if _, err := db.CopyFrom(ctx, pgx.Identifier{"edges"}, []string{"id", "source", "target", "cost"}, rows); err != nil {
		b.Fatal(err)
	}
	execute("VACUUM ANALYZE edges")
	const ask = `SELECT coalesce(max(agg_cost), -1) FROM pgr_dijkstra('SELECT id, source, target, cost FROM edges', $1::int8, $2::int8, true)`
	answer := func(a Ask) {
		var cost float64
		if err := db.QueryRow(ctx, ask, int64(a.From), int64(a.To)).Scan(&cost); err != nil {
			b.Fatal(err)
		}
		if want := q.Cost(a); routing.Weight(cost) != want {
			b.Errorf("%+v: pgRouting answers %g, we %d", a, cost, want)
		}
	}
	answer(asks[0]) // reads the table into memory
	begin := time.Now()
	for _, a := range asks {
		answer(a)
	}
	return time.Since(begin).Seconds() / float64(len(asks))
}
