import { beforeEach, describe, expect, test } from 'vitest';
import { FakeMap } from '../../test-support/fake_map';
import { FakeTimer } from '../../test-support/fake_timer';
import { collection, feature, line, MINUTE, reading, T0 } from '../../test-support/samples';
import { networkOf } from '../state/network';
import { REDRAW_MS, RoadStates } from '../state/roads';
import { dark } from '../theme/dark';
import { light } from '../theme/light';
import { HighlightLayer } from './highlight_layer';
import { roadLayers, ROADS, UNPAINTED } from './road_style';
import { RoadsLayer } from './roads_layer';

const network = networkOf(
  collection(
    feature('A', 'Rue_A', line([2, 48], [2.1, 48.1])),
    feature('B', 'Rue_B', { type: 'Point', coordinates: [2.2, 48.2] }),
    feature('N', 'Nowhere'),
  ),
);

let map: FakeMap;
let timer: FakeTimer;
let states: RoadStates;

beforeEach(() => {
  map = new FakeMap();
  timer = new FakeTimer();
  states = new RoadStates(timer);
});

describe('RoadsLayer', () => {
  test('takes away exactly what it put on', () => {
    const roads = new RoadsLayer(states);
    for (let i = 0; i < 3; i++) {
      roads.onAdd(map.asMap(), light);
      expect(map.layers.size).toBe(roadLayers(light).length);
      roads.onRemove();
      expect(map.layers.size).toBe(0);
      expect(map.sources.size).toBe(0);
    }
    roads.onRemove();
  });

  test('gives the map the roads that have a place, with the names that people read', () => {
    const roads = new RoadsLayer(states);
    roads.onAdd(map.asMap(), light);
    roads.setNetwork(network);
    const source = map.sources.get(ROADS);
    expect(source?.promoteId).toBe('road_id');
    expect(source?.data.features.map((f) => f.properties?.['name'] as string)).toEqual(['Rue A', 'Rue B']);
  });

  test('writes only the roads whose look changes', () => {
    const roads = new RoadsLayer(states);
    roads.onAdd(map.asMap(), light);
    states.subscribe((ids) => {
      roads.paint(ids);
    });
    states.replace([reading('A', T0, { congestion_score: 0.5 }), reading('B', T0, { congestion_score: null })], T0);
    expect(map.writes).toBe(1);
    expect(roads.drawn('A')).toEqual({ kind: 'scored', score: 0.5 });
    expect(roads.drawn('B')).toEqual(UNPAINTED);

    states.apply([reading('A', T0 + 1000, { congestion_score: 0.502 })]);
    timer.pass(REDRAW_MS);
    expect(map.writes).toBe(1);

    states.apply([reading('B', T0 + 300 * MINUTE, { congestion_score: 0.1 })]);
    timer.pass(REDRAW_MS);
    expect(map.writes).toBe(3);
    expect(roads.drawn('A').kind).toBe('stale');
  });

  test('paints what is known already when the network comes after the readings', () => {
    const roads = new RoadsLayer(states);
    states.replace([reading('A', T0, { congestion_score: 0.9 })], T0);
    roads.onAdd(map.asMap(), light);
    roads.setNetwork(network);
    expect(roads.drawn('A')).toEqual({ kind: 'scored', score: 0.9 });
  });

  test('a change of theme changes paint only', () => {
    const roads = new RoadsLayer(states);
    roads.onAdd(map.asMap(), light);
    const before = [...map.layers.keys()];
    roads.setTheme(dark);
    expect([...map.layers.keys()]).toEqual(before);
    expect(map.layers.get('roads-base')?.paint['line-color']).toBe(dark.map.roadNone);
  });

  test('picks the road nearest to the pointer, and none far away', () => {
    const roads = new RoadsLayer(states);
    roads.onAdd(map.asMap(), light);
    map.nearby = [{ id: 'far', reach: 7 }, { id: 'near', reach: 3 }];
    expect(roads.pick(10, 10)).toBe('near');
    map.nearby = [{ id: 'far', reach: 7 }];
    expect(roads.pick(10, 10)).toBe('far');
    map.nearby = [{ id: 'out', reach: 40 }];
    expect(roads.pick(10, 10)).toBeNull();
  });

  test('does nothing while it is on no map', () => {
    const roads = new RoadsLayer(states);
    roads.setNetwork(network);
    roads.paint(['A']);
    expect(roads.pick(1, 1)).toBeNull();
    expect(map.writes).toBe(0);
  });
});

describe('HighlightLayer', () => {
  test('shows the pointed-out roads in their roles, and leaves nothing behind', () => {
    const highlight = new HighlightLayer();
    highlight.onAdd(map.asMap(), light);
    highlight.show(network, new Map([['A', 'avoid'], ['B', 'detour'], ['N', 'selected'], ['?', 'detour']]));
    const shown = map.sources.get('highlight')?.data.features.map((f) => f.properties);
    expect(shown).toEqual([{ road_id: 'A', role: 'avoid' }, { road_id: 'B', role: 'detour' }]);
    highlight.setTheme(dark);
    expect(map.layers.get('highlight-avoid')?.paint['line-color']).toBe(dark.map.avoid);
    highlight.onRemove();
    expect(map.layers.size + map.sources.size).toBe(0);
  });
});
