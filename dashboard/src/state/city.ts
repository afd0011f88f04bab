/**
 * Everything the page knows about the city, kept up to date: the network over REST,
 * the rest over the live feed. Views read its cells; nothing here touches the page.
 */
import type { Api } from '../api/client';
import { asFailure, type Failure } from '../api/failure';
import type { Alert, LiveMessage, Prediction, Reroute } from '../api/types';
import { Cell } from '../cell/cell';
import { wallTimer, type Timer } from '../timer/timer';
import { networkOf, type Network } from './network';
import { RoadStates } from './roads';

/** Where the network stands; `failed` carries what to show and is retried by `load`. */
export type Loading<T> =
  | { readonly state: 'loading' }
  | { readonly state: 'ready'; readonly value: T }
  | { readonly state: 'failed'; readonly failure: Failure };

/** Roads that nobody heard of make the network be read again, at most this often, in ms. */
const RELOAD_MS = 4_000;

/** The horizon whose forecasts are kept for every road, in minutes. */
export const OUTLOOK_MIN = 30;

export class City {
  readonly network = new Cell<Loading<Network>>({ state: 'loading' });
  readonly roads: RoadStates;
  /** All advice in force, newest first; null until it is known. */
  readonly advice = new Cell<readonly Reroute[] | null>(null);
  /** All alerts that go on, newest first; null until they are known. */
  readonly alerts = new Cell<readonly Alert[] | null>(null);
  /** Counts the messages with forecasts; a view that shows one asks again. */
  readonly forecastRound = new Cell(0);
  /** The server's clock minus ours, in ms. */
  readonly clockOffset = new Cell(0);
  /** Whether the server says that its changes arrive late. */
  readonly degraded = new Cell(false);

  private readonly outlooks = new Map<string, Prediction>();
  private reload: (() => void) | null = null;
  private loadedAt = -Infinity;

  constructor(
    private readonly api: Pick<Api, 'roads'>,
    private readonly timer: Timer = wallTimer,
  ) {
    this.roads = new RoadStates(timer);
  }

  /** The newest forecast of a road at OUTLOOK_MIN. */
  outlook(road: string): Prediction | undefined {
    return this.outlooks.get(road);
  }

  /** Reads the network; a failure shows in `network`, unless there is one to go on with. */
  async load(): Promise<void> {
    this.loadedAt = this.timer.now();
    try {
      const value = networkOf(await this.api.roads());
      this.network.set({ state: 'ready', value });
    } catch (error) {
      if (this.network.get().state !== 'ready') {
        this.network.set({ state: 'failed', failure: asFailure(error) });
      }
    }
  }

  /** Takes one message of the live feed. */
  receive(message: LiveMessage): void {
    switch (message.type) {
      case 'snapshot':
        this.roads.replace(message.data.roads, time(message.data.watermark));
        this.outlooks.clear();
        this.forecast(message.data.predictions);
        this.advice.set(message.data.reroutes);
        this.alerts.set(message.data.alerts);
        this.heardOf(message.data.roads);
        break;
      case 'traffic_update':
        this.roads.apply(message.data);
        this.heardOf(message.data);
        break;
      case 'predictions':
        this.forecast(message.data);
        break;
      case 'reroutes':
        this.advice.set(message.data);
        break;
      case 'alert':
        this.alerts.set(message.data);
        break;
      case 'heartbeat':
        this.beat(message.data);
        break;
    }
  }

  stop(): void {
    this.reload?.();
    this.reload = null;
  }

  private beat(data: Extract<LiveMessage, { type: 'heartbeat' }>['data']): void {
    this.clockOffset.set(Date.parse(data.ts) - this.timer.now());
    this.degraded.set(data.degraded);
    const watermark = time(data.watermark);
    if (watermark !== null) this.roads.advance(watermark);
  }

  private forecast(predictions: readonly Prediction[]): void {
    for (const prediction of predictions) {
      if (prediction.horizon_min === OUTLOOK_MIN) this.outlooks.set(prediction.road_id, prediction);
    }
    this.forecastRound.update((n) => n + 1);
  }

  /** Plans to read the network again when a reading names a road that it lacks. */
  private heardOf(readings: readonly { road_id: string }[]): void {
    const network = this.network.get();
    if (network.state !== 'ready' || this.reload) return;
    if (readings.every(({ road_id }) => network.value.byId.has(road_id))) return;
    const wait = Math.max(0, this.loadedAt + RELOAD_MS - this.timer.now());
    this.reload = this.timer.after(wait, () => {
      this.reload = null;
      void this.load();
    });
  }
}

function time(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}
