import { beforeEach, describe, expect, test } from 'vitest';
import { FakeTimer } from '../../test-support/fake_timer';
import { collection, feature, MINUTE, prediction, reading, T0 } from '../../test-support/samples';
import { networkOf } from './network';
import { COLUMNS, orderRoads, WORST_FIRST, type Column, type OrderSource } from './road_order';
import { RoadStates } from './roads';

let source: OrderSource;

beforeEach(() => {
  const roads = new RoadStates(new FakeTimer());
  roads.replace(
    [
      reading('R2', T0 - 7000, { congestion_score: 0.2, speed_kmh: 40, flow_rate: 900 }),
      reading('R10', T0 - 3 * MINUTE, { congestion_score: 0.8, speed_kmh: null, flow_rate: 100 }),
      reading('R3', T0 - 5 * 60 * MINUTE, { congestion_score: 1, speed_kmh: 1 }),
    ],
    T0,
  );
  const network = networkOf(
    collection(feature('R10', 'Rue_10'), feature('R2', 'Rue_2'), feature('R3', 'Avenue_de_l’Été'), feature('R4', 'Zone')),
  );
  const outlooks = new Map([['R2', prediction('R2', T0, 30, { congestion_score: 0.9 })]]);
  source = { network, roads, outlook: (id) => outlooks.get(id) };
});

function ids(query: string, column: Column, descending: boolean): string[] {
  return orderRoads(source, query, { column, descending }).map((r) => r.id);
}

describe('orderRoads', () => {
  test('worst first; stale and silent roads last, by name', () => {
    expect(orderRoads(source, '', WORST_FIRST).map((r) => r.id)).toEqual(['R10', 'R2', 'R3', 'R4']);
    expect(ids('', 'score', false)).toEqual(['R2', 'R10', 'R3', 'R4']);
  });

  test('names are sorted as people count', () => {
    expect(ids('', 'name', false)).toEqual(['R3', 'R2', 'R10', 'R4']);
  });

  test('a stale speed is not the slowest road', () => {
    expect(ids('', 'speed', false)[0]).toBe('R2');
    expect(ids('', 'trend', true)[0]).toBe('R2');
    expect(ids('', 'flow', true)[0]).toBe('R2');
    expect(ids('', 'age', true)[0]).toBe('R3');
  });

  test('search needs every word, in names or ids, without accents and case', () => {
    expect(ids('ete avenue', 'score', true)).toEqual(['R3']);
    expect(ids('  r10 ', 'score', true)).toEqual(['R10']);
    expect(ids('rue avenue', 'score', true)).toEqual([]);
  });

  test('every column orders every road exactly once', () => {
    for (const column of COLUMNS) expect(ids('', column, true).sort()).toEqual(['R10', 'R2', 'R3', 'R4']);
  });
});
