package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/rig"
	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/timescale"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// copyBatches are the batches of one COPY: 5,000 readings.
	copyBatches = 5
	// roundBatches are the batches that one way takes before it is the other's turn.
	roundBatches = 200
	rounds       = 4
)

// BenchmarkIngest measures, in one run and on a server that flushes every commit to the
// disk, (a) COPY straight into a table with the same columns and key, (b) one INSERT a
// row, (c) this program as a process of its own, from the batches that edges publish on a
// Mosquitto broker to their acknowledgements; then what a database of many rows answers.
// Everything runs on this machine and is included. CITYFLOW_BENCH=long fills 20 million
// rows instead of 2.
func BenchmarkIngest(b *testing.B) {
	b.Run("postgresql", func(b *testing.B) { benchIngest(b, rig.PostgresOptions{Plain: true, Durable: true}, "") })
	b.Run("timescaledb", func(b *testing.B) { benchIngest(b, rig.PostgresOptions{Durable: true}, "_timescale") })
}

// stopwatch adds up the time of one way.
type stopwatch struct {
	rows int
	took time.Duration
}

func (w *stopwatch) add(rows int, took time.Duration) { w.rows, w.took = w.rows+rows, w.took+took }

func (w *stopwatch) rate() float64 { return float64(w.rows) / w.took.Seconds() }

type ingestBench struct {
	conn  *pgx.Conn
	edges *cityEdgeClients
	next  cityBatch // the first one that was not sent
}

func benchIngest(b *testing.B, o rig.PostgresOptions, suffix string) {
	figure := func(name string, value float64, unit string) {
		fmt.Printf("BENCH %s%s %.4g %s\n", name, suffix, value, unit)
	}
	ctx := context.Background()
	dsn := rig.StartPostgres(b, o).Database(b)
	broker, redis := rig.StartMosquitto(b, "max_queued_messages 10000", "max_inflight_messages 200"), rig.StartRedis(b)
	program := startChild(b, dsn, redis.Addr(), broker.Addr())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	x := &ingestBench{conn: conn, edges: connectEdges(b, broker)}
	x.makeLimitTables(b)
	x.send(new(stopwatch), roundBatches, 0) // makes roads and chunks, and the server's caches warm
	var limit, naive, ours, dups stopwatch
	for range rounds {
		x.copy(b, &limit)
		x.single(b, &naive)
		x.send(&ours, roundBatches, 0)
		x.send(&dups, roundBatches, roundBatches*3/10)
	}
	figure("ingest_rows_per_s", ours.rate(), "rows/s")
	figure("ingest_copy_rows_per_s", limit.rate(), "rows/s")
	figure("ingest_single_insert_rows_per_s", naive.rate(), "rows/s")
	figure("ingest_vs_copy", ours.rate()/limit.rate(), "ratio")
	figure("ingest_vs_single_insert", ours.rate()/naive.rate(), "ratio")
	figure("ingest_duplicates_ratio", dups.rate()/ours.rate(), "ratio")
	rows, early, late := 2_000_000, stopwatch{}, stopwatch{}
	if os.Getenv("CITYFLOW_BENCH") == "long" {
		rows = 20_000_000
	}
	x.fill(&early, 1_200_000)
	x.fill(&late, rows)
	figure("ingest_growth_ratio", late.rate()/early.rate(), "ratio")
	x.count(b)
	x.ask(b, dsn, figure)
	figure("collector_rss_mib", program.peakMiB(b), "MiB")
}

// makeLimitTables makes the tables of (a) and (b): the columns and the key, no more.
func (x *ingestBench) makeLimitTables(b *testing.B) {
	b.Helper()
	var hyper bool
	if err := x.conn.QueryRow(b.Context(), `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')`).Scan(&hyper); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"limit_copy", "limit_single"} {
		sql := fmt.Sprintf(`CREATE TABLE %s (LIKE traffic_raw, PRIMARY KEY (sensor_id, ts))`, name)
		if hyper {
			sql += fmt.Sprintf(`; SELECT create_hypertable('%s', by_range('ts', INTERVAL '1 day'), create_default_indexes => false)`, name)
		}
		if _, err := x.conn.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
}

// copy takes the batches that send takes next. What is copied is made before the clock
// runs.
func (x *ingestBench) copy(b *testing.B, w *stopwatch) {
	for n := x.next; n < x.next+roundBatches; n += copyBatches {
		data := bytes.NewReader(copyRows(n, copyBatches))
		began := time.Now()
		tag, err := x.conn.PgConn().CopyFrom(context.Background(), data, `COPY limit_copy FROM STDIN BINARY`)
		w.add(copyBatches*batchSize, time.Since(began))
		if err != nil || tag.RowsAffected() != copyBatches*batchSize {
			b.Fatalf("%d rows were copied: %v", tag.RowsAffected(), err)
		}
	}
}

func (x *ingestBench) single(b *testing.B, w *stopwatch) {
	const rows = 300
	began := time.Now()
	for k := range rows {
		r := x.next.reading(k%edgeSensors, k/edgeSensors)
		_, err := x.conn.Exec(context.Background(), `INSERT INTO limit_single VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			r.At, string(r.Sensor), string(r.Road), r.Speed.Or(0), r.Flow.Or(0), r.Occupancy.Or(0), r.Score.Or(0), int64(r.Quality), string(r.Edge))
		if err != nil {
			b.Fatal(err)
		}
	}
	w.add(rows, time.Since(began))
}

// send lets the edges publish batches, of which some were stored before.
func (x *ingestBench) send(w *stopwatch, batches, again int) {
	var list []cityBatch
	for n := x.next - cityBatch(again); n < x.next+cityBatch(batches-again); n++ {
		list = append(list, n)
	}
	x.next += cityBatch(batches - again)
	w.add(batches*batchSize, x.edges.send(list))
}

// fill sends until there are so many rows, and measures the last round.
func (x *ingestBench) fill(w *stopwatch, rows int) {
	for int(x.next)+roundBatches < rows/batchSize {
		x.send(new(stopwatch), min(roundBatches, rows/batchSize-roundBatches-int(x.next)), 0)
	}
	x.send(w, roundBatches, 0)
}

// count fails when not every reading is there exactly once.
func (x *ingestBench) count(b *testing.B) {
	var n int
	if err := x.conn.QueryRow(context.Background(), `SELECT count(*) FROM traffic_raw`).Scan(&n); err != nil || n != int(x.next)*batchSize {
		b.Fatalf("%d rows, want %d: %v", n, int(x.next)*batchSize, err)
	}
}

// ask measures what a client of the API waits for.
func (x *ingestBench) ask(b *testing.B, dsn string, figure func(string, float64, string)) {
	s, err := timescale.Open(b.Context(), dsn, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	figure("latest_5000_p95_ms", p95(b, func() error {
		got, _, err := s.Latest(b.Context(), store.RoadFilter{}, store.Page{Limit: citySensors})
		if err == nil && len(got) != citySensors {
			err = fmt.Errorf("%d states", len(got))
		}
		return err
	}), "ms")
	end := (x.next - 1).reading(0, batchTurns-1).At.Add(1)
	figure("buckets_day_ms", p95(b, func() error {
		got, err := s.Buckets(b.Context(), store.BucketQuery{Roads: []traffic.RoadID{"PARIS-0077"}, From: end.Add(-store.Day), To: end, Width: 5 * time.Minute})
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
