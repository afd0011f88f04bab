/** Arithmetic on positions and shapes, without a map. */
import type { RoadFeature } from '../api/types';
import type { MapPosition } from '../link/hash';
import { boundsOf, type Bounds, type Network } from './network';

export type LngLat = [number, number];

type Geometry = NonNullable<RoadFeature['geometry']>;

/** The vertices of a geometry's longest part, by their count. */
function longestPart(geometry: Geometry): number[][] {
  switch (geometry.type) {
    case 'Point':
      return [geometry.coordinates];
    case 'LineString':
      return geometry.coordinates;
    case 'MultiLineString':
      return geometry.coordinates.reduce<number[][]>((a, b) => (b.length > a.length ? b : a), []);
  }
}

/** The two neighbouring vertices in the middle of a shape; twice the same for a point. */
export function middlePiece(geometry: Geometry): [LngLat, LngLat] | null {
  const vertices = longestPart(geometry);
  const i = Math.max(0, Math.ceil(vertices.length / 2) - 1);
  const from = vertices[i];
  const to = vertices[i + 1] ?? from;
  if (!from || !to) return null;
  return [lngLat(from), lngLat(to)];
}

/** The middle of a shape, where a person would point at. */
export function middle(geometry: Geometry): LngLat | null {
  const piece = middlePiece(geometry);
  if (!piece) return null;
  const [[x1, y1], [x2, y2]] = piece;
  return [(x1 + x2) / 2, (y1 + y2) / 2];
}

function lngLat(position: readonly number[]): LngLat {
  return [position[0] ?? 0, position[1] ?? 0];
}

/** The rectangle around some roads; null when none of them has a place. */
export function boundsOfRoads(network: Network, roads: { has(id: string): boolean }): Bounds | null {
  const features = network.geojson.features.filter((f) => roads.has(f.properties.road_id));
  return boundsOf({ type: 'FeatureCollection', features });
}

export function sameBounds(a: Bounds, b: Bounds | null): boolean {
  return b !== null && a.every((side, i) => side === b[i]);
}

/** Whether two positions look the same on a screen. */
export function near(a: MapPosition, b: MapPosition): boolean {
  // A screen at zoom z is in the order of 360 * 2^-z degrees wide.
  const tolerance = 1 / 2 ** a.zoom;
  return (
    Math.abs(a.zoom - b.zoom) < 0.01 &&
    Math.abs(a.lat - b.lat) < tolerance &&
    Math.abs(a.lng - b.lng) < tolerance
  );
}
