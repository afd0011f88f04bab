package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/2zrhun/city-flow/shared/store"
	"github.com/2zrhun/city-flow/shared/store/internal/row"
	"github.com/2zrhun/city-flow/shared/traffic"
)

// PutRoads inserts or updates roads; what is absent stays as it was.
func (s *Store) PutRoads(ctx context.Context, roads []traffic.Road) error {
	geometries := make([]any, len(roads))
	for i := range roads {
		g, err := row.Geometry(roads[i].Geometry)
		if err != nil {
			return fmt.Errorf("store roads: road %q: %w", roads[i].ID, err)
		}
		if g != "" {
			geometries[i] = g
		}
	}
	now := s.now()
	return s.write(ctx, "store roads", func(ctx context.Context, w *writer) error {
		// The writer's picture of these roads is no longer true.
		w.memory.forget()
		_, err := w.bulk(`INSERT INTO roads (road_id, label, lat, lng, geometry, from_node, to_node, length_m, class, free_flow_kmh, capacity_vph, updated_at)`,
			12, `ON CONFLICT DO UPDATE SET
				label = CASE excluded.label WHEN '' THEN label ELSE excluded.label END,
				lat = coalesce(excluded.lat, lat), lng = coalesce(excluded.lng, lng),
				geometry = coalesce(excluded.geometry, geometry),
				from_node = CASE excluded.from_node WHEN '' THEN from_node ELSE excluded.from_node END,
				to_node = CASE excluded.to_node WHEN '' THEN to_node ELSE excluded.to_node END,
				length_m = coalesce(excluded.length_m, length_m),
				class = CASE excluded.class WHEN '' THEN class ELSE excluded.class END,
				free_flow_kmh = coalesce(excluded.free_flow_kmh, free_flow_kmh),
				capacity_vph = coalesce(excluded.capacity_vph, capacity_vph),
				updated_at = excluded.updated_at`).
			insert(ctx, len(roads), func(args []any, i int) []any {
				r := &roads[i]
				at := r.UpdatedAt
				if at.IsZero() {
					at = now
				}
				return append(args, row.Text(r.ID), row.Text(r.Label), optional(r.Lat), optional(r.Lng), geometries[i],
					row.Text(r.FromNode), row.Text(r.ToNode), optional(r.LengthM), row.Text(r.Class),
					optional(r.FreeFlowKMH), optional(r.CapacityVPH), row.Micros(at))
			})
		return err
	})
}

// Roads lists roads by id.
func (s *Store) Roads(ctx context.Context, f store.RoadFilter, p store.Page) ([]traffic.Road, store.Cursor, error) {
	sel := new(query).add(`SELECT r.road_id, r.label, r.lat, r.lng, r.geometry, r.from_node, r.to_node, r.length_m, r.class,
		r.free_flow_kmh, r.capacity_vph, r.updated_at FROM roads r`)
	if err := filterRoads(sel, "r", "r", f, p); err != nil {
		return nil, "", fmt.Errorf("list roads: %w", err)
	}
	limit := row.Limit(p)
	sel.add(`ORDER BY r.road_id LIMIT ?`, limit+1)
	var out []traffic.Road
	err := s.each(ctx, "list roads", sel, func(rows *sql.Rows) error {
		var r traffic.Road
		var geometry sql.NullString
		var updated int64
		err := rows.Scan(&r.ID, &r.Label, (*value)(&r.Lat), (*value)(&r.Lng), &geometry, &r.FromNode, &r.ToNode,
			(*value)(&r.LengthM), &r.Class, (*value)(&r.FreeFlowKMH), (*value)(&r.CapacityVPH), &updated)
		if err != nil {
			return err
		}
		r.UpdatedAt = row.Time(updated)
		r.Geometry, err = row.ParseGeometry(geometry.String)
		out = append(out, r)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return row.Cut(out, limit, func(r *traffic.Road) []any { return []any{r.ID} })
}

// filterRoads adds the WHERE of a list by road. The ids are in the table listed,
// the positions in the table placed.
func filterRoads(sel *query, listed, placed string, f store.RoadFilter, p store.Page) error {
	sel.add(`WHERE true`)
	if f.IDs != nil {
		ids, err := list(f.IDs)
		if err != nil {
			return err
		}
		sel.add(`AND `+listed+`.road_id IN (SELECT value FROM json_each(?))`, ids)
	}
	if b := f.BBox; b != nil {
		sel.add(`AND `+placed+`.lat BETWEEN ? AND ? AND `+placed+`.lng BETWEEN ? AND ?`, b.MinLat, b.MaxLat, b.MinLng, b.MaxLng)
	}
	if p.After != "" {
		var after string
		if err := p.After.Parse(&after); err != nil {
			return err
		}
		sel.add(`AND `+listed+`.road_id > ?`, row.Text(after))
	}
	return nil
}
