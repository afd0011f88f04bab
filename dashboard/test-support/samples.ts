/** Well-formed payloads for tests; each takes the fields that the test is about. */
import type { Bucket, Prediction, Reading, Reroute, RoadCollection, RoadFeature, Session } from '../src/api/types';

export const T0 = Date.parse('2026-05-05T08:00:00Z');
export const MINUTE = 60_000;

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function reading(road: string, at: number, fields: Partial<Reading> = {}): Reading {
  return {
    ts: iso(at), sensor_id: `S-${road}`, road_id: road, speed_kmh: 30, speed_estimated: false, flow_rate: 400,
    occupancy: 0.1, congestion_score: 0.3, congestion_score_v1: 0.4, quality: [], edge_id: null, ...fields,
  };
}

export function prediction(road: string, at: number, horizon: number, fields: Partial<Prediction> = {}): Prediction {
  return {
    ts: iso(at), target_ts: iso(at + horizon * MINUTE), road_id: road, horizon_min: horizon, congestion_score: 0.5,
    score_version: 'v1', confidence: 0.8, model_version: 'ewma-lr-v2', speed_kmh: null, lower: null, upper: null, ...fields,
  };
}

export function reroute(route: string, fields: Partial<Reroute> = {}): Reroute {
  return {
    id: `id-${route}`, ts: iso(T0), route_id: route, route_label: 'Rue_A', alt_route_id: 'B', alt_route_label: 'Rue_B',
    reason: 'Score 0.82 now.', estimated_co2_gain: 12.34, eta_gain_min: 3.4, share: null, status: 'proposed',
    path: [{ road_id: 'B', label: 'Rue_B' }, { road_id: 'C', label: 'Rue_C' }], ...fields,
  };
}

export function bucket(at: number, fields: Partial<Bucket> = {}): Bucket {
  return {
    road_id: 'A', ts: iso(at), width_s: 300, speed_kmh: 30, flow_rate: 400, occupancy: 0.1, congestion_score: 0.3,
    congestion_score_v1: 0.4, samples: 1, ...fields,
  };
}

export function feature(road: string, label = '', geometry: RoadFeature['geometry'] = null): RoadFeature {
  return {
    type: 'Feature', id: road, geometry,
    properties: {
      road_id: road, label, class: 'primary', length_m: 120, free_flow_kmh: 50, capacity_vph: 900, from_node: null, to_node: null,
    },
  };
}

export function line(...coordinates: [number, number][]): RoadFeature['geometry'] {
  return { type: 'LineString', coordinates };
}

export function collection(...features: RoadFeature[]): RoadCollection {
  return { type: 'FeatureCollection', features };
}

export function session(n: number, expiresAt: number): Session {
  return {
    token: `access-${n}`, refresh_token: `refresh-${n}`, expires_at: iso(expiresAt),
    user: { id: 1, email: 'a@b.example', role: 'admin', created_at: iso(T0) },
  };
}
