// @vitest-environment jsdom
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { bucket, collection, feature, iso, line, MINUTE, prediction, reading, T0 } from '../../test-support/samples';
import { doing, makeRoom, show } from '../../test-support/stage';
import { Failure } from '../api/failure';
import type { Room } from '../room/room';
import { latestForecast } from '../state/forecasts';
import type { RoadDetail } from '../state/road_detail';
import { RoadPanel } from './road_panel';

// The chart draws on a canvas, which jsdom has not; the browser test looks at it.
vi.mock('./road_chart', () => ({
  RoadChart: class {
    onAdd = vi.fn();
    onRemove = vi.fn();
    draw = vi.fn();
  },
}));

let room: Room;

beforeEach(() => {
  room = makeRoom(collection(feature('A', 'Rue_A', line([2, 48], [2.1, 48.1])), feature('N', '')));
  const fields = { speed_kmh: 24.4, speed_estimated: true, congestion_score: 0.62, quality: ['late' as const] };
  room.city.receive({
    type: 'snapshot', seq: 1,
    data: { watermark: iso(T0 + 3 * MINUTE), roads: [reading('A', T0, fields)], predictions: [], reroutes: [], alerts: [] },
  });
});

function opened(detail: Partial<RoadDetail>): HTMLElement {
  room.watch.detail.set({ road: 'A', history: { state: 'loading' }, forecast: { state: 'loading' }, ...detail });
  return show(<RoadPanel room={room} road="A" />);
}

describe('the road panel', () => {
  test('says what is measured now, with units and remarks', () => {
    const text = opened({}).textContent;
    for (const part of [
      'Rue A', 'Road A', 'Main road', '120 m', '0.62', 'Saturated', '≈ 24 km/h', 'free flow 50 km/h', '400 veh/h', 'capacity 900 veh/h',
      '10.0 %', '3 min before the newest data', 'Sensor S-A', 'arrived late', 'estimated from flow and occupancy',
    ]) {
      expect(text).toContain(part);
    }
  });

  test('tells the forecast in numbers, with its model and confidence', () => {
    const points = [5, 15, 30, 60].map((h) => prediction('A', T0, h, { congestion_score: 0.5 + h / 1000, lower: 0.4, upper: 0.7 }));
    const root = opened({ history: { state: 'ready', value: [bucket(T0)] }, forecast: { state: 'ready', value: latestForecast(points) } });
    const rows = [...root.querySelectorAll('.forecast tbody tr')].map((r) => r.textContent);
    expect(rows).toHaveLength(4);
    expect(rows[3]).toMatch(/^60 min\d\d:\d\d0\.56 \(0\.40–0\.70\) ?80 %$/);
    expect(root.querySelector('.forecast')?.textContent).toContain('ewma-lr-v2, made for');
    expect(root.querySelector('[role="img"][aria-label*="lowest 0.40"]')).not.toBeNull();
  });

  test('marks an old forecast, and says when there is none', () => {
    const old = latestForecast([prediction('A', T0 - 30 * MINUTE, 5)]);
    expect(opened({ forecast: { state: 'ready', value: old } }).textContent).toContain('33 min older than the newest data');
    expect(opened({ forecast: { state: 'ready', value: null } }).textContent).toContain('No forecast yet.');
  });

  test('says what failed and what to do', () => {
    const failure = new Failure('server', 'database is locked', 503, 0, 'req-9');
    const text = opened({ history: { state: 'failed', failure } }).textContent;
    expect(text).toContain('database is locked');
    expect(text).toContain('req-9');
  });

  test('a quantity that is not measured is said to be so', async () => {
    const root = opened({ history: { state: 'ready', value: [bucket(T0, { speed_kmh: null })] } });
    const speed = [...root.querySelectorAll<HTMLButtonElement>('.segments button')].find((b) => b.textContent === 'Speed');
    await doing(() => speed?.click());
    expect(root.textContent).toContain('Speed: not reported by this road’s sensors'.replace('’', "'"));
  });

  test('roads without data, without a place, or unknown', () => {
    const text = show(<RoadPanel room={room} road="N" />).textContent;
    expect(text).toContain('No data yet');
    expect(text).toContain('not on the map');
    expect(show(<RoadPanel room={room} road="?" />).textContent).toContain('There is no road ?');
  });

  test('closes', async () => {
    room.view.go({ road: 'A' });
    const root = opened({});
    await doing(() => root.querySelector<HTMLButtonElement>('.close')?.click());
    expect(room.view.link.get().road).toBeNull();
  });
});
