import { describe, expect, test, vi } from 'vitest';
import { FakeTimer, settled } from '../../test-support/fake_timer';
import { bucket, MINUTE, prediction, reading, T0 } from '../../test-support/samples';
import { Failure } from '../api/failure';
import { Cell } from '../cell/cell';
import { RoadWatch } from './road_detail';
import { RoadStates } from './roads';

function setup() {
  const timer = new FakeTimer();
  const roads = new RoadStates(timer);
  const forecastRound = new Cell(0);
  const api = {
    history: vi.fn(() => Promise.resolve([bucket(T0)])),
    predictions: vi.fn(() => Promise.resolve([prediction('a', T0, 5)])),
  };
  const watch = new RoadWatch(api, { roads, forecastRound }, timer);
  return { timer, roads, forecastRound, api, watch };
}

describe('RoadWatch', () => {
  test('reads the 24 hours that end with the road’s newest reading, and the forecast', async () => {
    const { roads, api, watch } = setup();
    roads.replace([reading('a', T0)], T0 + 90 * MINUTE);
    watch.open('a');
    await settled();
    expect(api.history).toHaveBeenCalledWith({ road: 'a', from: T0 + 5 * MINUTE - 24 * 60 * MINUTE, to: T0 + 5 * MINUTE, width: '5m' });
    expect(watch.detail.get()).toMatchObject({ road: 'a', history: { state: 'ready' }, forecast: { state: 'ready' } });
  });

  test('asks for nothing where there is no data at all', async () => {
    const { api, watch } = setup();
    watch.open('a');
    await settled();
    expect(api.history).not.toHaveBeenCalled();
    expect(watch.detail.get()?.history).toEqual({ state: 'ready', value: [] });
  });

  test('news of the road and new forecasts are read, but not more often than each 5 s', async () => {
    const { timer, roads, forecastRound, api, watch } = setup();
    roads.replace([reading('a', T0)], T0);
    watch.open('a');
    await settled();
    for (let i = 1; i <= 20; i++) {
      roads.apply([reading('a', T0 + i * 1000), reading('b', T0)]);
      forecastRound.set(i);
      await timer.passAsync(500);
    }
    expect(api.predictions.mock.calls.length).toBe(3);
    watch.open(null);
    await timer.passAsync(60_000);
    expect(api.predictions.mock.calls.length).toBe(3);
    expect(watch.detail.get()).toBeNull();
  });

  test('an answer for a road that was left is thrown away', async () => {
    const { api, watch } = setup();
    let answer = (): void => undefined;
    api.predictions.mockImplementationOnce(() => new Promise((resolve) => {
      answer = () => {
        resolve([]);
      };
    }));
    watch.open('slow');
    watch.open('b');
    await settled();
    answer();
    await settled();
    expect(watch.detail.get()).toMatchObject({ road: 'b', forecast: { state: 'ready' } });
  });

  test('a failure shows only when there is nothing older to show', async () => {
    const { timer, forecastRound, api, watch } = setup();
    api.predictions.mockRejectedValue(new Failure('network', 'down'));
    watch.open('a');
    await settled();
    expect(watch.detail.get()?.forecast).toMatchObject({ state: 'failed', failure: { kind: 'network' } });
    api.predictions.mockResolvedValueOnce([prediction('a', T0, 5)]);
    forecastRound.set(1);
    await timer.passAsync(5000);
    forecastRound.set(2);
    await timer.passAsync(5000);
    expect(watch.detail.get()?.forecast.state).toBe('ready');
    watch.stop();
    expect(timer.pending).toBe(0);
  });
});
