/** Which roads the list shows, and in which order. */
import type { Prediction } from '../api/types';
import { searchKey } from '../units/format';
import { trend } from './forecasts';
import type { Network, Road } from './network';
import type { RoadStates } from './roads';

export const COLUMNS = ['name', 'score', 'trend', 'speed', 'flow', 'age'] as const;
export type Column = (typeof COLUMNS)[number];

export interface Sort {
  readonly column: Column;
  readonly descending: boolean;
}

/** Worst first: what a control room looks for. */
export const WORST_FIRST: Sort = { column: 'score', descending: true };

/** What the order is taken from. */
export interface OrderSource {
  readonly network: Network;
  readonly roads: Pick<RoadStates, 'get' | 'standing'>;
  readonly outlook: (road: string) => Prediction | undefined;
}

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/**
 * The roads whose name or id holds every word of `query`, sorted. Roads without the
 * value that is sorted by come last either way; equal ones stay in the order of
 * their names.
 */
export function orderRoads(source: OrderSource, query: string, sort: Sort): Road[] {
  const words = searchKey(query).split(' ').filter(Boolean);
  const found = source.network.roads.filter((road) => words.every((w) => road.key.includes(w)));
  const sign = sort.descending ? -1 : 1;
  if (sort.column === 'name') return found.sort((a, b) => sign * names.compare(a.name, b.name));
  const value = valueOf(source, sort.column);
  return found
    .map((road) => ({ road, value: value(road.id) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) {
        return Number(a.value === null) - Number(b.value === null) || names.compare(a.road.name, b.road.name);
      }
      return sign * (a.value - b.value) || names.compare(a.road.name, b.road.name);
    })
    .map(({ road }) => road);
}

function valueOf(
  { roads, outlook }: OrderSource,
  column: Exclude<Column, 'name'>,
): (road: string) => number | null {
  switch (column) {
    case 'score':
      return (id) => roads.standing(id).score;
    case 'trend':
      return (id) => trend(freshReading(roads, id), outlook(id));
    case 'speed':
      return (id) => freshReading(roads, id)?.speed_kmh ?? null;
    case 'flow':
      return (id) => freshReading(roads, id)?.flow_rate ?? null;
    case 'age':
      return (id) => {
        const at = roads.get(id)?.at;
        return at === undefined ? null : -at;
      };
  }
}

/** A road's reading unless it is stale: old values must not look current. */
export function freshReading(
  roads: Pick<RoadStates, 'get' | 'standing'>,
  id: string,
): NonNullable<ReturnType<RoadStates['get']>>['reading'] | undefined {
  return roads.standing(id).freshness === 'fresh' ? roads.get(id)?.reading : undefined;
}
