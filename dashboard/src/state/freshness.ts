/**
 * Decides when a road's newest reading is too old to be shown as current. Age is
 * counted in event time, against the newest reading of the whole city (the
 * watermark), so that a replay of last year looks as alive as today.
 *
 * A sensor is stale when it has been silent for three of its own periods. The
 * period is the shortest step seen between two of its readings. Before a step was
 * seen, it is guessed from how the city's timestamps are aligned: if they all
 * stand on full hours the feed is hourly.
 */

export type Freshness = 'fresh' | 'stale' | 'none';

const MINUTE = 60_000;

/** Silence shorter than this is never stale, in milliseconds. */
export const MIN_STALE_MS = 15 * MINUTE;

/** Silence longer than this is always stale, in milliseconds. */
export const MAX_STALE_MS = 3 * 60 * MINUTE;

const SILENT_PERIODS = 3;
const GRIDS_MIN = [60, 30, 20, 15, 10, 6, 5];

/**
 * The coarsest whole-minute grid on which at least 95 % of the given times stand,
 * in milliseconds; 0 when there is none coarser than five minutes or no time.
 */
export function alignedPeriod(times: Iterable<number>): number {
  const all = [...times];
  if (all.length === 0) return 0;
  for (const minutes of GRIDS_MIN) {
    const grid = minutes * MINUTE;
    const on = all.filter((t) => t % grid === 0).length;
    if (on >= 0.95 * all.length) return grid;
  }
  return 0;
}

/** How long a sensor of this period may be silent, in milliseconds. */
export function staleAfter(periodMs: number): number {
  return Math.min(MAX_STALE_MS, Math.max(MIN_STALE_MS, SILENT_PERIODS * periodMs));
}

/** Remembers each road's shortest step between readings. */
export class Cadence {
  private readonly steps = new Map<string, number>();

  /** Notes that `road` had a reading at `before` and a newer one at `after`, in ms. */
  observe(road: string, before: number, after: number): void {
    const step = after - before;
    if (step <= 0) return;
    const known = this.steps.get(road);
    if (known === undefined || step < known) this.steps.set(road, step);
  }

  /** The road's period in ms, or `fallback` before a step was seen. */
  period(road: string, fallback: number): number {
    return this.steps.get(road) ?? fallback;
  }
}

/** Judges a reading of time `at` (null: the road never had one). */
export function freshness(at: number | null, watermark: number, periodMs: number): Freshness {
  if (at === null) return 'none';
  return watermark - at > staleAfter(periodMs) ? 'stale' : 'fresh';
}
