import { describe, expect, test, vi } from 'vitest';
import { FakeTimer, settled } from '../../test-support/fake_timer';
import { collection, feature, iso, MINUTE, prediction, reading, reroute, T0 } from '../../test-support/samples';
import { Failure } from '../api/failure';
import { City } from './city';

function setup(roads = vi.fn(() => Promise.resolve(collection(feature('a'))))): {
  timer: FakeTimer; city: City; roads: typeof roads;
} {
  const timer = new FakeTimer();
  return { timer, city: new City({ roads }, timer), roads };
}

function snapshot(city: City): void {
  city.receive({
    type: 'snapshot',
    seq: 1,
    data: {
      watermark: iso(T0),
      roads: [reading('a', T0)],
      predictions: [prediction('a', T0, 30), prediction('a', T0, 5)],
      reroutes: [reroute('a')], alerts: [],
    },
  });
}

describe('City', () => {
  test('a snapshot brings roads, outlooks, advice and the watermark', () => {
    const { city } = setup();
    expect(city.advice.get()).toBeNull();
    snapshot(city);
    expect(city.roads.get('a')?.at).toBe(T0);
    expect(city.outlook('a')?.horizon_min).toBe(30);
    expect(city.advice.get()?.length).toBe(1);
    expect(city.roads.watermark.get()).toBe(T0);
  });

  test('live advice replaces what was there, also by nothing', () => {
    const { city } = setup();
    snapshot(city);
    city.receive({ type: 'reroutes', seq: 2, data: [] });
    expect(city.advice.get()).toEqual([]);
  });

  test('a new forecast replaces the old and is announced', () => {
    const { city } = setup();
    snapshot(city);
    const round = city.forecastRound.get();
    city.receive({ type: 'predictions', seq: 2, data: [prediction('a', T0 + MINUTE, 30, { congestion_score: 0.77 })] });
    expect(city.outlook('a')?.congestion_score).toBe(0.77);
    expect(city.forecastRound.get()).toBe(round + 1);
  });

  test('a heartbeat tells the server’s clock and moves time on', () => {
    const { city, timer } = setup();
    snapshot(city);
    city.receive({ type: 'heartbeat', seq: 2, data: { ts: iso(timer.now() + 5000), watermark: iso(T0 + MINUTE), degraded: true } });
    expect(city.clockOffset.get()).toBe(5000);
    expect(city.degraded.get()).toBe(true);
    expect(city.roads.watermark.get()).toBe(T0 + MINUTE);
  });

  test('a road that nobody heard of makes the network be read again, not more often than allowed', async () => {
    const { city, timer, roads } = setup();
    await city.load();
    for (let i = 0; i < 50; i++) {
      city.receive({ type: 'traffic_update', seq: i, data: [reading('new', T0 + i)] });
      await timer.passAsync(100);
    }
    expect(roads).toHaveBeenCalledTimes(2);
    city.receive({ type: 'traffic_update', seq: 99, data: [reading('a', T0)] });
    city.stop();
    expect(timer.pending).toBeLessThanOrEqual(1);
  });

  test('a failed load shows, unless there is a network to go on with', async () => {
    const failing = vi.fn(() => Promise.reject(new Failure('server', 'no', 500)));
    const first = setup(failing);
    await first.city.load();
    expect(first.city.network.get()).toMatchObject({ state: 'failed', failure: { kind: 'server' } });

    const second = setup(vi.fn().mockResolvedValueOnce(collection(feature('a'))).mockRejectedValue(new TypeError('offline')));
    await second.city.load();
    await second.city.load();
    await settled();
    expect(second.city.network.get().state).toBe('ready');
  });
});
