package timescale

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// slotMicros is the width of the blocks in traffic_slots.
const slotMicros = 5 * 60 * 1_000_000

func slot(at int64) int64 { return at - ((at%slotMicros)+slotMicros)%slotMicros }

// roadChanges is what new readings change of their roads.
type roadChanges struct {
	known   map[string]knownRoad // as it will be
	changed []placed             // by road
	newest  []*row.Offer         // the newest of each road, by road
	pairs   map[pair]struct{}    // that are new
	moved   map[string]bool      // the roads whose newest state moved, once that is known
}

// placed is what was said about a road that was not known of it.
type placed struct {
	road, label string
	lat, lng    traffic.Value
}

// followRoads finds out what the new readings change. It asks the database about
// roads that this process does not remember.
func (a *appending) followRoads(ctx context.Context) (*roadChanges, error) {
	known, missing := a.s.memory.recall(a.revision, a.fresh)
	exists, err := a.loadRoads(ctx, known, missing)
	if err != nil {
		return nil, err
	}
	c := &roadChanges{known: known, pairs: a.s.memory.newPairs(a.fresh), moved: map[string]bool{}}
	said := map[string]*placed{}
	newest := map[string]*row.Offer{}
	for _, o := range inOrder(a.fresh, len(a.d.Readings)) {
		k := known[o.Road]
		if p := k.hear(o); p != nil || !exists(o.Road) {
			said[o.Road] = cmp.Or(said[o.Road], &placed{road: o.Road}).over(p)
		}
		if o.At > k.latest {
			k.latest, newest[o.Road] = o.At, o
		}
		known[o.Road] = k
	}
	for _, p := range said {
		c.changed = append(c.changed, *p)
	}
	slices.SortFunc(c.changed, func(a, b placed) int { return strings.Compare(a.road, b.road) })
	for _, o := range newest {
		c.newest = append(c.newest, o)
	}
	slices.SortFunc(c.newest, func(a, b *row.Offer) int { return strings.Compare(a.Road, b.Road) })
	return c, nil
}

// loadRoads adds the missing roads to what is known and returns whether a road exists.
func (a *appending) loadRoads(ctx context.Context, known map[string]knownRoad, missing []string) (exists func(road string) bool, err error) {
	if len(missing) == 0 {
		return func(string) bool { return true }, nil
	}
	absent := make(map[string]bool, len(missing))
	for _, id := range missing {
		absent[id] = true
	}
	rows, err := a.conn.Query(ctx, `SELECT r.road_id, r.label, r.lat, r.lng, l.ts
		FROM roads r LEFT JOIN road_latest l ON l.road_id = r.road_id WHERE r.road_id = ANY($1)`, missing)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var k knownRoad
		var latest *time.Time
		if err := rows.Scan(&id, &k.label, (*value)(&k.lat), (*value)(&k.lng), &latest); err != nil {
			return nil, err
		}
		k.latest = math.MinInt64
		if latest != nil {
			k.latest = row.Micros(*latest)
		}
		known[id] = k
		delete(absent, id)
	}
	return func(road string) bool { return !absent[road] }, rows.Err()
}

// hear takes over what a reading says about its road and returns it if that is news.
func (k *knownRoad) hear(o *row.Offer) *traffic.Place {
	p := o.R.Place
	if p == nil {
		return nil
	}
	label := row.Text(p.Label)
	news := false
	if label != "" && label != k.label {
		k.label, news = label, true
	}
	if p.Lat.Known() && (p.Lat != k.lat || p.Lng != k.lng) {
		k.lat, k.lng, news = p.Lat, p.Lng, true
	}
	if !news {
		return nil
	}
	return p
}

// over lays what a reading says over what earlier ones said.
func (p *placed) over(said *traffic.Place) *placed {
	if said == nil {
		return p
	}
	p.label = cmp.Or(row.Text(said.Label), p.label)
	if said.Lat.Known() {
		p.lat, p.lng = said.Lat, said.Lng
	}
	return p
}

// inOrder returns the offers in the order in which they were offered.
func inOrder(offers []row.Offer, n int) []*row.Offer {
	at := make([]*row.Offer, n)
	for i := range offers {
		at[offers[i].Order] = &offers[i]
	}
	return slices.DeleteFunc(at, func(o *row.Offer) bool { return o == nil })
}

const putPlaces = `
INSERT INTO roads AS r (road_id, label, lat, lng, updated_at)
SELECT i.*, $5 FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[]) AS i
ON CONFLICT (road_id) DO UPDATE SET label = CASE excluded.label WHEN '' THEN r.label ELSE excluded.label END,
	lat = coalesce(excluded.lat, r.lat), lng = coalesce(excluded.lng, r.lng), updated_at = excluded.updated_at`

const bumpRevision = `UPDATE roads_revision SET revision = revision + 1`

// moveLatest touches only states that become newer.
const moveLatest = `
INSERT INTO road_latest AS l (ts, sensor_id, road_id, speed_kmh, flow_rate, occupancy, score, quality, edge_id)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::bigint[], $9::text[])
ON CONFLICT (road_id) DO UPDATE SET ts = excluded.ts, sensor_id = excluded.sensor_id, speed_kmh = excluded.speed_kmh,
	flow_rate = excluded.flow_rate, occupancy = excluded.occupancy, score = excluded.score, quality = excluded.quality, edge_id = excluded.edge_id
WHERE excluded.ts > l.ts
RETURNING road_id`

// queue adds the statements, whose rows are in the order in which all writers lock
// them.
func (c *roadChanges) queue(b *pgx.Batch, now time.Time) {
	if len(c.changed) > 0 {
		b.Queue(putPlaces,
			column(c.changed, func(p *placed) string { return p.road }),
			column(c.changed, func(p *placed) string { return p.label }),
			floats(c.changed, func(p *placed) traffic.Value { return p.lat }),
			floats(c.changed, func(p *placed) traffic.Value { return p.lng }), now)
		b.Queue(bumpRevision)
	}
	if len(c.pairs) > 0 {
		pairs := make([]pair, 0, len(c.pairs))
		for p := range c.pairs {
			pairs = append(pairs, p)
		}
		slices.SortFunc(pairs, func(a, b pair) int {
			return cmp.Or(strings.Compare(a.road, b.road), strings.Compare(a.sensor, b.sensor))
		})
		b.Queue(`INSERT INTO road_sensors (road_id, sensor_id) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING`,
			column(pairs, func(p *pair) string { return p.road }),
			column(pairs, func(p *pair) string { return p.sensor }))
	}
	if len(c.newest) > 0 {
		b.Queue(moveLatest, latestColumns(c.newest)...).Query(func(rows pgx.Rows) error {
			var road string
			_, err := pgx.ForEachRow(rows, []any{&road}, func() error { c.moved[road] = true; return nil })
			return err
		})
	}
}

func latestColumns(newest []*row.Offer) []any {
	type offer = *row.Offer
	return []any{
		column(newest, func(o *offer) time.Time { return row.Time((*o).At) }),
		column(newest, func(o *offer) string { return (*o).Sensor }),
		column(newest, func(o *offer) string { return (*o).Road }),
		floats(newest, func(o *offer) traffic.Value { return (*o).R.Speed }),
		floats(newest, func(o *offer) traffic.Value { return (*o).R.Flow }),
		floats(newest, func(o *offer) traffic.Value { return (*o).R.Occupancy }),
		floats(newest, func(o *offer) traffic.Value { return (*o).R.Score }),
		column(newest, func(o *offer) int64 { return int64((*o).R.Quality) }),
		column(newest, func(o *offer) string { return (*o).Edge }),
	}
}

// states are the states that moved, by road.
func (c *roadChanges) states() []traffic.RoadState {
	var out []traffic.RoadState
	for _, o := range c.newest {
		if c.moved[o.Road] {
			out = append(out, o.State())
		}
	}
	return out
}

// queueSlots keeps the bounds of each block of time and says that it has changed.
func queueSlots(b *pgx.Batch, fresh []row.Offer) {
	type block struct{ slot, first, last int64 }
	by := map[int64]*block{}
	for i := range fresh {
		at := fresh[i].At
		k := by[slot(at)]
		if k == nil {
			k = &block{slot(at), at, at}
			by[k.slot] = k
		}
		k.first, k.last = min(k.first, at), max(k.last, at)
	}
	blocks := make([]block, 0, len(by))
	for _, k := range by {
		blocks = append(blocks, *k)
	}
	slices.SortFunc(blocks, func(a, b block) int { return cmp.Compare(a.slot, b.slot) })
	b.Queue(`INSERT INTO traffic_slots AS s (slot, first_ts, last_ts) SELECT * FROM unnest($1::timestamptz[], $2::timestamptz[], $3::timestamptz[])
		ON CONFLICT (slot) DO UPDATE SET first_ts = least(s.first_ts, excluded.first_ts), last_ts = greatest(s.last_ts, excluded.last_ts),
			version = s.version + 1`,
		column(blocks, func(k *block) time.Time { return row.Time(k.slot) }),
		column(blocks, func(k *block) time.Time { return row.Time(k.first) }),
		column(blocks, func(k *block) time.Time { return row.Time(k.last) }))
}
