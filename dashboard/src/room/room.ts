/**
 * What lives between sign-in and sign-out: the city's state, the live feed, the
 * watch on the open road and the view, wired to each other. Views get it whole.
 */
import { Api } from '../api/client';
import type { Fetch } from '../api/http';
import type { SessionKeeper } from '../api/session';
import type { Skill } from '../api/types';
import type { Cell } from '../cell/cell';
import { LiveFeed } from '../live/feed';
import { City, OUTLOOK_MIN } from '../state/city';
import { RoadWatch } from '../state/road_detail';
import { View } from '../state/view';
import type { Theme } from '../theme/theme';

/** Failed tries in a row after which we ask the server whether it knows us. */
const PROBE_AFTER = 2;

export class Room {
  readonly city: City;
  readonly feed: LiveFeed;
  readonly watch: RoadWatch;
  readonly view: View;
  private readonly api: Api;
  private readonly endings: (() => void)[] = [];

  constructor(
    readonly session: SessionKeeper,
    readonly theme: Cell<Theme>,
    fetchFn: Fetch,
    win: Window,
  ) {
    this.api = new Api(session, fetchFn);
    this.city = new City(this.api);
    this.view = new View(win);
    this.watch = new RoadWatch(this.api, this.city);
    this.feed = new LiveFeed({
      url: liveAddress(win.location),
      token: () => session.token(),
      onMessage: (message) => {
        this.city.receive(message);
      },
      onBroken: (reason) => {
        console.warn('live stream:', reason);
      },
    });
    const online = (): void => {
      this.feed.retryNow();
    };
    win.addEventListener('online', online);
    this.endings.push(() => {
      win.removeEventListener('online', online);
    });
  }

  start(): void {
    this.endings.push(
      this.view.link.subscribe(({ road }) => {
        this.watch.open(road);
      }),
      this.feed.status.subscribe(({ state, failures }) => {
        if (state === 'live' && this.city.network.get().state === 'failed') void this.city.load();
        if (state === 'waiting' && failures >= PROBE_AFTER) void this.probe();
      }),
    );
    void this.city.load();
    void this.loadAdvice();
    this.feed.start();
    this.watch.open(this.view.link.get().road);
  }

  stop(): void {
    for (const end of this.endings) end();
    this.feed.stop();
    this.watch.stop();
    this.city.stop();
    this.view.stop();
  }

  /** How well the models do, newest figures. */
  skill(): Promise<Skill[]> {
    return this.api.skill();
  }

  /** A refused handshake tells a browser nothing; a plain request finds out why. */
  private async probe(): Promise<void> {
    try {
      await this.api.me();
    } catch {
      // An ended login shows itself through the session; the rest through the feed's status.
    }
  }

  /** The feed brings advice too; this shows it where WebSockets are blocked. */
  private async loadAdvice(): Promise<void> {
    try {
      const advice = await this.api.reroutes();
      if (this.city.advice.get() === null) this.city.advice.set(advice);
    } catch {
      // The feed's snapshot carries the same list; its loss is already on the screen.
    }
  }
}

function liveAddress({ protocol, host }: Location): string {
  const scheme = protocol === 'https:' ? 'wss' : 'ws';
  return `${scheme}://${host}/ws/live?horizons=${OUTLOOK_MIN}`;
}
