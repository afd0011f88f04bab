import { expect, test } from 'vitest';
import { collection, feature, line } from '../../test-support/samples';
import { boundsOfRoads, middle, middlePiece, near, sameBounds } from './geometry';
import { networkOf } from './network';

test('the middle of a shape is on its longest part', () => {
  expect(middle({ type: 'Point', coordinates: [1, 2] })).toEqual([1, 2]);
  expect(middle({ type: 'LineString', coordinates: [[0, 0], [2, 2]] })).toEqual([1, 1]);
  expect(middlePiece({ type: 'LineString', coordinates: [[0, 0], [1, 0], [2, 0], [3, 0]] })).toEqual([[1, 0], [2, 0]]);
  expect(middlePiece({ type: 'MultiLineString', coordinates: [[[9, 9], [8, 8]], [[0, 0], [1, 1], [2, 2]]] })).toEqual([[1, 1], [2, 2]]);
  expect(middlePiece({ type: 'MultiLineString', coordinates: [] })).toBeNull();
});

test('bounds of some roads leave the others out', () => {
  const network = networkOf(collection(feature('A', '', line([1, 1], [2, 2])), feature('B', '', line([5, 5], [6, 6])), feature('C')));
  expect(boundsOfRoads(network, new Set(['A', 'C']))).toEqual([1, 1, 2, 2]);
  expect(boundsOfRoads(network, new Set(['C']))).toBeNull();
  expect(sameBounds([1, 1, 2, 2], [1, 1, 2, 2])).toBe(true);
  expect(sameBounds([1, 1, 2, 2], null)).toBe(false);
});

test('positions that differ by less than a pixel are the same', () => {
  const here = { zoom: 12.3, lat: 48.8566, lng: 2.3522 };
  expect(near(here, { ...here, lat: here.lat + 1e-5 })).toBe(true);
  expect(near(here, { ...here, lat: here.lat + 0.01 })).toBe(false);
  expect(near(here, { ...here, zoom: 13 })).toBe(false);
});
