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
	all     []*roadNews       // every road that was heard of, by road
	changed []*roadNews       // those of which something new was said, by road
	newest  []*roadNews       // those whose newest state may move, by road
	pairs   map[pair]struct{} // that are new
	blocks  *latestBlocks     // the newest states of those, once they are read
}

// roadNews is one road, what is known of it, and what new readings say.
type roadNews struct {
	id     string
	known  knownRoad
	exists bool
	newest *row.Offer
	// label and place are the last ones that said so, nil when none did.
	label, place *row.Offer
}

// followRoads finds out what the new readings change. It asks the database about
// roads that this process does not remember.
func (a *appending) followRoads(ctx context.Context) (*roadChanges, error) {
	c := &roadChanges{}
	byRoad := c.group(a.fresh)
	c.pairs = a.s.memory.newPairs(a.fresh)
	if missing := a.s.memory.recall(a.revision, c.all); len(missing) > 0 {
		if err := a.loadRoads(ctx, byRoad, missing); err != nil {
			return nil, err
		}
	}
	for _, n := range c.all {
		if n.newest.At > n.known.latest {
			c.newest = append(c.newest, n)
		}
		if n.news() || !n.exists {
			c.changed = append(c.changed, n)
		}
	}
	return c, nil
}

// group sorts what readings say by road. Readings of one sensor follow each other.
func (c *roadChanges) group(fresh []row.Offer) map[string]*roadNews {
	byRoad := map[string]*roadNews{}
	var n *roadNews
	for i := range fresh {
		o := &fresh[i]
		if n == nil || n.id != o.Road {
			if n = byRoad[o.Road]; n == nil {
				n = &roadNews{id: o.Road, newest: o}
				byRoad[o.Road] = n
				c.all = append(c.all, n)
			}
		}
		n.hear(o)
	}
	slices.SortFunc(c.all, func(a, b *roadNews) int { return strings.Compare(a.id, b.id) })
	return byRoad
}

// hear takes over what a reading says, in whatever order they come.
func (n *roadNews) hear(o *row.Offer) {
	if o.At > n.newest.At || o.At == n.newest.At && o.Order < n.newest.Order {
		n.newest = o
	}
	p := o.R.Place
	if p == nil {
		return
	}
	if p.Label != "" && (n.label == nil || o.Order > n.label.Order) {
		n.label = o
	}
	if p.Lat.Known() && (n.place == nil || o.Order > n.place.Order) {
		n.place = o
	}
}

// news takes over what was said and reports whether that is new.
func (n *roadNews) news() (news bool) {
	if n.label != nil {
		if label := row.Text(n.label.R.Place.Label); label != n.known.label {
			n.known.label, news = label, true
		}
	}
	if n.place != nil {
		if p := n.place.R.Place; p.Lat != n.known.lat || p.Lng != n.known.lng {
			n.known.lat, n.known.lng, news = p.Lat, p.Lng, true
		}
	}
	return news
}

// loadRoads asks for the roads that are not remembered.
func (a *appending) loadRoads(ctx context.Context, byRoad map[string]*roadNews, missing []string) error {
	rows, err := a.conn.Query(ctx, `SELECT r.road_id, r.label, r.lat, r.lng FROM roads r WHERE r.road_id = ANY($1)`, missing)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		k := knownRoad{latest: math.MinInt64}
		if err := rows.Scan(&id, &k.label, (*value)(&k.lat), (*value)(&k.lng)); err != nil {
			return err
		}
		byRoad[id].known, byRoad[id].exists = k, true
	}
	return rows.Err()
}

const putPlaces = `
INSERT INTO roads AS r (road_id, label, lat, lng, updated_at)
SELECT i.*, $5 FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[]) AS i
ON CONFLICT (road_id) DO UPDATE SET label = CASE excluded.label WHEN '' THEN r.label ELSE excluded.label END,
	lat = coalesce(excluded.lat, r.lat), lng = coalesce(excluded.lng, r.lng), updated_at = excluded.updated_at`

const bumpRevision = `UPDATE roads_revision SET revision = revision + 1`

// queue adds the statements, whose rows are in the order in which all writers lock
// them.
func (c *roadChanges) queue(b *pgx.Batch, now time.Time) {
	if len(c.changed) > 0 {
		said := func(get func(*traffic.Place) traffic.Value) any {
			return floats(c.changed, func(n **roadNews) traffic.Value {
				if (*n).place == nil {
					return traffic.Value{}
				}
				return get((*n).place.R.Place)
			})
		}
		b.Queue(putPlaces,
			column(c.changed, func(n **roadNews) string { return (*n).id }),
			column(c.changed, func(n **roadNews) string {
				if (*n).label == nil {
					return ""
				}
				return row.Text((*n).label.R.Place.Label)
			}),
			said(func(p *traffic.Place) traffic.Value { return p.Lat }),
			said(func(p *traffic.Place) traffic.Value { return p.Lng }), now)
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
	c.blocks.queue(b)
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
