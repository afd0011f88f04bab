package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

const (
	// slotWidth is the length of the blocks that traffic_raw is clustered by, in
	// microseconds. Part of the file format.
	slotWidth = 60_000_000
	// waryBatches is for how many batches after a duplicate each insert
	// asks which rows were new.
	waryBatches = 16
)

// slot is the block that a time belongs to.
func slot(at int64) int64 {
	s := at / slotWidth
	if at%slotWidth < 0 {
		s--
	}
	return s
}

// Accept stores readings: it is the store's side of a traffic.Sink.
func (s *Store) Accept(ctx context.Context, batch []traffic.Reading) error {
	_, err := s.Append(ctx, store.Delivery{Readings: batch})
	return err
}

// Append stores a delivery in one transaction.
func (s *Store) Append(ctx context.Context, d store.Delivery) (store.Appended, error) {
	offers := row.Offers(d.Readings, slot)
	now := row.Micros(s.now())
	var out store.Appended
	err := s.write(ctx, "append readings", func(ctx context.Context, w *writer) error {
		fresh, err := w.insertReadings(ctx, offers)
		if err != nil {
			return err
		}
		if err := w.noteSlots(ctx, fresh); err != nil {
			return err
		}
		latest, err := w.updateRoads(ctx, inOrder(fresh, len(d.Readings)), now)
		if err != nil {
			return err
		}
		out = store.Appended{New: len(fresh), Duplicate: len(d.Readings) - len(fresh), Latest: latest}
		if err := w.noteBatches(ctx, d.Batches, now); err != nil {
			return err
		}
		if err := w.noteGaps(ctx, d.Gaps); err != nil {
			return err
		}
		if err := w.insertRejected(ctx, d.Rejected); err != nil {
			return err
		}
		return w.dropRejected(ctx, d.Settled)
	})
	if err != nil {
		return store.Appended{}, err
	}
	return out, nil
}

// insertReadings returns the offers that were new. Asking SQLite which rows it
// inserted costs a fifth more than asking how many, so that is done only
// when the number says that there are duplicates, and for a while after.
func (w *writer) insertReadings(ctx context.Context, offers []row.Offer) ([]row.Offer, error) {
	if err := w.memory.refresh(ctx, w); err != nil {
		return nil, err
	}
	if w.memory.wary == 0 {
		n, err := w.readingBulk("").insert(ctx, len(offers), readingArgs(offers))
		if err != nil || n == int64(len(offers)) {
			return offers, err
		}
		if err := w.restart(ctx); err != nil {
			return nil, err
		}
		if err := w.memory.refresh(ctx, w); err != nil {
			return nil, err
		}
	}
	fresh := make([]row.Offer, 0, len(offers))
	next := 0 // rows come back in the order in which they were given
	err := w.readingBulk("RETURNING sensor_id, ts").insertReturning(ctx, len(offers), readingArgs(offers),
		func(rows *sql.Rows) error {
			var sensor string
			var ts int64
			if err := rows.Scan(&sensor, &ts); err != nil {
				return err
			}
			for offers[next].At != ts || offers[next].Sensor != sensor {
				next++
			}
			fresh = append(fresh, offers[next])
			return nil
		})
	if len(fresh) < len(offers) {
		w.memory.wary = waryBatches
	} else {
		w.memory.wary--
	}
	return fresh, err
}

func (w *writer) readingBulk(tail string) *bulk {
	return w.bulk(`INSERT INTO traffic_raw (slot, sensor_id, ts, road_id, speed_kmh, flow_rate, occupancy, score, quality, edge_id)`,
		10, "ON CONFLICT DO NOTHING "+tail)
}

func readingArgs(offers []row.Offer) func(args []any, i int) []any {
	return func(args []any, i int) []any {
		o := &offers[i]
		return append(args, slot(o.At), o.Sensor, o.At, o.Road,
			optional(o.R.Speed), optional(o.R.Flow), optional(o.R.Occupancy), optional(o.R.Score), int64(o.R.Quality), o.Edge)
	}
}

// noteSlots keeps the bounds of each slot and says that it has changed; offers are
// sorted by slot.
func (w *writer) noteSlots(ctx context.Context, offers []row.Offer) error {
	type bounds struct{ slot, first, last int64 }
	var all []bounds
	for i := range offers {
		at := offers[i].At
		if n := len(all); n > 0 && all[n-1].slot == slot(at) {
			b := &all[n-1]
			b.first, b.last = min(b.first, at), max(b.last, at)
			continue
		}
		all = append(all, bounds{slot(at), at, at})
	}
	_, err := w.bulk(`INSERT INTO traffic_slots (slot, first_ts, last_ts)`, 3,
		`ON CONFLICT DO UPDATE SET first_ts = min(first_ts, excluded.first_ts), last_ts = max(last_ts, excluded.last_ts), version = version + 1`).
		insert(ctx, len(all), func(args []any, i int) []any { return append(args, all[i].slot, all[i].first, all[i].last) })
	return err
}

// inOrder returns the offers in the order in which they were offered.
func inOrder(offers []row.Offer, n int) []*row.Offer {
	at := make([]*row.Offer, n)
	for i := range offers {
		at[offers[i].Order] = &offers[i]
	}
	return slices.DeleteFunc(at, func(o *row.Offer) bool { return o == nil })
}

// updateRoads makes new roads, takes over places, moves each road's newest state
// forward, and returns the states that moved, by road.
func (w *writer) updateRoads(ctx context.Context, fresh []*row.Offer, now int64) ([]traffic.RoadState, error) {
	if err := w.memory.load(ctx, w, fresh); err != nil {
		return nil, err
	}
	var touched, dirty, moved []*knownRoad
	var pairs []*row.Offer
	for _, o := range fresh {
		k, first := w.memory.touch(o)
		if first {
			touched = append(touched, k)
		}
		if w.memory.sensors[o.Sensor] != o.Road {
			w.memory.sensors[o.Sensor] = o.Road
			pairs = append(pairs, o)
		}
	}
	slices.SortFunc(touched, func(a, b *knownRoad) int { return strings.Compare(a.id, b.id) })
	var states []traffic.RoadState
	for _, k := range touched {
		if k.dirty {
			dirty = append(dirty, k)
		}
		if k.newest != nil {
			moved = append(moved, k)
			states = append(states, k.newest.State())
		}
	}
	if err := w.writeRoads(ctx, dirty, moved, pairs, now); err != nil {
		return nil, err
	}
	for _, k := range touched {
		k.settle()
	}
	return states, nil
}

func (w *writer) writeRoads(ctx context.Context, dirty, moved []*knownRoad, pairs []*row.Offer, now int64) error {
	_, err := w.bulk(`INSERT INTO roads (road_id, label, lat, lng, updated_at)`, 5,
		`ON CONFLICT DO UPDATE SET label = excluded.label, lat = excluded.lat, lng = excluded.lng, updated_at = excluded.updated_at`).
		insert(ctx, len(dirty), func(args []any, i int) []any {
			k := dirty[i]
			return append(args, k.id, k.label, optional(k.lat), optional(k.lng), now)
		})
	if err != nil {
		return err
	}
	_, err = w.bulk(`INSERT INTO road_sensors (road_id, sensor_id)`, 2, `ON CONFLICT DO NOTHING`).
		insert(ctx, len(pairs), func(args []any, i int) []any { return append(args, pairs[i].Road, pairs[i].Sensor) })
	if err != nil {
		return err
	}
	_, err = w.bulk(`INSERT OR REPLACE INTO road_latest (road_id, ts, sensor_id, speed_kmh, flow_rate, occupancy, score, quality, edge_id)`, 9, "").
		insert(ctx, len(moved), func(args []any, i int) []any {
			o := moved[i].newest
			return append(args, o.Road, o.At, o.Sensor, optional(o.R.Speed), optional(o.R.Flow),
				optional(o.R.Occupancy), optional(o.R.Score), int64(o.R.Quality), o.Edge)
		})
	return err
}

func (w *writer) noteBatches(ctx context.Context, ids []store.BatchID, now int64) error {
	_, err := w.bulk(`INSERT INTO edge_batches (edge_id, epoch, seq, received_at)`, 4, `ON CONFLICT DO NOTHING`).
		insert(ctx, len(ids), func(args []any, i int) []any {
			return append(args, row.Text(ids[i].Edge), int64(ids[i].Epoch), int64(ids[i].Seq), now)
		})
	return err
}
