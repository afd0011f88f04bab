import { beforeEach, describe, expect, test, vi } from 'vitest';
import { bucket, collection, iso, MINUTE, T0 } from '../../test-support/samples';
import { Api } from './client';
import type { SessionKeeper } from './session';

const fetchFn = vi.fn<(path: string, init: RequestInit) => Promise<Response>>();
const keeper = { token: vi.fn(() => Promise.resolve('t1')), replace: vi.fn(() => Promise.resolve('t2')) };
const api = new Api(keeper as unknown as SessionKeeper, fetchFn);

beforeEach(() => {
  fetchFn.mockReset();
  keeper.token.mockClear();
  keeper.replace.mockClear();
});

function sentToken(call: number): unknown {
  return (fetchFn.mock.calls[call]?.[1].headers as Record<string, string>)['Authorization'];
}

describe('Api', () => {
  test('asks for the network once without states', async () => {
    fetchFn.mockResolvedValueOnce(Response.json(collection()));
    expect(await api.roads()).toEqual(collection());
    expect(fetchFn.mock.calls[0]?.[0]).toBe('/api/roads?format=geojson&state=none');
    expect(sentToken(0)).toBe('Bearer t1');
  });

  test('asks for history with times and escaped ids', async () => {
    fetchFn.mockResolvedValueOnce(Response.json({ data: [bucket(T0)], next_cursor: '', has_more: false }));
    await api.history({ road: 'A&b=1', from: T0, to: T0 + MINUTE, width: '5m' });
    const query = new URL(fetchFn.mock.calls[0]?.[0] ?? '', 'http://x').searchParams;
    expect(Object.fromEntries(query)).toEqual({ road_id: 'A&b=1', from: iso(T0), to: iso(T0 + MINUTE), width: '5m', limit: '1000' });
  });

  test('tries once more with a fresh token after a 401, and only once', async () => {
    fetchFn.mockResolvedValueOnce(new Response(null, { status: 401 })).mockResolvedValueOnce(Response.json({ data: [] }));
    expect(await api.reroutes()).toEqual([]);
    expect(keeper.replace).toHaveBeenCalledWith('t1');
    expect(sentToken(1)).toBe('Bearer t2');

    fetchFn.mockImplementation(() => Promise.resolve(new Response(null, { status: 401 })));
    await expect(api.predictions('a')).rejects.toMatchObject({ kind: 'unauthorised' });
    expect(fetchFn).toHaveBeenCalledTimes(4);
  });

  test.each([
    [403, {}, { kind: 'forbidden' }],
    [429, { 'Retry-After': '7' }, { kind: 'limited', retryAfterMs: 7000 }],
    [400, {}, { kind: 'request', message: 'limit: 0 is not allowed' }],
    [503, {}, { kind: 'server', requestId: 'req-1' }],
  ])('HTTP %i becomes a failure that says what it means', async (status, headers, expected) => {
    const body = { title: 'No', detail: 'limit: 0 is not allowed', request_id: 'req-1' };
    fetchFn.mockResolvedValueOnce(Response.json(body, { status, headers: headers as HeadersInit }));
    await expect(api.me()).rejects.toMatchObject({ status, ...expected });
  });

  test('a page instead of JSON is the server’s failure, silence the network’s', async () => {
    fetchFn.mockResolvedValueOnce(new Response('<html>'));
    await expect(api.me()).rejects.toMatchObject({ kind: 'server' });
    fetchFn.mockResolvedValueOnce(new Response('<html>', { status: 502 }));
    await expect(api.me()).rejects.toMatchObject({ kind: 'server', message: 'HTTP 502' });
    fetchFn.mockRejectedValueOnce(new TypeError('Failed to fetch'));
    await expect(api.me()).rejects.toMatchObject({ kind: 'network', message: 'Failed to fetch' });
  });

  test('every request has a deadline', async () => {
    fetchFn.mockResolvedValueOnce(Response.json({}));
    await api.me();
    expect(fetchFn.mock.calls[0]?.[1].signal).toBeInstanceOf(AbortSignal);
  });
});
