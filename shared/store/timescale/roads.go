package timescale

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// PutRoads inserts or updates roads; what is absent stays as it was.
func (s *Store) PutRoads(ctx context.Context, roads []traffic.Road) error {
	if len(roads) == 0 {
		return nil
	}
	merged := mergeRoads(roads)
	geometries := make(pgtype.FlatArray[pgtype.Text], len(merged))
	for i := range merged {
		g, err := row.Geometry(merged[i].Geometry)
		if err != nil {
			return fmt.Errorf("store roads: road %q: %w", merged[i].ID, err)
		}
		geometries[i] = pgtype.Text{String: g, Valid: g != ""}
	}
	now := s.now()
	args := []any{
		column(merged, func(r *traffic.Road) string { return string(r.ID) }),
		column(merged, func(r *traffic.Road) string { return row.Text(r.Label) }),
		floats(merged, func(r *traffic.Road) traffic.Value { return r.Lat }),
		floats(merged, func(r *traffic.Road) traffic.Value { return r.Lng }),
		geometries,
		column(merged, func(r *traffic.Road) string { return row.Text(r.FromNode) }),
		column(merged, func(r *traffic.Road) string { return row.Text(r.ToNode) }),
		floats(merged, func(r *traffic.Road) traffic.Value { return r.LengthM }),
		column(merged, func(r *traffic.Road) string { return row.Text(r.Class) }),
		floats(merged, func(r *traffic.Road) traffic.Value { return r.FreeFlowKMH }),
		floats(merged, func(r *traffic.Road) traffic.Value { return r.CapacityVPH }),
		column(merged, func(r *traffic.Road) time.Time {
			if r.UpdatedAt.IsZero() {
				return now
			}
			return r.UpdatedAt
		}),
	}
	return s.call(ctx, "store roads", func(ctx context.Context) error {
		var b pgx.Batch
		b.Queue(putRoads, args...)
		b.Queue(bumpRevision)
		return s.send(ctx, &b)
	})
}

const putRoads = `
INSERT INTO roads AS r (road_id, label, lat, lng, geometry, from_node, to_node, length_m, class, free_flow_kmh, capacity_vph, updated_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::float8[],
	$9::text[], $10::float8[], $11::float8[], $12::timestamptz[])
ON CONFLICT (road_id) DO UPDATE SET
	label = CASE excluded.label WHEN '' THEN r.label ELSE excluded.label END,
	lat = coalesce(excluded.lat, r.lat), lng = coalesce(excluded.lng, r.lng),
	geometry = coalesce(excluded.geometry, r.geometry),
	from_node = CASE excluded.from_node WHEN '' THEN r.from_node ELSE excluded.from_node END,
	to_node = CASE excluded.to_node WHEN '' THEN r.to_node ELSE excluded.to_node END,
	length_m = coalesce(excluded.length_m, r.length_m),
	class = CASE excluded.class WHEN '' THEN r.class ELSE excluded.class END,
	free_flow_kmh = coalesce(excluded.free_flow_kmh, r.free_flow_kmh),
	capacity_vph = coalesce(excluded.capacity_vph, r.capacity_vph),
	updated_at = excluded.updated_at`

// mergeRoads returns the roads in the order of their ids, in which all writers lock
// them, and lays what is said of one road twice over each other: the server
// refuses to update a row twice in one statement.
func mergeRoads(roads []traffic.Road) []traffic.Road {
	sorted := slices.Clone(roads)
	for i := range sorted {
		sorted[i].ID = traffic.RoadID(row.Text(sorted[i].ID))
	}
	slices.SortStableFunc(sorted, func(a, b traffic.Road) int { return strings.Compare(string(a.ID), string(b.ID)) })
	out := sorted[:0]
	for _, r := range sorted {
		if n := len(out); n > 0 && out[n-1].ID == r.ID {
			out[n-1] = over(out[n-1], r)
			continue
		}
		out = append(out, r)
	}
	return out
}

// over lays what b says over a.
func over(a, b traffic.Road) traffic.Road {
	out := traffic.Road{
		ID: a.ID, Label: cmp.Or(b.Label, a.Label), FromNode: cmp.Or(b.FromNode, a.FromNode), ToNode: cmp.Or(b.ToNode, a.ToNode),
		Lat: cmp.Or(b.Lat, a.Lat), Lng: cmp.Or(b.Lng, a.Lng), LengthM: cmp.Or(b.LengthM, a.LengthM), Class: cmp.Or(b.Class, a.Class),
		FreeFlowKMH: cmp.Or(b.FreeFlowKMH, a.FreeFlowKMH), CapacityVPH: cmp.Or(b.CapacityVPH, a.CapacityVPH),
		Geometry: b.Geometry, UpdatedAt: b.UpdatedAt,
	}
	if len(out.Geometry) == 0 {
		out.Geometry = a.Geometry
	}
	return out
}

// Roads lists roads by id.
func (s *Store) Roads(ctx context.Context, f store.RoadFilter, p store.Page) ([]traffic.Road, store.Cursor, error) {
	sel := new(query).add(`SELECT r.road_id, r.label, r.lat, r.lng, coalesce(r.geometry, ''), r.from_node, r.to_node, r.length_m, r.class,
		r.free_flow_kmh, r.capacity_vph, r.updated_at FROM roads r`)
	if err := filterRoads(sel, "r", f, p); err != nil {
		return nil, "", fmt.Errorf("list roads: %w", err)
	}
	limit := row.Limit(p)
	sel.add(`ORDER BY r.road_id LIMIT ?`, limit+1)
	var out []traffic.Road
	err := s.each(ctx, "list roads", sel, func(rows pgx.Rows) error {
		r, err := scanRoad(rows)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(r *traffic.Road) []any { return []any{r.ID} })
}

func scanRoad(rows pgx.Rows) (r traffic.Road, err error) {
	var id, geometry, from, to, class string
	err = rows.Scan(&id, &r.Label, (*value)(&r.Lat), (*value)(&r.Lng), &geometry, &from, &to,
		(*value)(&r.LengthM), &class, (*value)(&r.FreeFlowKMH), (*value)(&r.CapacityVPH), &r.UpdatedAt)
	if err != nil {
		return r, err
	}
	r.ID, r.FromNode, r.ToNode, r.Class = traffic.RoadID(id), traffic.NodeID(from), traffic.NodeID(to), traffic.Class(class)
	r.UpdatedAt = r.UpdatedAt.UTC()
	r.Geometry, err = row.ParseGeometry(geometry)
	return r, err
}

// filterRoads adds the WHERE of a list by r.road_id; the positions are in the
// table placed.
func filterRoads(sel *query, placed string, f store.RoadFilter, p store.Page) error {
	sel.add(`WHERE true`).when(f.IDs != nil, `AND r.road_id = ANY(?)`, row.IDs(f.IDs))
	if b := f.BBox; b != nil {
		sel.add(`AND `+placed+`.lat BETWEEN ? AND ? AND `+placed+`.lng BETWEEN ? AND ?`, b.MinLat, b.MaxLat, b.MinLng, b.MaxLng)
	}
	if p.After != "" {
		var after string
		if err := p.After.Parse(&after); err != nil {
			return err
		}
		sel.add(`AND r.road_id > ?`, row.Text(after))
	}
	return nil
}
