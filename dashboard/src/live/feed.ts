/**
 * The page's one connection to `/ws/live`. It connects, decodes, remembers how far
 * it got and comes back by itself: after a loss it waits (see backoff), asks for a
 * token and resumes with the last `seq`, which the server answers with what was
 * missed or with a new snapshot. Its status is always true enough to show.
 *
 * It does not know what the messages mean; `onMessage` does.
 */
import type { LiveMessage } from '../api/types';
import { Cell } from '../cell/cell';
import { wallTimer, type Timer } from '../timer/timer';
import { waitBefore } from './backoff';
import { decodeLive } from './decode';

export type FeedState =
  /** Not wanted. */
  | 'stopped'
  | 'connecting'
  /** Messages arrive. */
  | 'live'
  /** Lost; tries again at `retryAt`. */
  | 'waiting';

export interface FeedStatus {
  readonly state: FeedState;
  /** When the next try begins, in ms since 1970; only while waiting. */
  readonly retryAt: number | null;
  /** How many tries in a row gave no message. */
  readonly failures: number;
}

/** What the feed needs of a WebSocket. */
export type Socket = Pick<
  WebSocket,
  'close' | 'onopen' | 'onmessage' | 'onclose' | 'onerror'
>;

export interface FeedOptions {
  /** `ws://…/ws/live` with the query of the subscription, without `seq`. */
  readonly url: string;
  /** A good access token; a rejection counts as a failed try. */
  readonly token: () => Promise<string>;
  readonly onMessage: (message: LiveMessage) => void;
  /** Told about messages that could not be read, for the console. */
  readonly onBroken: (reason: string) => void;
  readonly open?: (url: string, protocols: string[]) => Socket;
  readonly timer?: Timer;
  readonly random?: () => number;
}

/** The server sends a heartbeat each 15 s; this much silence means a dead line. */
export const SILENCE_MS = 40_000;

/** The server's way to say that the access token ran out. */
const CLOSE_TOKEN = 4401;

const STOPPED: FeedStatus = { state: 'stopped', retryAt: null, failures: 0 };

export class LiveFeed {
  readonly status = new Cell<FeedStatus>(STOPPED);
  /** When the last message came, in ms since 1970; null before the first. */
  readonly lastMessageAt = new Cell<number | null>(null);

  private readonly timer: Timer;
  private readonly random: () => number;
  private readonly open: (url: string, protocols: string[]) => Socket;
  private socket: Socket | null = null;
  private seq: number | null = null;
  private failures = 0;
  private cancelRetry: (() => void) | null = null;
  private cancelWatch: (() => void) | null = null;
  /** Changes with each try, so that the answer to an abandoned one is ignored. */
  private attempt = 0;

  constructor(private readonly options: FeedOptions) {
    this.timer = options.timer ?? wallTimer;
    this.random = options.random ?? Math.random;
    this.open = options.open ?? ((url, protocols) => new WebSocket(url, protocols));
  }

  start(): void {
    if (this.status.get().state === 'stopped') void this.connect();
  }

  stop(): void {
    this.abandon();
    this.failures = 0;
    this.status.set(STOPPED);
  }

  /** Tries again now instead of at `retryAt`; for "online" events and buttons. */
  retryNow(): void {
    if (this.status.get().state === 'waiting') void this.connect();
  }

  private async connect(): Promise<void> {
    this.abandon();
    const attempt = this.attempt;
    this.status.set({ state: 'connecting', retryAt: null, failures: this.failures });
    let token: string;
    try {
      token = await this.options.token();
    } catch {
      if (attempt === this.attempt) this.lose();
      return;
    }
    if (attempt !== this.attempt) return;
    this.watch();
    try {
      this.socket = this.listen(this.open(this.address(), ['cityflow.v1', `bearer.${token}`]));
    } catch {
      this.lose();
    }
  }

  private address(): string {
    if (this.seq === null) return this.options.url;
    const separator = this.options.url.includes('?') ? '&' : '?';
    return `${this.options.url}${separator}seq=${this.seq}`;
  }

  private listen(socket: Socket): Socket {
    socket.onmessage = (event: MessageEvent) => {
      this.receive(event.data);
    };
    socket.onclose = (event: CloseEvent) => {
      // A token that ran out is no failure of the line: come back at once, once.
      if (event.code === CLOSE_TOKEN && this.failures === 0) {
        this.failures = 1;
        void this.connect();
      } else {
        this.lose();
      }
    };
    return socket;
  }

  private receive(data: unknown): void {
    this.watch();
    this.lastMessageAt.set(this.timer.now());
    const decoded = decodeLive(typeof data === 'string' ? data : '');
    if (decoded.kind === 'broken') {
      this.options.onBroken(decoded.reason);
      return;
    }
    this.failures = 0;
    if (this.status.get().state !== 'live') {
      this.status.set({ state: 'live', retryAt: null, failures: 0 });
    }
    if (decoded.kind === 'unknown') return;
    if (decoded.dropped > 0) {
      this.options.onBroken(`${decoded.dropped} items of ${decoded.message.type} left out`);
    }
    this.options.onMessage(decoded.message);
    this.seq = decoded.message.seq;
  }

  /** Restarts the watch that takes a silent line for a dead one. */
  private watch(): void {
    this.cancelWatch?.();
    this.cancelWatch = this.timer.after(SILENCE_MS, () => {
      this.lose();
    });
  }

  private lose(): void {
    this.abandon();
    this.failures += 1;
    const wait = waitBefore(this.failures, this.random());
    this.status.set({
      state: 'waiting',
      retryAt: this.timer.now() + wait,
      failures: this.failures,
    });
    this.cancelRetry = this.timer.after(wait, () => void this.connect());
  }

  /** Lets go of the socket and of both timers. */
  private abandon(): void {
    this.attempt += 1;
    this.cancelRetry?.();
    this.cancelRetry = null;
    this.cancelWatch?.();
    this.cancelWatch = null;
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }
}
