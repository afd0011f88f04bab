/**
 * The newest reading of every road, and how far each may be trusted. Readings go in
 * one by one or as a whole snapshot; what changed comes out coalesced, as a set of
 * road ids. A reading never makes a road look older: late ones are passed over.
 */
import type { Reading } from '../api/types';
import { Cell } from '../cell/cell';
import { wallTimer, type Timer } from '../timer/timer';
import { Coalescer } from './coalesce';
import { alignedPeriod, Cadence, freshness, type Freshness } from './freshness';

export interface RoadState {
  /** `reading.ts` in ms since 1970. */
  readonly at: number;
  readonly reading: Reading;
}

/** What a road looks like on the map and in the tables. */
export interface Standing {
  readonly freshness: Freshness;
  /** Null when it is not fresh, or has no score. */
  readonly score: number | null;
}

export interface Tally {
  readonly fresh: number;
  readonly stale: number;
}

/** Redraws come at most this often, in ms. */
export const REDRAW_MS = 500;

/** The map is swept for roads that fell silent after so much event time, in ms. */
const SWEEP_MS = 30_000;

const NOTHING: Standing = { freshness: 'none', score: null };

export class RoadStates {
  /** The newest event time seen, in ms since 1970; null before the first. */
  readonly watermark = new Cell<number | null>(null);
  /** How many roads are fresh and stale; the others never had a reading. */
  readonly tally = new Cell<Tally>({ fresh: 0, stale: 0 });

  private readonly states = new Map<string, RoadState>();
  private readonly standings = new Map<string, Standing>();
  private readonly cadence = new Cadence();
  private readonly listeners = new Set<(ids: ReadonlySet<string>) => void>();
  private readonly changes: Coalescer<string>;
  private basePeriod = 0;
  private sweptAt = -Infinity;

  constructor(timer: Timer = wallTimer) {
    this.changes = new Coalescer((ids) => {
      this.flush(ids);
    }, REDRAW_MS, timer);
  }

  get(road: string): RoadState | null {
    return this.states.get(road) ?? null;
  }

  standing(road: string): Standing {
    return this.standings.get(road) ?? NOTHING;
  }

  /** Every road that has a standing. */
  known(): Iterable<string> {
    return this.standings.keys();
  }

  /** Calls `listener` with the roads whose reading or standing changed. */
  subscribe(listener: (ids: ReadonlySet<string>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes new readings; of each road the newest stays. */
  apply(readings: readonly Reading[]): void {
    const changed: string[] = [];
    let newest = this.watermark.get() ?? -Infinity;
    for (const reading of readings) {
      const at = Date.parse(reading.ts);
      newest = Math.max(newest, at);
      if (this.take(reading, at)) changed.push(reading.road_id);
    }
    if (readings.length > 0) this.watermark.set(newest);
    this.changes.add(changed);
  }

  /** Forgets what it had and takes a snapshot. */
  replace(readings: readonly Reading[], watermark: number | null): void {
    const before = [...this.states.keys()];
    this.states.clear();
    this.sweptAt = -Infinity;
    this.watermark.set(watermark);
    this.apply(readings);
    this.basePeriod = alignedPeriod(this.times());
    this.changes.add(before);
    this.changes.flush();
  }

  /** Learns from the server how far the data's time has come. */
  advance(watermark: number): void {
    if (watermark <= (this.watermark.get() ?? -Infinity)) return;
    this.watermark.set(watermark);
    // A road that falls silent sends nothing, so time itself has to make it stale.
    if (watermark - this.sweptAt >= SWEEP_MS) this.changes.add(this.states.keys());
  }

  private take(reading: Reading, at: number): boolean {
    const before = this.states.get(reading.road_id);
    if (before && before.at > at) return false;
    if (before) this.cadence.observe(reading.road_id, before.at, at);
    this.states.set(reading.road_id, { at, reading });
    return true;
  }

  private *times(): Iterable<number> {
    for (const state of this.states.values()) yield state.at;
  }

  private flush(ids: ReadonlySet<string>): void {
    const changed = new Set(ids);
    const watermark = this.watermark.get() ?? 0;
    if (watermark - this.sweptAt >= SWEEP_MS) {
      this.sweptAt = watermark;
      for (const id of this.states.keys()) if (this.judge(id, watermark)) changed.add(id);
    }
    for (const id of ids) this.judge(id, watermark);
    this.count();
    for (const listener of [...this.listeners]) listener(changed);
  }

  /** Works a road's standing out anew; reports whether it changed. */
  private judge(id: string, watermark: number): boolean {
    const state = this.states.get(id);
    const before = this.standings.get(id);
    if (!state) return this.standings.delete(id);
    const fresh = freshness(state.at, watermark, this.cadence.period(id, this.basePeriod));
    const score = fresh === 'fresh' ? (state.reading.congestion_score ?? null) : null;
    if (before?.freshness === fresh && before.score === score) return false;
    this.standings.set(id, { freshness: fresh, score });
    return true;
  }

  private count(): void {
    let fresh = 0;
    for (const standing of this.standings.values()) if (standing.freshness === 'fresh') fresh++;
    const next = { fresh, stale: this.standings.size - fresh };
    const before = this.tally.get();
    if (before.fresh !== next.fresh || before.stale !== next.stale) this.tally.set(next);
  }
}
