/**
 * Traffic on the made-up network as a pure function of road and event time: two
 * rush hours, a few jams that grow and shrink, sensors that are missing or went
 * silent. Nothing is stored, so any moment can be asked for.
 */
import type { Bucket, Prediction, Reading, Reroute, RoadCollection, RoadFeature } from '../src/api/types';

const MINUTE = 60_000;
export const PERIOD_MS = 5 * MINUTE;
export const HORIZONS = [5, 15, 30, 60];

/** The moment at which the fake replay begins. */
export const BEGIN = Date.parse('2022-05-03T06:20:00Z');

interface Jam {
  readonly lng: number;
  readonly lat: number;
  readonly phase: number;
}

export class FakeTraffic {
  private readonly places: ReadonlyMap<string, readonly number[]>;
  private readonly jams: readonly Jam[];

  constructor(readonly network: RoadCollection) {
    this.places = new Map(network.features.map((f) => [f.properties.road_id, placeOf(f)]));
    const vertices = [...this.places.values()];
    this.jams = [0.13, 0.38, 0.55, 0.81].map((share, i) => {
      const at = vertices[Math.floor(share * vertices.length)] ?? [];
      return { lng: at[0] ?? 0, lat: at[1] ?? 0, phase: i * 1.7 };
    });
  }

  ids(): string[] {
    return this.network.features.map((f) => f.properties.road_id);
  }

  /** The newest reading at a moment; null for a road without a sensor. */
  reading(road: string, now: number): Reading | null {
    const kind = hash(road) % 100;
    if (kind < 18) return null;
    const silentSince = kind < 23 ? BEGIN - 3 * 60 * MINUTE : now;
    const phase = (hash(`${road}!`) % 5) * MINUTE;
    const at = Math.floor((Math.min(now, silentSince) - phase) / PERIOD_MS) * PERIOD_MS + phase;
    return this.measure(road, at);
  }

  history(road: string, from: number, to: number): Bucket[] {
    if (hash(road) % 100 < 18) return [];
    const buckets: Bucket[] = [];
    for (let at = Math.ceil(from / PERIOD_MS) * PERIOD_MS; at < to; at += PERIOD_MS) {
      // An hour without data, so that the chart shows a gap.
      if (Math.floor(at / (60 * MINUTE)) % 24 === 2) continue;
      const { speed_kmh, flow_rate, occupancy, congestion_score, congestion_score_v1 } = this.measure(road, at);
      buckets.push({
        road_id: road, ts: iso(at), width_s: 300, speed_kmh, flow_rate, occupancy, congestion_score, congestion_score_v1, samples: 1,
      });
    }
    return buckets;
  }

  predictions(road: string, now: number): Prediction[] {
    const last = this.reading(road, now);
    if (!last) return [];
    const at = Math.floor(now / PERIOD_MS) * PERIOD_MS;
    return HORIZONS.map((horizon) => {
      const target = at + horizon * MINUTE;
      const then = this.measure(road, target);
      return {
        ts: iso(at), target_ts: iso(target), road_id: road, horizon_min: horizon,
        congestion_score: then.congestion_score_v1 ?? 0, score_version: 'v1',
        confidence: round(0.92 - horizon / 110), model_version: 'ewma-lr-v2', speed_kmh: null, lower: null, upper: null,
      };
    });
  }

  /** Advice to leave the worst roads, by way of their neighbours; anew each half hour. */
  reroutes(at: number): Reroute[] {
    const now = Math.floor(at / (30 * MINUTE)) * 30 * MINUTE;
    const scored = this.ids()
      .map((id) => ({ id, score: this.reading(id, now)?.congestion_score ?? 0 }))
      .sort((a, b) => b.score - a.score);
    return scored.slice(0, 40).filter((_, i) => i % 8 === 0 && scored[i] && scored[i].score > 0.6)
      .map(({ id, score }, i) => this.advise(id, score, { now, i }));
  }

  private advise(id: string, score: number, { now, i }: { now: number; i: number }): Reroute {
    const all = this.network.features;
    const at = all.findIndex((f) => f.properties.road_id === id);
    const path = all.slice(at + 2, at + 14).filter((f) => f.geometry?.type === 'LineString').slice(0, 5)
      .map((f) => ({ road_id: f.properties.road_id, label: f.properties.label }));
    return {
      id: `${iso(now)}/${id}`, ts: iso(Math.floor(now / MINUTE) * MINUTE), route_id: id,
      route_label: all[at]?.properties.label ?? '', alt_route_id: path[0]?.road_id ?? '', alt_route_label: path[0]?.label ?? '',
      reason: `Score ${score.toFixed(2)} now, ${Math.min(1, score + 0.06).toFixed(2)} expected in 30 min; the detour is 0.31.`,
      estimated_co2_gain: round(18.4 - i * 5.1), eta_gain_min: round(4.2 - i * 0.7), share: null, status: 'proposed', path,
    };
  }

  private measure(road: string, at: number): Reading {
    const score = this.score(road, at);
    const noSpeed = hash(road) % 3 === 0;
    const speed = round(48 * (1 - 0.88 * score));
    const occupancy = round(0.03 + 0.6 * score * score);
    const flow = Math.round((160 + 900 * score * (1.25 - score)) * (0.5 + (hash(road) % 100) / 100));
    return {
      ts: iso(at), sensor_id: road.replace(/^R/, 'S'), road_id: road, speed_kmh: speed, speed_estimated: noSpeed,
      flow_rate: flow, occupancy, congestion_score: round(score), congestion_score_v1: round(scoreV1(speed, occupancy, flow)),
      quality: [], edge_id: 'edge-1',
    };
  }

  private score(road: string, at: number): number {
    const hour = (at / (60 * MINUTE)) % 24;
    const rush = 0.22 * bell(hour, 6.8, 1.3) + 0.26 * bell(hour, 16.2, 1.6) + 0.06;
    const [lng = 0, lat = 0] = this.places.get(road) ?? [];
    const jam = this.jams.reduce((sum, j) => {
      const near = bell(Math.hypot((lng - j.lng) * 0.66, lat - j.lat), 0, 0.011);
      return sum + near * (0.42 + 0.2 * Math.sin(hour * 0.6 + j.phase));
    }, 0);
    const own = ((hash(road) % 1000) / 1000 - 0.45) * 0.25;
    const noise = ((hash(`${road}${at}`) % 1000) / 1000 - 0.5) * 0.08;
    return Math.min(1, Math.max(0, rush + jam + own + noise));
  }
}

function placeOf({ geometry }: RoadFeature): readonly number[] {
  if (geometry?.type === 'LineString') return geometry.coordinates[0] ?? [];
  if (geometry?.type === 'MultiLineString') return geometry.coordinates[0]?.[0] ?? [];
  return geometry?.coordinates ?? [];
}

function scoreV1(speed: number, occupancy: number, flow: number): number {
  return Math.min(1, 0.4 * Math.max(0, 1 - speed / 90) + 0.4 * occupancy + 0.2 * Math.min(1, flow / 120));
}

function bell(x: number, centre: number, width: number): number {
  return Math.exp(-(((x - centre) / width) ** 2));
}

function hash(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return (h ^ (h >>> 13)) >>> 0;
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
