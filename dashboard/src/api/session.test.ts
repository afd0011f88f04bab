import { beforeEach, describe, expect, test } from 'vitest';
import { session, T0 } from '../../test-support/samples';
import { Failure } from './failure';
import type { Fetch } from './http';
import { SessionKeeper } from './session';

const QUARTER = 15 * 60_000;

let now: number;
let calls: { path: string; body: unknown }[];
let answers: (() => Response | Promise<Response>)[];
let stored: Map<string, string>;

const fetchFn: Fetch = async (path, init) => {
  calls.push({ path, body: JSON.parse(typeof init.body === 'string' ? init.body : 'null') as unknown });
  const answer = answers.shift();
  if (!answer) throw new TypeError('Failed to fetch');
  return answer();
};

function keeper(): SessionKeeper {
  const storage = {
    getItem: (k: string) => stored.get(k) ?? null,
    setItem: (k: string, v: string) => void stored.set(k, v),
    removeItem: (k: string) => void stored.delete(k),
  };
  return new SessionKeeper(fetchFn, storage, () => now);
}

function granted(n: number): () => Response {
  return () => Response.json(session(n, now + QUARTER));
}

function refused(status: number): () => Response {
  return () => Response.json({ title: 'No', detail: 'The token was used before.', request_id: 'r7' }, { status });
}

beforeEach(() => {
  now = T0;
  calls = [];
  answers = [];
  stored = new Map();
});

async function signedIn(): Promise<SessionKeeper> {
  answers.push(granted(1));
  const k = keeper();
  await k.signIn('a@b.example', 'a password');
  return k;
}

describe('SessionKeeper', () => {
  test('signs in, and still is after a reload', async () => {
    const k = await signedIn();
    expect(k.login.get().user?.email).toBe('a@b.example');
    expect(await k.token()).toBe('access-1');
    expect(await keeper().token()).toBe('access-1');
  });

  test('a wrong pair is a failure of its kind and signs nobody in', async () => {
    answers.push(refused(401));
    const k = keeper();
    await expect(k.signIn('a@b.example', 'wrong')).rejects.toMatchObject({ kind: 'unauthorised', message: 'The token was used before.' });
    expect(k.login.get()).toEqual({ user: null, ended: false });
    await expect(k.token()).rejects.toBeInstanceOf(Failure);
  });

  test('signs in with a one-time code', async () => {
    answers.push(granted(1));
    const k = keeper();
    await k.signInWithCode('abc');
    expect(calls).toEqual([{ path: '/api/auth/link', body: { code: 'abc' } }]);
    expect(k.login.get().user).not.toBeNull();
  });

  test('exchanges the token before it ends, once for all who ask', async () => {
    const k = await signedIn();
    now += QUARTER - 10_000;
    answers.push(granted(2));
    expect(await Promise.all([k.token(), k.token(), k.replace('access-1')])).toEqual(['access-2', 'access-2', 'access-2']);
    expect(calls.slice(1)).toEqual([{ path: '/api/auth/refresh', body: { refresh_token: 'refresh-1' } }]);
    expect(stored.get('cityflow.session')).toContain('refresh-2');
  });

  test('replace gives the newer token to who was refused with the older one', async () => {
    const k = await signedIn();
    answers.push(granted(2));
    expect(await k.replace('access-1')).toBe('access-2');
    expect(await k.replace('access-1')).toBe('access-2');
    expect(calls).toHaveLength(2);
  });

  test('a refused exchange ends the login and forgets the tokens', async () => {
    const k = await signedIn();
    now += QUARTER;
    answers.push(refused(401));
    await expect(k.token()).rejects.toMatchObject({ kind: 'unauthorised' });
    expect(k.login.get()).toEqual({ user: null, ended: true });
    expect(stored.size).toBe(0);
  });

  test('a server that is down does not end the login', async () => {
    const k = await signedIn();
    now += QUARTER;
    await expect(k.token()).rejects.toMatchObject({ kind: 'network' });
    expect(k.login.get().user).not.toBeNull();
    answers.push(granted(2));
    expect(await k.token()).toBe('access-2');
  });

  test('signing out forgets at once, also when the server cannot be told', async () => {
    const k = await signedIn();
    await k.signOut();
    expect(calls[1]).toEqual({ path: '/api/auth/logout', body: { refresh_token: 'refresh-1' } });
    expect(k.login.get()).toEqual({ user: null, ended: false });
    expect(stored.size).toBe(0);
  });

  test('an exchange that ends after the sign-out does not sign in again', async () => {
    const k = await signedIn();
    now += QUARTER;
    let answer: (response: Response) => void = () => undefined;
    answers.push(() => new Promise<Response>((resolve) => {
      answer = resolve;
    }));
    const pending = k.token();
    await k.signOut();
    answer(Response.json(session(2, now + QUARTER)));
    await pending;
    expect(k.login.get().user).toBeNull();
    expect(stored.size).toBe(0);
  });

  test.each(['', '{', '{"token":"x"}', 'null', '[]'])('passes over stored rubbish: %s', (rubbish) => {
    stored.set('cityflow.session', rubbish);
    expect(keeper().login.get().user).toBeNull();
  });
});
