/**
 * The REST calls of the page. Each throws a Failure; a 401 is answered once with a
 * fresh token before it reaches the caller.
 */
import { Failure } from './failure';
import { readJSON, send, type Fetch } from './http';
import type { SessionKeeper } from './session';
import type { components, paths } from './schema.gen';
import type { Bucket, Prediction, Reroute, RoadCollection, Skill, User } from './types';

type Query = Readonly<Record<string, string | number>>;

/** The largest part of a list that the server gives at once. */
const PAGE = 1000;

/** The averages of [from, to) in buckets of `width`, times in ms. */
export interface HistoryQuery {
  readonly road: string;
  readonly from: number;
  readonly to: number;
  readonly width: '5m' | '1h';
}

export class Api {
  constructor(
    private readonly session: SessionKeeper,
    private readonly fetchFn: Fetch,
  ) {}

  /** The whole network without states, so that the browser's cache can keep it. */
  roads(): Promise<RoadCollection> {
    return this.get('/api/roads', { format: 'geojson', state: 'none' });
  }

  async history(q: HistoryQuery): Promise<Bucket[]> {
    const list = await this.get<components['schemas']['BucketList']>('/api/traffic/history', {
      road_id: q.road,
      from: new Date(q.from).toISOString(),
      to: new Date(q.to).toISOString(),
      width: q.width,
      limit: PAGE,
    });
    return list.data;
  }

  /** The newest forecasts of a road, newest first, then by horizon. */
  async predictions(road: string): Promise<Prediction[]> {
    const query = { road_id: road, limit: 50 };
    const list = await this.get<components['schemas']['PredictionList']>('/api/predictions', query);
    return list.data;
  }

  /** The advice in force, newest first. */
  async reroutes(): Promise<Reroute[]> {
    const path = '/api/reroutes/recommended';
    const list = await this.get<components['schemas']['RerouteList']>(path, { limit: PAGE });
    return list.data;
  }

  /** How well each model has forecast lately, for all roads together. */
  async skill(): Promise<Skill[]> {
    const list = await this.get<components['schemas']['SkillList']>('/api/predictions/skill', { group: 'all' });
    return list.data;
  }

  /** Who is signed in; used to find out whether the server takes our token at all. */
  me(): Promise<User> {
    return this.get('/api/me', {});
  }

  private async get<T>(path: keyof paths, query: Query): Promise<T> {
    const search = new URLSearchParams(
      Object.entries(query).map(([name, value]) => [name, String(value)]),
    ).toString();
    const url = search === '' ? path : `${path}?${search}`;
    const token = await this.session.token();
    try {
      return await readJSON<T>(await this.sendAs(token, url));
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'unauthorised') throw error;
      return readJSON<T>(await this.sendAs(await this.session.replace(token), url));
    }
  }

  private sendAs(token: string, url: string): Promise<Response> {
    return send(this.fetchFn, url, { headers: { Authorization: `Bearer ${token}` } });
  }
}
