import { describe, expect, test } from 'vitest';
import { chance } from '../../test-support/fake_network';
import { FakeTimer } from '../../test-support/fake_timer';
import { MINUTE, reading, T0 } from '../../test-support/samples';
import { freshness } from './freshness';
import { REDRAW_MS, RoadStates } from './roads';

function setup(): { timer: FakeTimer; roads: RoadStates; told: string[][] } {
  const timer = new FakeTimer();
  const roads = new RoadStates(timer);
  const told: string[][] = [];
  roads.subscribe((ids) => told.push([...ids].sort()));
  return { timer, roads, told };
}

describe('RoadStates', () => {
  test('a road without a reading has none and no score', () => {
    const { roads } = setup();
    expect(roads.get('a')).toBeNull();
    expect(roads.standing('a')).toEqual({ freshness: 'none', score: null });
  });

  test('the newest reading stays, also when a late one comes after it', () => {
    const { timer, roads } = setup();
    roads.apply([reading('a', T0, { congestion_score: 0.7 })]);
    roads.apply([reading('a', T0 - MINUTE, { congestion_score: 0.1 })]);
    timer.pass(REDRAW_MS);
    expect(roads.standing('a')).toEqual({ freshness: 'fresh', score: 0.7 });
    expect(roads.watermark.get()).toBe(T0);
  });

  test('a burst is told once, with every road of it', () => {
    const { timer, roads, told } = setup();
    roads.apply([reading('a', T0)]);
    timer.pass(0);
    for (let i = 1; i < 40; i++) roads.apply([reading('a', T0 + i), reading('b', T0 + i)]);
    timer.pass(REDRAW_MS);
    expect(told).toEqual([['a'], ['a', 'b']]);
  });

  test('a road that falls silent turns stale because time goes on', () => {
    const { timer, roads, told } = setup();
    roads.apply([reading('a', T0), reading('b', T0)]);
    timer.pass(REDRAW_MS);
    for (let m = 1; m <= 20; m++) {
      roads.apply([reading('b', T0 + m * MINUTE)]);
      timer.pass(REDRAW_MS);
    }
    expect(roads.standing('a')).toEqual({ freshness: 'stale', score: null });
    expect(roads.tally.get()).toEqual({ fresh: 1, stale: 1 });
    expect(told.some((ids) => ids.includes('a') && ids.length === 2)).toBe(true);
  });

  test('the server’s watermark alone makes silent roads stale', () => {
    const { timer, roads } = setup();
    roads.apply([reading('a', T0)]);
    timer.pass(REDRAW_MS);
    roads.advance(T0 + 60 * MINUTE);
    timer.pass(REDRAW_MS);
    expect(roads.standing('a').freshness).toBe('stale');
    roads.advance(T0);
    expect(roads.watermark.get()).toBe(T0 + 60 * MINUTE);
  });

  test('a snapshot replaces everything, and tells about roads that are gone', () => {
    const { timer, roads, told } = setup();
    roads.apply([reading('gone', T0)]);
    timer.pass(REDRAW_MS);
    roads.replace([reading('a', T0 - 400 * MINUTE)], T0 - 400 * MINUTE);
    expect(told[told.length - 1]).toEqual(['a', 'gone']);
    expect(roads.get('gone')).toBeNull();
    expect(roads.standing('gone').freshness).toBe('none');
    expect(roads.watermark.get()).toBe(T0 - 400 * MINUTE);
    expect(roads.tally.get()).toEqual({ fresh: 1, stale: 0 });
  });

  test('an hourly feed is current although its readings are 50 minutes apart from the watermark', () => {
    const { roads } = setup();
    roads.replace([reading('a', T0), reading('b', T0 - 60 * MINUTE)], T0 + 50 * MINUTE);
    expect(roads.standing('a').freshness).toBe('fresh');
    expect(roads.standing('b').freshness).toBe('fresh');
  });

  test('a fresh reading without a score has none', () => {
    const { roads } = setup();
    roads.replace([reading('a', T0, { congestion_score: null })], T0);
    expect(roads.standing('a')).toEqual({ freshness: 'fresh', score: null });
  });

  test('after any sequence of readings the states equal a plain model', () => {
    const seed = 20260505;
    const random = chance(seed);
    const { timer, roads } = setup();
    const model = new Map<string, number>();
    for (let step = 0; step < 2000; step++) {
      const road = `r${Math.floor(random() * 12)}`;
      // Full seconds off any grid, so that the period plays no part.
      const at = T0 + Math.floor(random() * 90) * MINUTE + 7000;
      roads.apply([reading(road, at, { congestion_score: (at % 977) / 977 })]);
      model.set(road, Math.max(model.get(road) ?? 0, at));
      if (random() < 0.2) timer.pass(Math.floor(random() * 700));
    }
    timer.pass(REDRAW_MS);
    const watermark = Math.max(...model.values());
    for (const [road, at] of model) {
      expect(roads.get(road)?.at, `seed ${seed}, ${road}`).toBe(at);
      expect(roads.standing(road).freshness).toBe(freshness(at, watermark, 0));
    }
  });
});
