import { describe, expect, test } from 'vitest';
import { chance } from '../../test-support/fake_network';
import { iso, prediction, reading, reroute, T0 } from '../../test-support/samples';
import type { LiveMessage } from '../api/types';
import { decodeLive } from './decode';

const messages: LiveMessage[] = [
  {
    type: 'snapshot', seq: 5,
    data: { watermark: iso(T0), roads: [reading('a', T0)], predictions: [prediction('a', T0, 30)], reroutes: [reroute('a')], alerts: [] },
  },
  { type: 'snapshot', seq: 0, data: { watermark: null, roads: [], predictions: [], reroutes: [], alerts: [] } },
  { type: 'traffic_update', seq: 6, data: [reading('a', T0), reading('b', T0, { speed_kmh: null, congestion_score: null })] },
  { type: 'predictions', seq: 7, data: [prediction('a', T0, 30)] },
  { type: 'reroutes', seq: 8, data: [reroute('a', { path: [] })] },
  { type: 'heartbeat', seq: 8, data: { ts: iso(T0), watermark: null, degraded: false } },
];

describe('decodeLive', () => {
  test.each(messages)('takes a good $type as it is', (message) => {
    expect(decodeLive(JSON.stringify(message))).toEqual({ kind: 'message', message, dropped: 0 });
  });

  test('passes over types of a newer server', () => {
    expect(decodeLive('{"type":"news","seq":1,"data":{}}')).toEqual({ kind: 'unknown', type: 'news' });
  });

  test.each([
    ['', 'not JSON'],
    ['[1]', 'not an object'],
    ['null', 'not an object'],
    ['{"seq":1}', 'no type'],
    ['{"type":"reroutes","data":[]}', 'no seq'],
    ['{"type":"reroutes","seq":-1,"data":[]}', 'no seq'],
    ['{"type":"reroutes","seq":1.5,"data":[]}', 'no seq'],
    ['{"type":"traffic_update","seq":1,"data":{}}', 'data is no list'],
    ['{"type":"snapshot","seq":1,"data":{"roads":[]}}', 'snapshot without its lists'],
    ['{"type":"heartbeat","seq":1,"data":{"ts":"soon"}}', 'heartbeat without a time'],
  ])('says what is wrong with %s', (text, reason) => {
    expect(decodeLive(text)).toEqual({ kind: 'broken', reason });
  });

  test.each([
    { ts: 'yesterday' }, { road_id: '' }, { speed_kmh: '30' }, { congestion_score: 1.2 }, { congestion_score_v1: -0.1 }, { occupancy: {} },
  ])('leaves a bad reading out and keeps the ones around it: %o', (fault) => {
    const data = [reading('a', T0), { ...reading('b', T0), ...fault }, reading('c', T0)];
    const decoded = decodeLive(JSON.stringify({ type: 'traffic_update', seq: 1, data }));
    expect(decoded).toMatchObject({ kind: 'message', dropped: 1, message: { data: [{ road_id: 'a' }, { road_id: 'c' }] } });
  });

  test('never throws, whatever was cut or changed', () => {
    const seed = 99;
    const random = chance(seed);
    for (let i = 0; i < 3000; i++) {
      const text = JSON.stringify(messages[i % messages.length]);
      const at = Math.floor(random() * text.length);
      const cut = Math.floor(random() * 6);
      const noise = ['', '}', '"', 'null', '0', ']', '\u0000'][Math.floor(random() * 7)] ?? '';
      const broken = text.slice(0, at) + noise + text.slice(at + cut);
      expect(['message', 'unknown', 'broken'], `seed ${seed}, step ${i}`).toContain(decodeLive(broken).kind);
    }
  });
});
