import { expect, test } from 'vitest';
import { collection, feature, line } from '../../test-support/samples';
import { networkOf } from './network';

test('roads are named, placed and found by id', () => {
  const network = networkOf(
    collection(
      feature('A', 'Av_des__Champs-Élysées', line([2.3, 48.8], [2.4, 48.9])),
      feature('B', '', { type: 'Point', coordinates: [2.5, 48.7] }),
      feature('C', '  ', null),
      feature('D', 'D', { type: 'MultiLineString', coordinates: [[[2.1, 48.85], [2.2, 48.86]], [[2.2, 48.86], [2.25, 48.87]]] }),
    ),
  );
  expect(network.roads.map((r) => [r.name, r.placed])).toEqual([
    ['Av des Champs-Élysées', 'line'], ['B', 'point'], ['C', 'nowhere'], ['D', 'line'],
  ]);
  expect(network.byId.get('A')?.key).toBe('av des champs-elysees a');
  expect(network.nowhere).toBe(1);
  expect(network.bounds).toEqual([2.1, 48.7, 2.5, 48.9]);
});

test('a city without places has no bounds, and an empty one is no error', () => {
  expect(networkOf(collection(feature('A'))).bounds).toBeNull();
  expect(networkOf(collection()).roads).toEqual([]);
});
