// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { collection, iso, reading, session, T0 } from '../../test-support/samples';
import { doing, makeRoom, show, type } from '../../test-support/stage';
import { Failure } from '../api/failure';
import { SessionKeeper } from '../api/session';
import { Cell } from '../cell/cell';
import { light } from '../theme/light';
import { App } from './app';
import { Header } from './header';
import { Notices } from './notices';

vi.mock('./control_room', () => ({ ControlRoom: () => 'the control room' }));

const fetchFn = vi.fn<(path: string, init: RequestInit) => Promise<Response>>();

function app(): HTMLElement {
  return show(<App session={new SessionKeeper(fetchFn, window.sessionStorage)} theme={new Cell(light)} fetchFn={fetchFn} />);
}

function granted(): Promise<Response> {
  return Promise.resolve(Response.json(session(1, Date.now() + 900_000)));
}

beforeEach(() => {
  window.sessionStorage.clear();
  window.history.replaceState(null, '', '/');
  fetchFn.mockReset();
  fetchFn.mockRejectedValue(new TypeError('Failed to fetch'));
});

afterEach(() => {
  document.body.replaceChildren();
});

async function submit(root: HTMLElement): Promise<void> {
  type(root.querySelector('[name=email]'), ' a@b.example ');
  type(root.querySelector('[name=password]'), 'a password');
  await doing(async () => {
    root.querySelector('form')?.dispatchEvent(new SubmitEvent('submit', { bubbles: true, cancelable: true }));
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
}

describe('signing in', () => {
  test('leads into the control room', async () => {
    fetchFn.mockImplementationOnce(granted);
    const root = app();
    await submit(root);
    expect(fetchFn.mock.calls[0]?.[1].body).toBe('{"email":"a@b.example","password":"a password"}');
    expect(root.textContent).toBe('the control room');
  });

  test.each([
    [401, 'E-mail address or password is wrong.'],
    [400, 'E-mail address or password is wrong.'],
    [429, 'Too many requests. Wait 9 s'],
    [503, 'The server could not answer: busy.'],
  ])('HTTP %i is explained', async (status, text) => {
    fetchFn.mockResolvedValueOnce(Response.json({ detail: 'busy' }, { status, headers: { 'Retry-After': '9' } }));
    const root = app();
    await submit(root);
    expect(root.querySelector('[role=alert]')?.textContent).toContain(text);
    expect(root.querySelector<HTMLButtonElement>('[type=submit]')?.disabled).toBe(false);
  });

  test('a server that is down is explained', async () => {
    const root = app();
    await submit(root);
    expect(root.textContent).toContain('The server does not answer.');
  });

  test('a one-time code signs in and leaves the address at once', async () => {
    window.history.replaceState(null, '', '/#code=abc');
    fetchFn.mockImplementationOnce(granted);
    const root = app();
    expect(window.location.hash).toBe('');
    await doing(() => new Promise((resolve) => setTimeout(resolve, 0)));
    expect(fetchFn.mock.calls[0]?.[0]).toBe('/api/auth/link');
    expect(root.textContent).toBe('the control room');
  });

  test('a used code is explained, and the password works then', async () => {
    window.history.replaceState(null, '', '/#code=abc');
    fetchFn.mockResolvedValueOnce(Response.json({}, { status: 401 }));
    const root = app();
    await doing(() => new Promise((resolve) => setTimeout(resolve, 0)));
    expect(root.textContent).toContain('This sign-in link was used already');
    fetchFn.mockImplementationOnce(granted);
    await submit(root);
    expect(root.textContent).toBe('the control room');
  });
});

describe('the bar', () => {
  test('names the moment of the data and calls a recording one', async () => {
    const room = makeRoom(collection());
    const root = show(<Header room={room} />);
    expect(root.textContent).toContain('No data yet');
    await doing(() => {
      room.city.receive({ type: 'traffic_update', seq: 1, data: [reading('a', T0 - 3 * 365 * 86_400_000)] });
    });
    expect(root.textContent).toMatch(/Recorded data, \d\.\d years old/);
    expect(root.textContent).toMatch(/Data time.*2023/);
  });

  test('uses the server’s clock for the age of live data', async () => {
    const room = makeRoom(collection());
    const root = show(<Header room={room} />);
    const server = Date.now() + 7_200_000;
    await doing(() => {
      room.city.receive({ type: 'heartbeat', seq: 1, data: { ts: iso(server), watermark: iso(server - 120_500), degraded: false } });
    });
    expect(root.textContent).toContain('2 min old');
  });

  test('says when it will try again', async () => {
    const room = makeRoom(collection());
    const root = show(<Header room={room} />);
    await doing(() => {
      room.feed.status.set({ state: 'waiting', retryAt: Date.now() + 4000, failures: 1 });
    });
    expect(root.textContent).toMatch(/Connection lost, trying again in [45] s/);
    expect(root.querySelector('.feed button')?.textContent).toBe('Connect now');
  });
});

describe('notices', () => {
  test('are silent when all is well', () => {
    expect(show(<Notices room={makeRoom(collection())} />).textContent).toBe('');
  });

  test('a network that cannot be read can be tried again', async () => {
    const room = makeRoom(null);
    room.city.network.set({ state: 'failed', failure: new Failure('network', 'x') });
    const load = vi.spyOn(room.city, 'load').mockResolvedValue();
    const root = show(<Notices room={room} />);
    expect(root.textContent).toContain('The server does not answer.');
    await doing(() => root.querySelector('button')?.click());
    expect(load).toHaveBeenCalledOnce();
  });

  test('a lost connection says which moment is still on the screen', async () => {
    const room = makeRoom(collection());
    room.city.receive({ type: 'traffic_update', seq: 1, data: [reading('a', T0)] });
    const root = show(<Notices room={room} />);
    await doing(() => {
      room.feed.status.set({ state: 'waiting', retryAt: 0, failures: 3 });
    });
    expect(root.textContent).toMatch(/live connection is lost.*5 May 2026/);
  });

  test('a server whose own link is broken says so', async () => {
    const room = makeRoom(collection());
    const root = show(<Notices room={room} />);
    await doing(() => {
      room.city.degraded.set(true);
    });
    expect(root.textContent).toContain('Changes arrive late');
  });
});
