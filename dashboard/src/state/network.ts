/** The roads themselves, without what was measured on them. */
import type { RoadCollection, RoadProperties } from '../api/types';
import { searchKey, streetName } from '../units/format';

/** How a road can be drawn. */
export type Placed = 'line' | 'point' | 'nowhere';

export interface Road {
  readonly id: string;
  /** The street's name for people; the id where the operator gave none. */
  readonly name: string;
  /** What a search compares with. */
  readonly key: string;
  readonly placed: Placed;
  readonly properties: RoadProperties;
}

/** West, south, east, north in WGS 84 degrees. */
export type Bounds = readonly [number, number, number, number];

export interface Network {
  readonly roads: readonly Road[];
  readonly byId: ReadonlyMap<string, Road>;
  /** The collection as it came, for the map. */
  readonly geojson: RoadCollection;
  /** Null when no road has a place. */
  readonly bounds: Bounds | null;
  /** How many roads are nowhere, and so not on the map. */
  readonly nowhere: number;
}

export function networkOf(geojson: RoadCollection): Network {
  const roads = geojson.features.map(roadOf);
  return {
    roads,
    byId: new Map(roads.map((road) => [road.id, road])),
    geojson,
    bounds: boundsOf(geojson),
    nowhere: roads.filter((road) => road.placed === 'nowhere').length,
  };
}

function roadOf(feature: RoadCollection['features'][number]): Road {
  const { road_id: id, label } = feature.properties;
  const name = streetName(label) || id;
  return { id, name, key: searchKey(`${name} ${id}`), placed: placedOf(feature), properties: feature.properties };
}

function placedOf({ geometry }: RoadCollection['features'][number]): Placed {
  if (geometry === null || geometry.coordinates.length === 0) return 'nowhere';
  return geometry.type === 'Point' ? 'point' : 'line';
}

/** The rectangle around everything that has a place. */
export function boundsOf(geojson: RoadCollection): Bounds | null {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { geometry } of geojson.features) {
    if (geometry === null) continue;
    // The nesting depth differs by geometry; flat() evens it out to a list of numbers.
    const numbers = geometry.coordinates.flat(2);
    for (let i = 0; i + 1 < numbers.length; i += 2) {
      const lng = numbers[i] ?? NaN;
      const lat = numbers[i + 1] ?? NaN;
      if (!Number.isFinite(lng) || !Number.isFinite(lat)) continue;
      west = Math.min(west, lng);
      east = Math.max(east, lng);
      south = Math.min(south, lat);
      north = Math.max(north, lat);
    }
  }
  return west <= east ? [west, south, east, north] : null;
}
