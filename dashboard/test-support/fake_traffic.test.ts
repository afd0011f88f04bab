import { describe, expect, test } from 'vitest';
import { decodeLive } from '../src/live/decode';
import { networkOf } from '../src/state/network';
import { fakeNetwork } from './fake_network';
import { BEGIN, FakeTraffic, HORIZONS } from './fake_traffic';

const traffic = new FakeTraffic(fakeNetwork());

describe('the fake city', () => {
  test('is the same for the same seed, and big enough to mean something', () => {
    expect(fakeNetwork(5)).toEqual(fakeNetwork(5));
    const network = networkOf(fakeNetwork());
    expect(network.roads.length).toBeGreaterThan(1000);
    expect(network.byId.size).toBe(network.roads.length);
    expect(network.nowhere).toBeGreaterThan(0);
  });

  test('speaks the live stream’s language', () => {
    const roads = traffic.ids().flatMap((id) => traffic.reading(id, BEGIN) ?? []);
    const predictions = traffic.ids().flatMap((id) => traffic.predictions(id, BEGIN));
    const reroutes = traffic.reroutes(BEGIN);
    const data = { watermark: new Date(BEGIN).toISOString(), roads, predictions, reroutes };
    expect(decodeLive(JSON.stringify({ type: 'snapshot', seq: 1, data }))).toMatchObject({ kind: 'message', dropped: 0 });
    expect(predictions.length).toBe(roads.length * HORIZONS.length);
    expect(reroutes.length).toBeGreaterThan(0);
  });

  test('history ends where the newest reading is', () => {
    const id = traffic.ids().find((road) => traffic.reading(road, BEGIN)) ?? '';
    const history = traffic.history(id, BEGIN - 86_400_000, BEGIN);
    expect(history.length).toBeGreaterThan(250);
    expect(history.every((b) => Date.parse(b.ts) < BEGIN)).toBe(true);
  });
});
