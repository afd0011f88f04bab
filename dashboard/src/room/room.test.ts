// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { settled } from '../../test-support/fake_timer';
import { collection, feature, iso, reading, reroute, session, T0 } from '../../test-support/samples';
import { makeRoom } from '../../test-support/stage';
import type { Room } from './room';

/** Sockets that the room opens; the test is the server. */
const sockets: FakeSocket[] = [];

class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  closed = false;

  constructor(readonly url: string, readonly protocols: string[]) {
    sockets.push(this);
  }

  close(): void {
    this.closed = true;
  }
}

const answers = new Map<string, () => Response>();
const asked: string[] = [];

function fetchFn(path: string): Promise<Response> {
  const name = path.replace(/\?.*/, '');
  asked.push(name);
  const answer = answers.get(name);
  return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError('Failed to fetch'));
}

let room: Room;

beforeEach(async () => {
  sockets.length = 0;
  asked.length = 0;
  answers.clear();
  vi.stubGlobal('WebSocket', FakeSocket);
  answers.set('/api/auth/login', () => Response.json(session(1, Date.now() + 900_000)));
  answers.set('/api/roads', () => Response.json(collection(feature('A', 'Rue_A'))));
  answers.set('/api/reroutes/recommended', () => Response.json({ data: [reroute('A')] }));
  room = makeRoom(null, fetchFn);
  await room.session.signIn('a@b.example', 'a password');
});

afterEach(() => {
  room.stop();
  vi.unstubAllGlobals();
});

async function started(): Promise<void> {
  room.start();
  await settled();
  await settled();
}

function snapshot(): void {
  const data = { watermark: iso(T0), roads: [reading('A', T0)], predictions: [], reroutes: [], alerts: [] };
  sockets[sockets.length - 1]?.onmessage?.({ data: JSON.stringify({ type: 'snapshot', seq: 1, data }) });
}

describe('Room', () => {
  test('reads the network and the advice and opens the live feed with the token', async () => {
    await started();
    expect(room.city.network.get().state).toBe('ready');
    expect(room.city.advice.get()).toHaveLength(1);
    expect(sockets).toHaveLength(1);
    expect(sockets[0]?.url).toBe('ws://localhost:3000/ws/live?horizons=30');
    expect(sockets[0]?.protocols).toEqual(['cityflow.v1', 'bearer.access-1']);
  });

  test('live advice wins over the list that was read at the start', async () => {
    await started();
    snapshot();
    expect(room.city.roads.get('A')?.at).toBe(T0);
    expect(room.city.advice.get()).toEqual([]);
  });

  test('a network that could not be read is read again when the feed comes to life', async () => {
    answers.delete('/api/roads');
    await started();
    expect(room.city.network.get().state).toBe('failed');
    answers.set('/api/roads', () => Response.json(collection(feature('A'))));
    snapshot();
    await settled();
    await settled();
    expect(room.city.network.get().state).toBe('ready');
  });

  test('asks the server for the reason when handshakes keep failing, and sees that the login has ended', async () => {
    await started();
    sockets[0]?.onclose?.({ code: 1006 });
    expect(asked).not.toContain('/api/me');
    room.feed.retryNow();
    await settled();
    answers.set('/api/me', () => new Response(null, { status: 401 }));
    answers.set('/api/auth/refresh', () => new Response(null, { status: 401 }));
    sockets[1]?.onclose?.({ code: 1006 });
    await settled();
    await settled();
    expect(asked).toContain('/api/me');
    expect(room.session.login.get()).toEqual({ user: null, ended: true });
  });

  test('a road in the address is watched', async () => {
    answers.set('/api/predictions', () => Response.json({ data: [] }));
    await started();
    room.view.go({ road: 'A' });
    await settled();
    expect(room.watch.detail.get()?.road).toBe('A');
    expect(asked).toContain('/api/predictions');
    room.view.go({ road: null });
    expect(room.watch.detail.get()).toBeNull();
  });

  test('comes back at once when the computer is online again', async () => {
    await started();
    sockets[0]?.onclose?.({ code: 1006 });
    window.dispatchEvent(new Event('online'));
    await settled();
    expect(sockets).toHaveLength(2);
  });

  test('stop closes the line and listens to nothing any more', async () => {
    await started();
    room.stop();
    expect(sockets[0]?.closed).toBe(true);
    window.dispatchEvent(new Event('online'));
    room.view.go({ road: 'A' });
    await settled();
    expect(sockets).toHaveLength(1);
    expect(room.watch.detail.get()).toBeNull();
  });
});
