/**
 * The one decoder of the live stream: text in, a member of the discriminated union
 * `LiveMessage` out. A message of a newer server is `unknown` and passed over; a
 * broken one says why. Single bad items of a list are left out and counted, so that
 * one of them does not hide a city.
 */
import type { Alert, LiveMessage, Prediction, Reading, Reroute } from '../api/types';

export type Decoded =
  | { readonly kind: 'message'; readonly message: LiveMessage; readonly dropped: number }
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'broken'; readonly reason: string };

type Fields = Readonly<Record<string, unknown>>;

export function decodeLive(text: string): Decoded {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return broken('not JSON');
  }
  if (!isObject(parsed)) return broken('not an object');
  const { type, seq, data } = parsed;
  if (typeof type !== 'string') return broken('no type');
  if (!isKnown(type)) return { kind: 'unknown', type };
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) return broken('no seq');
  return decodeData(type, seq, data);
}

const TYPES = ['snapshot', 'traffic_update', 'predictions', 'reroutes', 'alert', 'heartbeat'] as const;
type Type = (typeof TYPES)[number];

function isKnown(type: string): type is Type {
  return (TYPES as readonly string[]).includes(type);
}

function decodeData(type: Type, seq: number, data: unknown): Decoded {
  switch (type) {
    case 'heartbeat':
      return decodeHeartbeat(seq, data);
    case 'snapshot':
      return decodeSnapshot(seq, data);
    case 'traffic_update':
      return decodeList(data, isReading, (list) => ({ type, seq, data: list }));
    case 'predictions':
      return decodeList(data, isPrediction, (list) => ({ type, seq, data: list }));
    case 'reroutes':
      return decodeList(data, isReroute, (list) => ({ type, seq, data: list }));
    case 'alert':
      return decodeList(data, isAlert, (list) => ({ type, seq, data: list }));
  }
}

function decodeList<T>(
  data: unknown,
  isItem: (item: unknown) => item is T,
  make: (list: T[]) => LiveMessage,
): Decoded {
  if (!Array.isArray(data)) return broken('data is no list');
  const list = data.filter(isItem);
  return { kind: 'message', message: make(list), dropped: data.length - list.length };
}

function decodeSnapshot(seq: number, data: unknown): Decoded {
  if (!isObject(data)) return broken('snapshot without data');
  const { watermark, roads, predictions, reroutes } = data;
  const alerts: unknown[] = Array.isArray(data['alerts']) ? data['alerts'] : [];
  if (!Array.isArray(roads) || !Array.isArray(predictions) || !Array.isArray(reroutes)) {
    return broken('snapshot without its lists');
  }
  const kept = {
    watermark: isTime(watermark) ? watermark : null,
    roads: roads.filter(isReading),
    predictions: predictions.filter(isPrediction),
    reroutes: reroutes.filter(isReroute),
    alerts: alerts.filter(isAlert),
  };
  const offered = roads.length + predictions.length + reroutes.length + alerts.length;
  const dropped = offered - kept.roads.length - kept.predictions.length - kept.reroutes.length - kept.alerts.length;
  return { kind: 'message', message: { type: 'snapshot', seq, data: kept }, dropped };
}

function decodeHeartbeat(seq: number, data: unknown): Decoded {
  if (!isObject(data) || !isTime(data['ts'])) return broken('heartbeat without a time');
  const watermark = isTime(data['watermark']) ? data['watermark'] : null;
  const kept = { ts: data['ts'], watermark, degraded: data['degraded'] === true };
  return { kind: 'message', message: { type: 'heartbeat', seq, data: kept }, dropped: 0 };
}

function isAlert(item: unknown): item is Alert {
  return (
    isObject(item) &&
    isID(item['id']) &&
    isID(item['road_id']) &&
    isTime(item['start_ts']) &&
    Array.isArray(item['roads']) &&
    typeof item['severity'] === 'string' &&
    typeof item['detail'] === 'string' &&
    typeof item['road_label'] === 'string'
  );
}

function isReading(item: unknown): item is Reading {
  return (
    isObject(item) &&
    isID(item['road_id']) &&
    isTime(item['ts']) &&
    isQuantity(item['speed_kmh']) &&
    isQuantity(item['flow_rate']) &&
    isQuantity(item['occupancy']) &&
    isShare(item['congestion_score']) &&
    isShare(item['congestion_score_v1'])
  );
}

function isPrediction(item: unknown): item is Prediction {
  return (
    isObject(item) &&
    isID(item['road_id']) &&
    isTime(item['ts']) &&
    isTime(item['target_ts']) &&
    typeof item['horizon_min'] === 'number' &&
    typeof item['congestion_score'] === 'number' &&
    isShare(item['congestion_score'])
  );
}

function isReroute(item: unknown): item is Reroute {
  return (
    isObject(item) &&
    isID(item['id']) &&
    isID(item['route_id']) &&
    isTime(item['ts']) &&
    typeof item['reason'] === 'string' &&
    typeof item['eta_gain_min'] === 'number' &&
    typeof item['estimated_co2_gain'] === 'number' &&
    Array.isArray(item['path']) &&
    item['path'].every((step) => isObject(step) && isID(step['road_id']))
  );
}

function broken(reason: string): Decoded {
  return { kind: 'broken', reason };
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isID(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

/** A number of the unit at hand, or null where it was not measured. */
function isQuantity(value: unknown): boolean {
  return value === null || value === undefined || typeof value === 'number';
}

function isShare(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'number' && value >= 0 && value <= 1);
}
