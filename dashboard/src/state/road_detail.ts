/**
 * What is known about the one road whose panel is open: its last 24 hours and its
 * forecast. It reads again when the road has news, but not more often than a person
 * can follow.
 */
import type { Api } from '../api/client';
import { asFailure } from '../api/failure';
import type { Bucket } from '../api/types';
import { Cell } from '../cell/cell';
import { wallTimer, type Timer } from '../timer/timer';
import type { City, Loading } from './city';
import { latestForecast, type Forecast } from './forecasts';

export interface RoadDetail {
  readonly road: string;
  readonly history: Loading<readonly Bucket[]>;
  readonly forecast: Loading<Forecast | null>;
}

/** How much history the panel shows, in ms. */
export const HISTORY_MS = 24 * 60 * 60 * 1000;

const BUCKET_MS = 5 * 60 * 1000;
const REFRESH_MS = 5_000;
const LOADING = { state: 'loading' } as const;

export class RoadWatch {
  readonly detail = new Cell<RoadDetail | null>(null);
  private cancel: (() => void) | null = null;
  private readonly endings: (() => void)[];
  private readAt = -Infinity;

  constructor(
    private readonly api: Pick<Api, 'history' | 'predictions'>,
    private readonly city: Pick<City, 'roads' | 'forecastRound'>,
    private readonly timer: Timer = wallTimer,
  ) {
    this.endings = [
      city.roads.subscribe((ids) => {
        const road = this.detail.get()?.road;
        if (road !== undefined && ids.has(road)) this.plan();
      }),
      city.forecastRound.subscribe(() => {
        this.plan();
      }),
    ];
  }

  /** Opens another road's detail; null closes it. */
  open(road: string | null): void {
    if (road === (this.detail.get()?.road ?? null)) return;
    this.cancelPlan();
    if (road === null) {
      this.detail.set(null);
      return;
    }
    this.detail.set({ road, history: LOADING, forecast: LOADING });
    void this.read(road);
  }

  stop(): void {
    this.cancelPlan();
    for (const end of this.endings) end();
  }

  private plan(): void {
    const road = this.detail.get()?.road;
    if (road === undefined || this.cancel) return;
    const wait = Math.max(0, this.readAt + REFRESH_MS - this.timer.now());
    this.cancel = this.timer.after(wait, () => {
      this.cancel = null;
      void this.read(road);
    });
  }

  private cancelPlan(): void {
    this.cancel?.();
    this.cancel = null;
  }

  private async read(road: string): Promise<void> {
    this.readAt = this.timer.now();
    const [history, forecast] = await Promise.all([
      settle(this.readHistory(road)),
      settle(this.api.predictions(road).then(latestForecast)),
    ]);
    const open = this.detail.get();
    if (open?.road !== road) return;
    // What was shown stays when reading it again fails: old and marked beats gone.
    this.detail.set({
      road,
      history: prefer(history, open.history),
      forecast: prefer(forecast, open.forecast),
    });
  }

  private readHistory(road: string): Promise<readonly Bucket[]> {
    const newest = this.city.roads.get(road)?.at ?? this.city.roads.watermark.get();
    if (newest === null) return Promise.resolve([]);
    const to = newest + BUCKET_MS;
    return this.api.history({ road, from: to - HISTORY_MS, to, width: '5m' });
  }
}

async function settle<T>(work: Promise<T>): Promise<Loading<T>> {
  try {
    return { state: 'ready', value: await work };
  } catch (error) {
    return { state: 'failed', failure: asFailure(error) };
  }
}

function prefer<T>(next: Loading<T>, before: Loading<T>): Loading<T> {
  return next.state === 'failed' && before.state === 'ready' ? before : next;
}
