/** The fake's `/ws/live`: a snapshot, then changes as the event clock runs. */
import type { WebSocket } from 'ws';
import type { LiveMessage, Prediction, Reading } from '../src/api/types';
import { BEGIN, PERIOD_MS, type FakeTraffic } from './fake_traffic.ts';

const TICK_MS = 1000;
/** Event time that passes with each tick, in ms. */
const STEP_MS = 60_000;
const HEARTBEAT_TICKS = 15;

export class FakeLive {
  /** The event clock, in ms since 1970. */
  now = BEGIN;
  private seq = 1;
  private ticks = 0;
  private readonly clients = new Set<WebSocket>();
  private readonly timer = setInterval(() => {
    this.tick();
  }, TICK_MS);

  constructor(private readonly traffic: FakeTraffic) {}

  join(client: WebSocket): void {
    this.clients.add(client);
    client.on('close', () => this.clients.delete(client));
    this.send(client, {
      type: 'snapshot',
      seq: this.seq,
      data: {
        watermark: new Date(this.now).toISOString(),
        roads: this.readings(() => true),
        predictions: this.outlooks(),
        reroutes: this.traffic.reroutes(this.now),
        alerts: [],
      },
    });
  }

  stop(): void {
    clearInterval(this.timer);
    for (const client of this.clients) client.terminate();
  }

  private tick(): void {
    const before = this.now;
    this.now += STEP_MS;
    this.ticks += 1;
    this.publish('traffic_update', this.readings((r) => Date.parse(r.ts) > before - STEP_MS));
    if (Math.floor(this.now / PERIOD_MS) !== Math.floor(before / PERIOD_MS)) {
      this.publish('predictions', this.outlooks());
      this.publish('reroutes', this.traffic.reroutes(this.now));
    }
    if (this.ticks % HEARTBEAT_TICKS === 0) this.beat();
  }

  private beat(): void {
    const data = { ts: new Date().toISOString(), watermark: new Date(this.now).toISOString(), degraded: false };
    this.broadcast({ type: 'heartbeat', seq: this.seq, data });
  }

  private publish(type: 'traffic_update' | 'predictions' | 'reroutes', data: unknown[]): void {
    this.seq += 1;
    this.broadcast({ type, seq: this.seq, data } as LiveMessage);
  }

  private readings(keep: (r: Reading) => boolean): Reading[] {
    return this.traffic.ids().flatMap((id) => {
      const reading = this.traffic.reading(id, this.now);
      return reading && keep(reading) ? [reading] : [];
    });
  }

  private outlooks(): Prediction[] {
    return this.traffic.ids().flatMap((id) => this.traffic.predictions(id, this.now).filter((p) => p.horizon_min === 30));
  }

  private broadcast(message: LiveMessage): void {
    for (const client of this.clients) this.send(client, message);
  }

  private send(client: WebSocket, message: LiveMessage): void {
    client.send(JSON.stringify(message));
  }
}
