package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"

	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// maxRemembered bounds the roads and the sensors that a writer remembers.
const maxRemembered = 200_000

// memory is what the writer knows about the database without asking. It is true as
// long as nobody else writes, which SQLite's data_version tells.
type memory struct {
	version int64
	roads   map[string]*knownRoad
	sensors map[string]string // the road that a sensor last spoke about
	// wary counts down the batches for which duplicates are expected.
	wary int
}

// knownRoad is a row of roads and the time of its row in road_latest.
type knownRoad struct {
	id       string
	label    string
	lat, lng traffic.Value
	latest   int64 // math.MinInt64 when the road has no reading

	// The rest is about the batch that touched the road last.
	touched *row.Offer // nil between batches
	newest  *row.Offer // the reading that became the road's newest, if one did
	dirty   bool       // the row of roads must be written
}

func (m *memory) forget() { m.roads, m.sensors = nil, nil }

// keep is called after a commit.
func (m *memory) keep() {
	if len(m.roads) > maxRemembered || len(m.sensors) > maxRemembered {
		m.forget()
	}
}

// refresh forgets everything when another process has written since.
func (m *memory) refresh(ctx context.Context, w *writer) error {
	var version int64
	if err := w.row(ctx, "PRAGMA data_version", nil, &version); err != nil {
		return err
	}
	if version != m.version {
		m.forget()
		m.version = version
	}
	if m.roads == nil {
		m.roads, m.sensors = map[string]*knownRoad{}, map[string]string{}
	}
	return nil
}

// load looks up the roads of a batch that are not remembered, with one query.
func (m *memory) load(ctx context.Context, w *writer, offers []*row.Offer) error {
	var ask []string
	asked := map[string]bool{}
	for _, o := range offers {
		id := o.Road
		if m.roads[id] == nil && !asked[id] {
			asked[id] = true
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	ids, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	return w.rows(ctx, `SELECT r.road_id, r.label, r.lat, r.lng, coalesce(l.ts, ?2)
		FROM json_each(?1) j JOIN roads r ON r.road_id = j.value LEFT JOIN road_latest l ON l.road_id = r.road_id`,
		[]any{string(ids), int64(math.MinInt64)}, func(rows *sql.Rows) error {
			k := &knownRoad{}
			if err := rows.Scan(&k.id, &k.label, (*value)(&k.lat), (*value)(&k.lng), &k.latest); err != nil {
				return err
			}
			m.roads[k.id] = k
			return nil
		})
}

// touch notes that a new reading came for its road, in the order of the batch, and
// reports whether it is the first of the batch to do so.
func (m *memory) touch(o *row.Offer) (k *knownRoad, first bool) {
	k = m.roads[o.Road]
	if k == nil {
		k = &knownRoad{id: o.Road, latest: math.MinInt64}
		m.roads[o.Road] = k
		k.dirty = true
	}
	first = k.touched == nil
	k.touched = o
	k.place(o.R.Place)
	if o.At > k.latest {
		k.latest, k.newest = o.At, o
	}
	return k, first
}

// place takes over what a sensor says about its road.
func (k *knownRoad) place(p *traffic.Place) {
	if p == nil {
		return
	}
	if label := row.Text(p.Label); label != "" && label != k.label {
		k.label, k.dirty = label, true
	}
	if p.Lat.Known() && (p.Lat != k.lat || p.Lng != k.lng) {
		k.lat, k.lng, k.dirty = p.Lat, p.Lng, true
	}
}

// settle ends the road's part in a batch.
func (k *knownRoad) settle() { k.touched, k.newest, k.dirty = nil, nil, false }
