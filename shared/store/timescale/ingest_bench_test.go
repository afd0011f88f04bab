package timescale

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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

// BenchmarkAppend measures, on the same rows and on a server that flushes every commit
// to the disk, COPY straight into a table with the same key, and Append: one writer, two
// side by side, one reading a road in each batch. The collector is measured as a whole in
// its own module.
func BenchmarkAppend(b *testing.B) {
	b.Run("postgresql", func(b *testing.B) { benchAppend(b, rig.PostgresOptions{Plain: true, Durable: true}, "") })
	b.Run("timescaledb", func(b *testing.B) { benchAppend(b, rig.PostgresOptions{Durable: true}, "_timescale") })
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

func benchAppend(b *testing.B, o rig.PostgresOptions, suffix string) {
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
	var limit, one, two, worst stopwatch
	x.append(b, new(stopwatch), ingestRound) // makes roads, chunks, and the server's caches warm
	for range 8 {
		x.copy(b, &limit, x.next)
		x.append(b, &one, ingestRound)
		x.appendTwo(b, &two)
	}
	x.depth, x.next = flat, 100_000_000 // another time
	x.append(b, &worst, 4*ingestRound)
	figure("append_rows_per_s"+suffix, one.rate(), "rows/s")
	figure("append_vs_copy"+suffix, one.rate()/limit.rate(), "ratio")
	figure("append_two_writers_vs_copy"+suffix, two.rate()/limit.rate(), "ratio")
	figure("append_one_reading_a_road_rows_per_s"+suffix, worst.rate(), "rows/s")
}

// makeLimitTable makes the table that COPY fills: the columns and the key, no more.
func (x *ingestBench) makeLimitTable(b *testing.B) {
	b.Helper()
	sql := `CREATE TABLE limit_copy (LIKE traffic_raw, PRIMARY KEY (sensor_id, ts))`
	if x.s.hyper {
		sql += `; SELECT create_hypertable('limit_copy', by_range('ts', INTERVAL '1 day'), create_default_indexes => false)`
	}
	if _, err := x.conn.Exec(context.Background(), sql); err != nil {
		b.Fatal(err)
	}
}

func (x *ingestBench) copy(b *testing.B, w *stopwatch, from int) {
	for k := from; k < from+ingestRound; k += ingestBatch {
		rs := x.depth.readings(k, ingestBatch)
		offers := row.Offers(rs, day)
		w.run(b, len(rs), func() error { return copyOffers(context.Background(), x.conn.PgConn(), "limit_copy", offers) })
	}
}

// append stores the next readings of the stream.
func (x *ingestBench) append(b *testing.B, w *stopwatch, n int) {
	b.Helper()
	for end := x.next + n; x.next < end; x.next += ingestBatch {
		rs := x.depth.readings(x.next, ingestBatch)
		w.run(b, len(rs), func() error {
			got, err := x.s.Append(context.Background(), store.Delivery{Readings: rs, Batches: []store.BatchID{{Edge: "e", Epoch: 1, Seq: uint64(x.next)}}})
			if err == nil && got.New != ingestBatch {
				err = fmt.Errorf("%d new, want %d", got.New, ingestBatch)
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
