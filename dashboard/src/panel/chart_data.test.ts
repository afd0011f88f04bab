import { describe, expect, test } from 'vitest';
import { bucket, MINUTE, prediction, T0 } from '../../test-support/samples';
import { latestForecast } from '../state/forecasts';
import { chartData, extent, newestPart } from './chart_data';

const S0 = T0 / 1000;
const history = [0, 5, 10].map((m) => bucket(T0 + m * MINUTE, { congestion_score_v1: (10 + m) / 100, congestion_score: 0.9 }));
const forecast = latestForecast([
  prediction('A', T0 + 10 * MINUTE, 5, { congestion_score: 0.3 }), prediction('A', T0 + 10 * MINUTE, 15, { congestion_score: 0.4 }),
]);

describe('chartData', () => {
  test('goes on from the last measurement with the forecast, both in the forecast’s score version', () => {
    const data = chartData(history, forecast, 'score');
    expect(data.times).toEqual([0, 5, 10, 15, 25].map((m) => S0 + m * 60));
    expect(data.measured.slice(0, 3)).toEqual([0.1, 0.15, 0.2]);
    expect(data.measured.slice(3)).toEqual([undefined, undefined]);
    expect(data.forecast).toEqual([undefined, undefined, 0.2, 0.3, 0.4]);
    expect(data.lower.every((v) => v === undefined)).toBe(true);
  });

  test('compares a v2 forecast with v2 measurements', () => {
    const v2 = latestForecast([prediction('A', T0, 5, { score_version: 'v2' })]);
    expect(chartData(history, v2, 'score').measured[0]).toBe(0.9);
  });

  test('shows the interval where the model gives one', () => {
    const made = latestForecast([prediction('A', T0 + 10 * MINUTE, 5, { lower: 0.2, upper: 0.6 })]);
    const data = chartData(history, made, 'score');
    expect(data.lower[3]).toBe(0.2);
    expect(data.upper[3]).toBe(0.6);
    expect(chartData(history, made, 'flow').upper[3]).toBeUndefined();
  });

  test('lifts the pen in a gap, also in hourly data', () => {
    for (const step of [5, 60]) {
      const times = [0, 1, 2, 3, 9, 10].map((n) => n * step);
      const { measured, times: out } = chartData(times.map((m) => bucket(T0 + m * MINUTE)), null, 'flow');
      expect(measured.filter((v) => v === null)).toHaveLength(1);
      expect(out[measured.indexOf(null)]).toBe(S0 + 4 * step * 60);
    }
  });

  test('leaves out what was not measured, and takes nothing for zero', () => {
    const data = chartData([bucket(T0, { speed_kmh: null }), bucket(T0 + 5 * MINUTE, { speed_kmh: 0 })], forecast, 'speed');
    expect(data.times).toEqual([S0 + 300]);
    expect(data.measured).toEqual([0]);
    expect(chartData([bucket(T0, { occupancy: 0.25 })], null, 'occupancy').measured).toEqual([25]);
  });

  test('is empty for no history and no forecast', () => {
    expect(chartData([], null, 'score').times).toEqual([]);
    expect(extent(chartData([], null, 'score').measured)).toBeNull();
  });
});

test('the newest part keeps the forecast and drops the old', () => {
  const data = newestPart(chartData(history, forecast, 'score'), 300);
  expect(data.times).toEqual([5, 10, 15, 25].map((m) => S0 + m * 60));
  expect(data.forecast).toHaveLength(4);
  expect(extent(data.measured)).toEqual({ low: 0.15, high: 0.2, last: 0.2 });
});
