import { expect, test } from 'vitest';
import { MINUTE, prediction, reading, T0 } from '../../test-support/samples';
import { latestForecast, trend } from './forecasts';

test('the forecast in force is the newest, one row for each horizon, whichever models spoke', () => {
  const forecast = latestForecast([
    prediction('a', T0, 30),
    prediction('a', T0, 5, { model_version: 'persistence', confidence: 0.9 }),
    prediction('a', T0, 5, { model_version: 'profile', confidence: 0.4 }),
    prediction('a', T0 - 5 * MINUTE, 60),
  ]);
  expect(forecast?.points.map((p) => [p.horizon_min, p.model_version])).toEqual([[5, 'persistence'], [30, 'ewma-lr-v2']]);
  expect(forecast).toMatchObject({ at: T0, models: ['persistence', 'ewma-lr-v2'], scoreVersion: 'v1' });
  expect(latestForecast([])).toBeNull();
});

test('a trend compares scores of the same formula', () => {
  const now = reading('a', T0, { congestion_score: 0.9, congestion_score_v1: 0.4 });
  expect(trend(now, prediction('a', T0, 30, { congestion_score: 0.5 }))).toBeCloseTo(0.1);
  expect(trend(now, prediction('a', T0, 30, { congestion_score: 0.5, score_version: 'v2' }))).toBeCloseTo(-0.4);
  expect(trend(now, undefined)).toBeNull();
  expect(trend(reading('a', T0, { congestion_score_v1: null }), prediction('a', T0, 30))).toBeNull();
});
