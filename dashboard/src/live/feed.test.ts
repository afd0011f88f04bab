import { beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeTimer, settled } from '../../test-support/fake_timer';
import { iso, T0 } from '../../test-support/samples';
import type { LiveMessage } from '../api/types';
import { LiveFeed, SILENCE_MS, type Socket } from './feed';

/** A socket whose other end is the test. */
class Wire implements Socket {
  onopen: Socket['onopen'] = null;
  onerror: Socket['onerror'] = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  closed = false;

  constructor(readonly url: string, readonly protocols: string[]) {}

  close(): void {
    this.closed = true;
  }

  say(message: unknown): void {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) } as MessageEvent);
  }

  end(code: number): void {
    this.onclose?.({ code } as CloseEvent);
  }
}

function beat(seq: number): LiveMessage {
  return { type: 'heartbeat', seq, data: { ts: iso(T0), watermark: null, degraded: false } };
}

let timer: FakeTimer;
let wires: Wire[];
let got: LiveMessage[];
let broken: string[];
let token: ReturnType<typeof vi.fn<() => Promise<string>>>;
let feed: LiveFeed;

beforeEach(() => {
  timer = new FakeTimer();
  [wires, got, broken] = [[], [], []];
  token = vi.fn(() => Promise.resolve('t1'));
  feed = new LiveFeed({
    url: 'ws://host/ws/live?horizons=30',
    token,
    onMessage: (m) => got.push(m),
    onBroken: (reason) => broken.push(reason),
    open: (url, protocols) => {
      const wire = new Wire(url, protocols);
      wires.push(wire);
      return wire;
    },
    timer,
    random: () => 1,
  });
});

function last(): Wire {
  const wire = wires[wires.length - 1];
  if (!wire) throw new Error('no connection was opened');
  return wire;
}

async function live(): Promise<void> {
  feed.start();
  await settled();
  last().say(beat(41));
}

describe('LiveFeed', () => {
  test('connects with the token as a sub-protocol and is live from the first message on', async () => {
    feed.start();
    expect(feed.status.get().state).toBe('connecting');
    await settled();
    expect(last().protocols).toEqual(['cityflow.v1', 'bearer.t1']);
    expect(last().url).not.toContain('seq');
    last().say(beat(41));
    expect(feed.status.get().state).toBe('live');
    expect(feed.lastMessageAt.get()).toBe(timer.now());
    expect(got).toHaveLength(1);
  });

  test('comes back after a loss and resumes with the last seq', async () => {
    await live();
    last().end(1006);
    expect(feed.status.get()).toEqual({ state: 'waiting', retryAt: timer.now() + 1000, failures: 1 });
    await timer.passAsync(1000);
    expect(wires).toHaveLength(2);
    expect(last().url).toBe('ws://host/ws/live?horizons=30&seq=41');
    last().say(beat(44));
    expect(feed.status.get()).toEqual({ state: 'live', retryAt: null, failures: 0 });
  });

  test('waits longer with each failed try, and retryNow does not wait', async () => {
    feed.start();
    await settled();
    for (const wait of [1000, 2000, 4000, 8000]) {
      last().end(1006);
      expect(feed.status.get().retryAt).toBe(timer.now() + wait);
      await timer.passAsync(wait);
    }
    last().end(1006);
    const before = wires.length;
    feed.retryNow();
    await settled();
    expect(wires).toHaveLength(before + 1);
  });

  test('a token that ran out is replaced at once, but not for ever', async () => {
    await live();
    token.mockResolvedValue('t2');
    last().end(4401);
    await settled();
    expect(last().protocols[1]).toBe('bearer.t2');
    last().end(4401);
    expect(feed.status.get().state).toBe('waiting');
  });

  test('takes a silent line for a dead one', async () => {
    await live();
    timer.pass(SILENCE_MS - 1);
    expect(feed.status.get().state).toBe('live');
    timer.pass(1);
    expect(last().closed).toBe(true);
    expect(feed.status.get().state).toBe('waiting');
  });

  test('a handshake that never answers counts as a loss too', async () => {
    feed.start();
    await settled();
    timer.pass(SILENCE_MS);
    expect(feed.status.get()).toMatchObject({ state: 'waiting', failures: 1 });
  });

  test('no token, no connection, but another try', async () => {
    token.mockRejectedValueOnce(new Error('server is down'));
    feed.start();
    await settled();
    expect(wires).toHaveLength(0);
    await timer.passAsync(1000);
    expect(wires).toHaveLength(1);
  });

  test('reports messages that it cannot read and goes on', async () => {
    await live();
    last().say('{');
    last().say({ type: 'traffic_update', seq: 42, data: [{}] });
    last().say({ type: 'news', seq: 43, data: {} });
    expect(broken).toEqual(['not JSON', '1 items of traffic_update left out']);
    expect(got.map((m) => m.seq)).toEqual([41, 42]);
    expect(feed.status.get().state).toBe('live');
  });

  test('stop ends everything, also a try that waits for its token', async () => {
    await live();
    const wire = last();
    feed.stop();
    expect(wire.closed).toBe(true);
    wire.say(beat(50));
    expect(got).toHaveLength(1);
    expect(timer.pending).toBe(0);
    feed.start();
    feed.stop();
    await settled();
    expect(wires).toHaveLength(1);
    expect(feed.status.get().state).toBe('stopped');
  });
});
