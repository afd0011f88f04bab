import { describe, expect, test } from 'vitest';
import { MINUTE, T0 } from '../../test-support/samples';
import { alignedPeriod, Cadence, freshness, MAX_STALE_MS, MIN_STALE_MS, staleAfter } from './freshness';

describe('alignedPeriod', () => {
  test('finds the coarsest grid that nearly all times stand on', () => {
    expect(alignedPeriod([T0, T0 - 60 * MINUTE, T0])).toBe(60 * MINUTE);
    expect(alignedPeriod([T0, T0 - 5 * MINUTE])).toBe(5 * MINUTE);
    expect(alignedPeriod([T0 + 1234, T0 + 77])).toBe(0);
    expect(alignedPeriod([])).toBe(0);
  });

  test('one odd clock among many does not hide the grid', () => {
    const times = [...Array.from({ length: 39 }, (_, i) => T0 - i * 60 * MINUTE), T0 + 17];
    expect(alignedPeriod(times)).toBe(60 * MINUTE);
  });
});

describe('freshness', () => {
  test('is relative to the watermark, not to the wall clock', () => {
    const lastYear = Date.parse('2022-05-03T08:00:00Z');
    expect(freshness(lastYear, lastYear, 0)).toBe('fresh');
    expect(freshness(lastYear - MIN_STALE_MS, lastYear, 0)).toBe('fresh');
    expect(freshness(lastYear - MIN_STALE_MS - 1, lastYear, 0)).toBe('stale');
    expect(freshness(null, lastYear, 0)).toBe('none');
  });

  test('an hourly sensor is not stale after 50 minutes, a minutely one is', () => {
    const at = T0 - 50 * MINUTE;
    expect(freshness(at, T0, 60 * MINUTE)).toBe('fresh');
    expect(freshness(at, T0, MINUTE)).toBe('stale');
  });

  test('no period excuses silence for ever', () => {
    expect(staleAfter(24 * 60 * MINUTE)).toBe(MAX_STALE_MS);
  });
});

test('Cadence keeps the shortest step, because coalesced updates only make steps longer', () => {
  const cadence = new Cadence();
  expect(cadence.period('a', 7)).toBe(7);
  cadence.observe('a', T0, T0 + 30 * MINUTE);
  cadence.observe('a', T0 + 30 * MINUTE, T0 + 35 * MINUTE);
  cadence.observe('a', T0 + 35 * MINUTE, T0 + 35 * MINUTE);
  cadence.observe('a', T0 + 35 * MINUTE, T0 + 95 * MINUTE);
  expect(cadence.period('a', 7)).toBe(5 * MINUTE);
});
