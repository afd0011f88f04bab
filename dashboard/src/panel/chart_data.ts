/**
 * Turns a road's history and forecast into the aligned columns that the chart
 * draws. Times are in seconds, as the chart library counts. In a column `undefined`
 * means "nothing at this time, draw on" and `null` means "a gap, lift the pen".
 */
import type { Bucket, Prediction } from '../api/types';
import { scoreOf, type Forecast } from '../state/forecasts';

export const QUANTITIES = ['score', 'speed', 'flow', 'occupancy'] as const;
export type Quantity = (typeof QUANTITIES)[number];

type Column = (number | null | undefined)[];

export interface ChartData {
  readonly times: number[];
  readonly measured: Column;
  readonly forecast: Column;
  readonly lower: Column;
  readonly upper: Column;
}

type Point = readonly [time: number, value: number];

/** A silence of more than this many usual steps is a gap. */
const GAP_STEPS = 2.5;

export function chartData(
  history: readonly Bucket[],
  forecast: Forecast | null,
  quantity: Quantity,
): ChartData {
  const version = forecast?.scoreVersion ?? 'v1';
  const measured = points(history, (b) => bucketValue(b, quantity, version));
  const ahead = forecast?.points ?? [];
  const expected = predicted(ahead, (p) => expectedValue(p, quantity));
  // The forecast goes on from the last measurement, so the eye can follow.
  const joint = expected.length > 0 ? measured.slice(-1) : [];
  const isScore = quantity === 'score';
  const lower = isScore ? predicted(ahead, (p) => p.lower) : [];
  const upper = isScore ? predicted(ahead, (p) => p.upper) : [];
  return align({
    measured: withGaps(measured),
    forecast: [...joint, ...expected],
    lower: lower.length > 0 ? [...joint, ...lower] : [],
    upper: upper.length > 0 ? [...joint, ...upper] : [],
  });
}

function bucketValue(b: Bucket, quantity: Quantity, version: Forecast['scoreVersion']): number | null {
  switch (quantity) {
    case 'score':
      return scoreOf(b, version);
    case 'speed':
      return b.speed_kmh;
    case 'flow':
      return b.flow_rate;
    case 'occupancy':
      return b.occupancy === null ? null : b.occupancy * 100;
  }
}

function expectedValue(p: Prediction, quantity: Quantity): number | null {
  if (quantity === 'score') return p.congestion_score;
  return quantity === 'speed' ? p.speed_kmh : null;
}

function points(history: readonly Bucket[], value: (b: Bucket) => number | null): Point[] {
  return history.flatMap((b): Point[] => {
    const v = value(b);
    return v === null ? [] : [[Date.parse(b.ts) / 1000, v]];
  });
}

function predicted(list: readonly Prediction[], value: (p: Prediction) => number | null): Point[] {
  return list.flatMap((p): Point[] => {
    const v = value(p);
    return v === null ? [] : [[Date.parse(p.target_ts) / 1000, v]];
  });
}

/** Puts a null after each point that a long silence follows. */
function withGaps(list: readonly Point[]): (readonly [number, number | null])[] {
  const step = usualStep(list);
  return list.flatMap((point, i): (readonly [number, number | null])[] => {
    const next = list[i + 1];
    const silent = next !== undefined && next[0] - point[0] > GAP_STEPS * step;
    return silent ? [point, [point[0] + step, null]] : [point];
  });
}

/** The median step between neighbours, in seconds. */
function usualStep(list: readonly Point[]): number {
  const steps = list.slice(1).map((p, i) => p[0] - (list[i]?.[0] ?? p[0]));
  steps.sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? 0;
}

type Columns = Record<'measured' | 'forecast' | 'lower' | 'upper', (readonly [number, number | null])[]>;

function align(columns: Columns): ChartData {
  const all = Object.values(columns).flat();
  const times = [...new Set(all.map(([time]) => time))].sort((a, b) => a - b);
  const column = (list: Columns['measured']): Column => {
    const byTime = new Map(list);
    return times.map((time) => byTime.get(time));
  };
  return {
    times,
    measured: column(columns.measured),
    forecast: column(columns.forecast),
    lower: column(columns.lower),
    upper: column(columns.upper),
  };
}

/** The part of the data from `seconds` before the last measurement on. */
export function newestPart(data: ChartData, seconds: number): ChartData {
  const lastIndex = data.measured.findLastIndex((v) => typeof v === 'number');
  const since = (data.times[lastIndex] ?? 0) - seconds;
  const first = data.times.findIndex((time) => time >= since);
  const cut = <T>(column: T[]): T[] => column.slice(Math.max(0, first));
  return {
    times: cut(data.times),
    measured: cut(data.measured),
    forecast: cut(data.forecast),
    lower: cut(data.lower),
    upper: cut(data.upper),
  };
}

/** The lowest, highest and last of a column, for the text that stands in for the chart. */
export function extent(column: Column): { low: number; high: number; last: number } | null {
  const values = column.filter((v): v is number => typeof v === 'number');
  const last = values[values.length - 1];
  if (last === undefined) return null;
  return { low: Math.min(...values), high: Math.max(...values), last };
}
