/**
 * A small stand-in for the API, as a Vite plugin for `npm run dev:fake` and for
 * `npm run e2e:fake`. It speaks the page's part of openapi.yaml with made-up data:
 * ten event minutes pass each second. It is development equipment and in no build.
 *
 * Any e-mail address with the password `correct horse` signs in, the code `let-me-in`
 * once. CITYFLOW_FAKE_ROADS may name a FeatureCollection to use as the network.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http2SecureServer } from 'node:http2';
import type { Plugin } from 'vite';
import { WebSocketServer } from 'ws';
import type { Problem, RoadCollection, Session } from '../src/api/types';
import { FakeLive } from './fake_live.ts';
import { fakeNetwork } from './fake_network.ts';
import { FakeTraffic } from './fake_traffic.ts';

export const FAKE_PASSWORD = 'correct horse';
export const FAKE_CODE = 'let-me-in';

/** The policy of the real server; the development server's own scripts would break it. */
const POLICY =
  "default-src 'self'; script-src 'self'; worker-src 'self' blob:; child-src blob:; img-src 'self' data: blob:; style-src 'self'; " +
  "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Which city the fake serves. */
export interface FakeOptions {
  /** A city without roads and readings. */
  readonly empty?: boolean;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

export function fakeServer(options: FakeOptions = {}): Plugin {
  return {
    name: 'cityflow-fake-server',
    configureServer: (server) => {
      attach(new FakeApi(options), server, false);
    },
    configurePreviewServer: (server) => {
      attach(new FakeApi(options), server, true);
    },
  };
}

interface Middlewares {
  use(handler: (req: IncomingMessage, res: ServerResponse, next: () => void) => void): unknown;
}

interface Attachment {
  readonly middlewares: Middlewares;
  readonly httpServer: Server | Http2SecureServer | null;
}

function attach(api: FakeApi, { middlewares, httpServer: http }: Attachment, strict: boolean): void {
  middlewares.use((req, res, next) => {
    if (strict) res.setHeader('Content-Security-Policy', POLICY);
    if (!req.url?.startsWith('/api/')) next();
    else void api.serve(req, res);
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'cityflow.v1' });
  const upgrade = (req: IncomingMessage, socket: import('node:stream').Duplex, head: Buffer): void => {
    if (!req.url?.startsWith('/ws/live')) return;
    if (!api.knows(req.headers['sec-websocket-protocol']?.split('bearer.')[1])) {
      socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(req, socket, head, (client) => {
      api.live.join(client);
    });
  };
  (http as Server | null)?.on('upgrade', upgrade);
  http?.on('close', () => {
    api.live.stop();
  });
}

class FakeApi {
  readonly live: FakeLive;
  private readonly traffic: FakeTraffic;
  private readonly tokens = new Set<string>();
  private readonly refreshTokens = new Set<string>();
  private codeUsed = false;
  private made = 0;

  constructor(options: FakeOptions) {
    const empty: RoadCollection = { type: 'FeatureCollection', features: [] };
    this.traffic = new FakeTraffic(options.empty ? empty : network());
    this.live = new FakeLive(this.traffic);
  }

  knows(token: string | undefined): boolean {
    return token !== undefined && this.tokens.has(token);
  }

  async serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { status, body } = await this.answer(req);
    res.statusCode = status;
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    res.setHeader('Content-Type', type);
    res.end(body === undefined ? '' : JSON.stringify(body));
  }

  private async answer(req: IncomingMessage): Promise<Answer> {
    const url = new URL(req.url ?? '/', 'http://fake');
    if (req.method === 'POST') return this.auth(url.pathname, await readBody(req));
    if (!this.knows(req.headers.authorization?.slice('Bearer '.length))) {
      return problem(401, 'The token is not known.');
    }
    return this.read(url);
  }

  private auth(path: string, body: Record<string, unknown>): Answer {
    switch (path) {
      case '/api/auth/login':
        return body['password'] === FAKE_PASSWORD ? this.session(String(body['email'])) : problem(401, 'Wrong e-mail address or password.');
      case '/api/auth/link': {
        const good = body['code'] === FAKE_CODE && !this.codeUsed;
        this.codeUsed ||= good;
        return good ? this.session('admin@cityflow.local') : problem(401, 'The code was used or is too old.');
      }
      case '/api/auth/refresh':
        return this.refreshTokens.delete(String(body['refresh_token'])) ? this.session('admin@cityflow.local') : problem(401, 'Used before.');
      case '/api/auth/logout':
        this.refreshTokens.delete(String(body['refresh_token']));
        return { status: 204 };
      default:
        return problem(404, `There is no ${path}.`);
    }
  }

  private session(email: string): Answer {
    this.made += 1;
    const body: Session = {
      token: `access-${this.made}`,
      refresh_token: `refresh-${this.made}`,
      expires_at: new Date(Date.now() + 15 * 60_000).toISOString(),
      user: { id: 1, email, role: 'admin', created_at: '2026-01-01T00:00:00Z' },
    };
    this.tokens.add(body.token);
    this.refreshTokens.add(body.refresh_token);
    return { status: 200, body };
  }

  private read(url: URL): Answer {
    const road = url.searchParams.get('road_id') ?? '';
    const { now } = this.live;
    switch (url.pathname) {
      case '/api/roads':
        return { status: 200, body: this.traffic.network };
      case '/api/traffic/history':
        return list(this.traffic.history(road, time(url, 'from'), time(url, 'to')));
      case '/api/predictions':
        return list(this.traffic.predictions(road, now));
      case '/api/reroutes/recommended':
        return list(this.traffic.reroutes(now));
      case '/api/me':
        return { status: 200, body: { id: 1, email: 'admin@cityflow.local', role: 'admin', created_at: '2026-01-01T00:00:00Z' } };
      default:
        return problem(404, `There is no ${url.pathname}.`);
    }
  }
}

function network(): RoadCollection {
  const file = process.env['CITYFLOW_FAKE_ROADS'];
  return file ? (JSON.parse(readFileSync(file, 'utf8')) as RoadCollection) : fakeNetwork();
}

function time(url: URL, name: string): number {
  return Date.parse(url.searchParams.get(name) ?? '');
}

function list(data: unknown[]): Answer {
  return { status: 200, body: { data, next_cursor: '', has_more: false, watermark: null, stale: false } };
}

function problem(status: number, detail: string): Answer {
  const body: Problem = { type: 'about:blank', title: 'Refused', status, detail, request_id: 'fake-1' };
  return { status, body };
}

async function readBody(req: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
}
