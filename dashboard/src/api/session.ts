/**
 * Keeps the user signed in. The access token lives 15 minutes, so whoever needs one
 * asks `token()`, which exchanges the refresh token in time. A refresh token works
 * once and offering it twice ends the login, therefore at most one exchange runs at
 * a time and its successor is stored before anybody gets the new token.
 *
 * The tokens are in memory and in sessionStorage: they survive a reload and die
 * with the tab. It does not know what the tokens are used for.
 */
import { Cell } from '../cell/cell';
import { Failure } from './failure';
import { postJSON, readJSON, type Fetch } from './http';
import type { Session, User } from './types';

const STORAGE_KEY = 'cityflow.session';

/** A token that ends sooner than this is exchanged before use, in ms. */
const MARGIN_MS = 30_000;

/** Who is signed in; `ended` says that a login has run out rather than been left. */
export type Login = { readonly user: User } | { readonly user: null; readonly ended: boolean };

type KeyValue = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export class SessionKeeper {
  readonly login: Cell<Login>;
  private session: Session | null;
  private exchange: Promise<Session> | null = null;

  constructor(
    private readonly fetchFn: Fetch,
    private readonly storage: KeyValue,
    private readonly now: () => number = Date.now,
  ) {
    this.session = restore(storage);
    this.login = new Cell<Login>(
      this.session ? { user: this.session.user } : { user: null, ended: false },
    );
  }

  /** Throws a Failure; kind `unauthorised` when the pair is wrong. */
  async signIn(email: string, password: string): Promise<void> {
    await this.begin('/api/auth/login', { email, password });
  }

  /** Signs in with a one-time code; kind `unauthorised` when it was used or is too old. */
  async signInWithCode(code: string): Promise<void> {
    await this.begin('/api/auth/link', { code });
  }

  /** Ends the login here at once, and at the server as far as it can be reached. */
  async signOut(): Promise<void> {
    const refreshToken = this.session?.refresh_token;
    this.drop(false);
    if (refreshToken === undefined) return;
    try {
      await postJSON(this.fetchFn, '/api/auth/logout', { refresh_token: refreshToken });
    } catch {
      // The tokens are forgotten here; the server ends them by their age.
    }
  }

  /** An access token that is still good; throws a Failure when nobody is signed in. */
  async token(): Promise<string> {
    const session = this.session;
    if (session === null) throw new Failure('unauthorised', 'not signed in', 401);
    if (Date.parse(session.expires_at) - this.now() > MARGIN_MS) return session.token;
    return (await this.refresh()).token;
  }

  /** A token other than `refused`, which the server did not take. */
  async replace(refused: string): Promise<string> {
    if (this.session && this.session.token !== refused) return this.token();
    return (await this.refresh()).token;
  }

  private refresh(): Promise<Session> {
    this.exchange ??= this.exchangeToken().finally(() => {
      this.exchange = null;
    });
    return this.exchange;
  }

  private async exchangeToken(): Promise<Session> {
    const before = this.session;
    if (before === null) throw new Failure('unauthorised', 'not signed in', 401);
    try {
      const body = { refresh_token: before.refresh_token };
      const response = await postJSON(this.fetchFn, '/api/auth/refresh', body);
      const next = await readJSON<Session>(response);
      // Somebody may have signed out while the exchange was under way.
      if (this.session === before) this.keep(next);
      return next;
    } catch (error) {
      if (error instanceof Failure && error.kind === 'unauthorised' && this.session === before) {
        this.drop(true);
      }
      throw error;
    }
  }

  private async begin(path: string, body: unknown): Promise<void> {
    this.keep(await readJSON<Session>(await postJSON(this.fetchFn, path, body)));
  }

  private keep(session: Session): void {
    this.session = session;
    try {
      this.storage.setItem(STORAGE_KEY, JSON.stringify(session));
    } catch {
      // Without storage the login lasts until the page is left.
    }
    if (this.login.get().user?.id !== session.user.id) this.login.set({ user: session.user });
  }

  private drop(ended: boolean): void {
    this.session = null;
    this.storage.removeItem(STORAGE_KEY);
    this.login.set({ user: null, ended });
  }
}

function restore(storage: KeyValue): Session | null {
  try {
    const stored = JSON.parse(storage.getItem(STORAGE_KEY) ?? 'null') as Partial<Session> | null;
    const complete = stored?.token && stored.refresh_token && stored.expires_at && stored.user;
    return complete ? (stored as Session) : null;
  } catch {
    return null;
  }
}
