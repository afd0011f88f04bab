package timescale

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/store/sqlite"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// ingestBatch is the number of readings in a transaction and in a COPY.
	ingestBatch = 5000
	// ingestSensors is the number of sensors and of roads.
	ingestSensors = 5000
	// ingestRound is how many readings one way takes before it is the other's turn.
	ingestRound = 10 * ingestBatch
)

// ingestDepth is how many readings of a sensor are in a batch. An edge of 100 sensors
// sends some when its link was down or its buffer gathers for a while; one of each is the
// most work that a batch can make for the roads.
type ingestDepth int

const (
	deep ingestDepth = 10
	flat ingestDepth = 1
)

// readings are n readings of the city's stream from number k on: the sensors of one
// edge after the other, each with so many readings.
func (d ingestDepth) readings(k, n int) []traffic.Reading {
	const edgeSensors = 100
	begin := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	out := make([]traffic.Reading, n)
	for i := range out {
		j := k + i
		turn, in := j/(ingestSensors*int(d)), j%(ingestSensors*int(d))
		edge, in := in/(edgeSensors*int(d)), in%(edgeSensors*int(d))
		id := fmt.Sprintf("PARIS-%04d", edge*edgeSensors+in%edgeSensors)
		out[i] = traffic.Reading{
			At: begin.Add(time.Duration(turn*int(d)+in/edgeSensors) * 10 * time.Second), Sensor: traffic.SensorID(id), Road: traffic.RoadID(id),
			Speed: traffic.Some(float64(j%97) / 1.7), Flow: traffic.Some(float64(j % 1801)), Occupancy: traffic.Some(float64(j%89) / 89),
			Score: traffic.Some(float64(j%83) / 83), Edge: traffic.EdgeID(fmt.Sprintf("edge-%d", edge)),
		}
	}
	return out
}

// BenchmarkIngest measures, on the same rows and on a server that flushes every commit
// to the disk, (a) COPY straight into a table with the same key, (b) one INSERT a row,
// (c) Append; then what a database of many rows answers. CITYFLOW_BENCH=long fills it
// with 20 million rows instead of 2.
func BenchmarkIngest(b *testing.B) {
	b.Run("postgresql", func(b *testing.B) { benchIngest(b, rig.PostgresOptions{Plain: true, Durable: true}, "") })
	b.Run("timescaledb", func(b *testing.B) { benchIngest(b, rig.PostgresOptions{Durable: true}, "timescaledb_") })
	b.Run("sqlite", benchSQLite)
}

func figure(name string, value float64, unit string) {
	fmt.Printf("BENCH %s %.4g %s\n", name, value, unit)
}

// stopwatch adds up the time of one way.
type stopwatch struct {
	rows int
	took time.Duration
}

func (w *stopwatch) run(b *testing.B, rows int, do func() error) {
	b.Helper()
	began := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	w.took += time.Since(began)
	w.rows += rows
}

func (w *stopwatch) rate() float64 { return float64(w.rows) / w.took.Seconds() }

type ingestBench struct {
	s     *Store
	conn  *pgx.Conn
	depth ingestDepth
	next  int // the first reading of the stream that was not appended
}

func benchIngest(b *testing.B, o rig.PostgresOptions, prefix string) {
	ctx := context.Background()
	dsn := rig.StartPostgres(b, o).Database(b)
	s, err := Open(ctx, dsn, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if !o.Plain && !s.hyper {
		b.Skip("the PostgreSQL server does not offer TimescaleDB")
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	x := &ingestBench{s: s, conn: conn, depth: deep}
	x.makeLimitTable(b)
	var limit, ours, dups, naive, both, unused stopwatch
	x.append(b, &unused, ingestRound, 0) // makes roads, chunks, and the server's caches warm
	for range 6 {
		from := x.next
		x.copy(b, &limit, from)
		x.append(b, &ours, ingestRound, 0)
		x.single(b, &naive, from)
		x.append(b, &dups, ingestRound*7/10, 0.3)
		x.next += ingestBatch - x.next%ingestBatch
		x.appendTwo(b, &both)
	}
	figure(prefix+"ingest_copy_rows_per_s", limit.rate(), "rows/s")
	figure(prefix+"ingest_single_insert_rows_per_s", naive.rate(), "rows/s")
	figure(prefix+"ingest_rows_per_s", ours.rate(), "rows/s")
	figure(prefix+"ingest_two_writers_rows_per_s", both.rate(), "rows/s")
	figure(prefix+"ingest_two_writers_vs_copy", both.rate()/limit.rate(), "ratio")
	figure(prefix+"ingest_vs_copy", ours.rate()/limit.rate(), "ratio")
	figure(prefix+"ingest_vs_single_insert", ours.rate()/naive.rate(), "ratio")
	figure(prefix+"ingest_duplicates_ratio", dups.rate()/ours.rate(), "ratio")
	x.grow(b, prefix)
	var worst stopwatch
	x.depth, x.next = flat, 100_000_000 // another time
	x.append(b, &worst, 4*ingestRound, 0)
	figure(prefix+"ingest_one_reading_a_road_rows_per_s", worst.rate(), "rows/s")
}

// makeLimitTable makes the tables of (a) and (b): the columns and the key, no more.
func (x *ingestBench) makeLimitTable(b *testing.B) {
	b.Helper()
	for _, name := range []string{"limit_copy", "limit_single"} {
		sql := fmt.Sprintf(`CREATE TABLE %s (LIKE traffic_raw, PRIMARY KEY (sensor_id, ts))`, name)
		if x.s.hyper {
			sql += fmt.Sprintf(`; SELECT create_hypertable('%s', by_range('ts', INTERVAL '1 day'), create_default_indexes => false)`, name)
		}
		if _, err := x.conn.Exec(context.Background(), sql); err != nil {
			b.Fatal(err)
		}
	}
}

func (x *ingestBench) copy(b *testing.B, w *stopwatch, from int) {
	for k := from; k < from+ingestRound; k += ingestBatch {
		rs := x.depth.readings(k, ingestBatch)
		offers := row.Offers(rs, day)
		w.run(b, len(rs), func() error { return copyOffers(context.Background(), x.conn.PgConn(), "limit_copy", offers) })
	}
}

func (x *ingestBench) single(b *testing.B, w *stopwatch, from int) {
	rs := x.depth.readings(from, 300)
	w.run(b, len(rs), func() error {
		for _, r := range rs {
			_, err := x.conn.Exec(context.Background(), `INSERT INTO limit_single (ts, sensor_id, road_id, speed_kmh, flow_rate, occupancy, score, quality, edge_id)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, r.At, string(r.Sensor), string(r.Road), optional(r.Speed), optional(r.Flow),
				optional(r.Occupancy), optional(r.Score), int64(r.Quality), string(r.Edge))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// append stores the next fresh readings of the stream, in batches of which a share
// was stored before.
func (x *ingestBench) append(b *testing.B, w *stopwatch, fresh int, again float64) {
	b.Helper()
	old := int(ingestBatch * again)
	for done := 0; done < fresh; done += ingestBatch - old {
		rs := x.depth.readings(x.next-old, ingestBatch)
		x.next += ingestBatch - old
		w.run(b, len(rs), func() error {
			got, err := x.s.Append(context.Background(), store.Delivery{Readings: rs, Batches: []store.BatchID{{Edge: "e", Epoch: 1, Seq: uint64(x.next)}}})
			if err == nil && got.Duplicate != old {
				err = fmt.Errorf("%d duplicates, want %d", got.Duplicate, old)
			}
			return err
		})
	}
}

// appendTwo stores the next round by two writers, as two collectors do, each of which
// takes every second batch.
func (x *ingestBench) appendTwo(b *testing.B, w *stopwatch) {
	var batches [][]traffic.Reading
	for k := x.next; k < x.next+ingestRound; k += ingestBatch {
		batches = append(batches, x.depth.readings(k, ingestBatch))
	}
	x.next += ingestRound
	w.run(b, ingestRound, func() error {
		var errs [2]error
		var wg sync.WaitGroup
		for n := range errs {
			wg.Go(func() {
				for i := n; i < len(batches); i += len(errs) {
					got, err := x.s.Append(context.Background(), store.Delivery{Readings: batches[i]})
					if err == nil && got.New != ingestBatch {
						err = fmt.Errorf("%d new", got.New)
					}
					errs[n] = errors.Join(errs[n], err)
				}
			})
		}
		wg.Wait()
		return errors.Join(errs[0], errs[1])
	})
}

// grow fills the database and measures how its answers and its speed change.
func (x *ingestBench) grow(b *testing.B, prefix string) {
	ctx := context.Background()
	rows, first := 2_000_000, 1_000_000
	if os.Getenv("CITYFLOW_BENCH") == "long" {
		rows = 20_000_000
	}
	var early, late stopwatch
	at := func(w *stopwatch, end int) {
		x.append(b, new(stopwatch), end-5*ingestRound-x.next, 0)
		x.append(b, w, 5*ingestRound, 0)
	}
	at(&early, first)
	at(&late, rows)
	figure(prefix+"ingest_growth_rows", float64(x.next), "rows")
	figure(prefix+"ingest_growth_ratio", late.rate()/early.rate(), "ratio")
	figure(prefix+"latest_5000_p95_ms", p95(b, func() error {
		got, _, err := x.s.Latest(ctx, store.RoadFilter{}, store.Page{Limit: ingestSensors})
		if err == nil && len(got) != ingestSensors {
			err = fmt.Errorf("%d states", len(got))
		}
		return err
	}), "ms")
	end := x.depth.readings(x.next-1, 1)[0].At.Add(1)
	figure(prefix+"buckets_day_ms", p95(b, func() error {
		got, err := x.s.Buckets(ctx, store.BucketQuery{Roads: []traffic.RoadID{"PARIS-0077"}, From: end.Add(-24 * time.Hour), To: end, Width: 5 * time.Minute})
		if err == nil && len(got) == 0 {
			err = fmt.Errorf("no buckets")
		}
		return err
	}), "ms")
}

// p95 is the time in ms within which 95 of 100 calls answer.
func p95(b *testing.B, do func() error) float64 {
	b.Helper()
	took := make([]time.Duration, 100)
	for i := range took {
		began := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[94].Seconds() * 1000
}

func benchSQLite(b *testing.B) {
	s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "city.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const size = 1000
	var w stopwatch
	for k := 0; k < 500_000; k += size {
		rs := deep.readings(k, size)
		w.run(b, size, func() error {
			_, err := s.Append(context.Background(), store.Delivery{Readings: rs})
			return err
		})
	}
	figure("sqlite_rows_per_s", w.rate(), "rows/s")
}
