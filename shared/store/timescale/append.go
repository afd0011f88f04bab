package timescale

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// A way is how readings get into the table.
type way int

const (
	// direct copies all that no sign of a duplicate was found for.
	direct way = iota
	// careful looks every reading up and copies those that are not there.
	careful
	// merging lets the server leave out what is there, row by row.
	merging
)

// dayMicros is the width of chunks and partitions.
const dayMicros = 24 * 3600 * 1_000_000

// day is the number of the day that a time belongs to.
func day(at int64) int64 {
	d := at / dayMicros
	if at%dayMicros < 0 {
		d--
	}
	return d
}

// Accept stores readings: it is the store's side of a traffic.Sink.
func (s *Store) Accept(ctx context.Context, batch []traffic.Reading) error {
	_, err := s.Append(ctx, store.Delivery{Readings: batch})
	return err
}

// Append stores a delivery in one transaction.
//
// Readings are copied straight into the table, which costs half of what INSERT … ON
// CONFLICT does. COPY knows no exceptions, so readings that may be there already, by
// the number of their batch or because their edge sent some lately, are looked up
// before. Where that was too optimistic the transaction begins again, more carefully.
func (s *Store) Append(ctx context.Context, d store.Delivery) (store.Appended, error) {
	offers := row.Offers(d.Readings, day) // by day, then in the order of the key
	days := daysOf(offers, func(o *row.Offer) int64 { return o.At })
	var out store.Appended
	how := direct
	err := s.call(ctx, "append readings", func(ctx context.Context) error {
		for ; ; how++ {
			err := s.inRoom(ctx, &s.raw, days, func() error {
				a := appending{s: s, d: &d, how: how, offers: offers, now: s.now()}
				err := a.run(ctx)
				out = a.out
				return err
			})
			if how == merging || !hasCode(err, codeUnique) {
				return err
			}
		}
	})
	if err != nil {
		return store.Appended{}, err
	}
	out.Duplicate = len(d.Readings) - out.New
	return out, nil
}

// appending is one attempt to store a delivery.
type appending struct {
	s      *Store
	d      *store.Delivery
	how    way
	offers []row.Offer
	now    time.Time
	conn   *pgxpool.Conn
	out    store.Appended

	revision int64
	resent   map[string]bool // the edges of batches that are stored already
	fresh    []row.Offer     // those of the offers that were new
}

// run is the transaction. Whatever ends it early undoes it.
func (a *appending) run(ctx context.Context) (err error) {
	if a.conn, err = a.s.pool.Acquire(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			a.undo(ctx)
		}
		a.conn.Release()
	}()
	if err := a.begin(ctx); err != nil {
		return err
	}
	if len(a.offers) > 0 {
		if err := a.store(ctx); err != nil {
			return err
		}
		a.learn()
	}
	return a.finish(ctx)
}

// undo ends a transaction that failed. A connection on which that is not possible is
// not used again, so that the server undoes it.
func (a *appending) undo(ctx context.Context) {
	if a.conn.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = a.conn.Exec(ctx, "ROLLBACK")
}

// begin opens the transaction and asks which batches were stored before.
func (a *appending) begin(ctx context.Context) error {
	var b pgx.Batch
	b.Queue(`BEGIN`)
	b.Queue(`SELECT revision FROM roads_revision`).QueryRow(func(r pgx.Row) error { return r.Scan(&a.revision) })
	a.resent = map[string]bool{}
	if ids := a.d.Batches; len(ids) > 0 {
		edges, epochs, seqs := batchColumns(ids)
		b.Queue(`SELECT DISTINCT b.edge_id FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS i (edge_id, epoch, seq)
			JOIN edge_batches b USING (edge_id, epoch, seq)`, edges, epochs, seqs).Query(func(rows pgx.Rows) error {
			var edge string
			_, err := pgx.ForEachRow(rows, []any{&edge}, func() error { a.resent[edge] = true; return nil })
			return err
		})
	}
	return a.conn.SendBatch(ctx, &b).Close()
}

// store writes the readings that are new.
func (a *appending) store(ctx context.Context) error {
	if a.how == merging {
		return a.merge(ctx)
	}
	suspects := a.s.memory.suspects(a.offers)
	suspicious := func(o *row.Offer) bool { return a.how == careful || a.resent[o.Edge] || suspects[o.Edge] }
	var doubtful []int
	for i := range a.offers {
		if suspicious(&a.offers[i]) {
			doubtful = append(doubtful, i)
		}
	}
	a.fresh = a.offers
	if len(doubtful) > 0 {
		found, err := a.lookUp(ctx, doubtful)
		if err != nil {
			return err
		}
		a.fresh = make([]row.Offer, 0, len(a.offers))
		for i := range a.offers {
			if !found[i] {
				a.fresh = append(a.fresh, a.offers[i])
			}
		}
	}
	if len(a.fresh) == 0 {
		return nil
	}
	return copyOffers(ctx, a.conn.Conn().PgConn(), a.s.raw.table(day(a.fresh[0].At), day(a.fresh[len(a.fresh)-1].At)), a.fresh)
}

// runGap is how far apart two readings of a sensor may be that are looked up together.
const runGap = 10 * 60 * 1_000_000

// run is a piece of one sensor's time, both ends included, and the offers in it.
type run struct {
	sensor      string
	first, last int64
	offers      []int
}

// runsOf puts together what can be looked up with one range of the key. Offers are
// sorted by day, sensor and time.
func (a *appending) runsOf(which []int) (runs []run) {
	for _, i := range which {
		o := &a.offers[i]
		if n := len(runs); n > 0 && runs[n-1].sensor == o.Sensor && o.At >= runs[n-1].last && o.At-runs[n-1].last <= runGap {
			runs[n-1].last = o.At
			runs[n-1].offers = append(runs[n-1].offers, i)
			continue
		}
		runs = append(runs, run{sensor: o.Sensor, first: o.At, last: o.At, offers: []int{i}})
	}
	return runs
}

// lookUp returns which of the given offers are in the table.
func (a *appending) lookUp(ctx context.Context, which []int) (map[int]bool, error) {
	runs := a.runsOf(which)
	first, last := runs[0].first, runs[0].last
	for _, r := range runs {
		first, last = min(first, r.first), max(last, r.last)
	}
	var b pgx.Batch
	if a.s.hyper { // its own way to read chunks costs more than the rows here
		b.Queue(`SET LOCAL timescaledb.enable_chunk_append = off`)
	}
	found := map[int]bool{}
	// OFFSET keeps the planner from reading the table as a whole.
	b.Queue(`SELECT i.ord, x.ts FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::int[]) AS i (sensor_id, lo, hi, ord)
		CROSS JOIN LATERAL (SELECT r.ts FROM traffic_raw r WHERE r.sensor_id = i.sensor_id AND r.ts >= i.lo AND r.ts <= i.hi AND r.ts >= $5 AND r.ts <= $6 OFFSET 0) x`,
		column(runs, func(r *run) string { return r.sensor }),
		column(runs, func(r *run) time.Time { return row.Time(r.first) }),
		column(runs, func(r *run) time.Time { return row.Time(r.last) }),
		ordinals(len(runs)), row.Time(first), row.Time(last)).Query(func(rows pgx.Rows) error {
		var n int
		var at time.Time
		_, err := pgx.ForEachRow(rows, []any{&n, &at}, func() error {
			us := row.Micros(at)
			k, ok := slices.BinarySearchFunc(runs[n].offers, us, func(i int, us int64) int { return cmp.Compare(a.offers[i].At, us) })
			if ok {
				found[runs[n].offers[k]] = true
			}
			return nil
		})
		return err
	})
	return found, a.conn.SendBatch(ctx, &b).Close()
}

func ordinals(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

const mergeReadings = `
INSERT INTO traffic_raw (ts, sensor_id, road_id, speed_kmh, flow_rate, occupancy, score, quality, edge_id)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::bigint[], $9::text[])
ON CONFLICT DO NOTHING
RETURNING ts, sensor_id`

// merge inserts the readings that are new and finds out which they were.
func (a *appending) merge(ctx context.Context) error {
	type offer = row.Offer
	rows, err := a.conn.Query(ctx, mergeReadings,
		column(a.offers, func(o *offer) time.Time { return row.Time(o.At) }),
		column(a.offers, func(o *offer) string { return o.Sensor }),
		column(a.offers, func(o *offer) string { return o.Road }),
		floats(a.offers, func(o *offer) traffic.Value { return o.R.Speed }),
		floats(a.offers, func(o *offer) traffic.Value { return o.R.Flow }),
		floats(a.offers, func(o *offer) traffic.Value { return o.R.Occupancy }),
		floats(a.offers, func(o *offer) traffic.Value { return o.R.Score }),
		column(a.offers, func(o *offer) int64 { return int64(o.R.Quality) }),
		column(a.offers, func(o *offer) string { return o.Edge }))
	if err != nil {
		return err
	}
	type key struct {
		at     int64
		sensor string
	}
	made := map[key]bool{}
	var at time.Time
	var sensor string
	_, err = pgx.ForEachRow(rows, []any{&at, &sensor}, func() error {
		made[key{row.Micros(at), sensor}] = true
		return nil
	})
	a.fresh = nil
	for i := range a.offers {
		if o := &a.offers[i]; made[key{o.At, o.Sensor}] {
			a.fresh = append(a.fresh, *o)
		}
	}
	return err
}

// learn remembers who sends duplicates.
func (a *appending) learn() {
	isFresh := make([]bool, len(a.d.Readings))
	for i := range a.fresh {
		isFresh[a.fresh[i].Order] = true
	}
	a.s.memory.learn(a.offers, func(i int) bool { return !isFresh[a.offers[i].Order] })
}

// finish does what follows from the new readings, notes the rest of the delivery, and
// commits.
func (a *appending) finish(ctx context.Context) error {
	var b pgx.Batch
	var roads *roadChanges
	if len(a.fresh) > 0 {
		var err error
		if roads, err = a.followRoads(ctx); err != nil {
			return err
		}
		if roads.blocks, err = a.moveLatest(ctx, roads.newest); err != nil {
			return fmt.Errorf("move newest states: %w", err)
		}
		roads.queue(&b, a.now)
		queueSlots(&b, a.fresh)
	}
	queueBatches(&b, a.d.Batches, a.now)
	queueRejected(&b, a.d.Rejected)
	queueSettled(&b, a.d.Settled)
	queueGaps(&b, a.d.Gaps)
	b.Queue(`COMMIT`)
	if err := a.conn.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	if a.conn.Conn().PgConn().TxStatus() != 'I' {
		return errors.New("the transaction did not end")
	}
	a.out.New = len(a.fresh)
	if roads != nil {
		a.out.Latest = roads.blocks.moved
		a.s.memory.keep(a.revision, roads)
	}
	return nil
}
