/**
 * A real Chromium with one page, and a record of what the page must not do: talk to
 * anybody but the server, and complain on the console.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Software rendering draws WebGL on machines without a graphics card. */
const FLAGS = [
  '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

export interface Target {
  readonly url: string;
  readonly email: string;
  readonly password: string;
}

export interface Stage {
  readonly browser: Browser;
  readonly page: Page;
  /** Addresses outside of this machine that the page asked for. */
  readonly foreign: string[];
  /** Errors of the console and exceptions. */
  readonly errors: string[];
  /** Types of the messages that came over the WebSocket. */
  readonly live: string[];
}

/** The server under test; throws with what is missing. */
export function target(): Target {
  const need = (name: string): string => {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set: npm run e2e needs CITYFLOW_URL, CITYFLOW_EMAIL and CITYFLOW_PASSWORD of a running CityFlow (npm run e2e:fake starts a made-up one)`);
    return value;
  };
  return { url: need('CITYFLOW_URL'), email: need('CITYFLOW_EMAIL'), password: need('CITYFLOW_PASSWORD') };
}

export async function open(): Promise<Stage> {
  const executablePath = process.env['CITYFLOW_CHROMIUM'] ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  const stage: Stage = { browser, page, foreign: [], errors: [], live: [] };
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (/^(https?|wss?):$/.test(protocol) && !LOOPBACK.has(hostname)) stage.foreign.push(request.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error') stage.errors.push(message.text());
  });
  page.on('pageerror', (error) => stage.errors.push(String(error)));
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      const type = /^\{"type":"(\w+)"/.exec(payload.toString())?.[1];
      if (type) stage.live.push(type);
    });
  });
  return stage;
}

/** Saves what is on the screen as `<name>.png` in CITYFLOW_SCREENSHOTS. */
export async function screenshot(page: Page, name: string): Promise<Buffer> {
  const folder = process.env['CITYFLOW_SCREENSHOTS'] ?? fileURLToPath(new URL('artifacts', import.meta.url));
  mkdirSync(folder, { recursive: true });
  return page.screenshot({ path: join(folder, `${name}.png`) });
}

/**
 * Waits until the map exists and has nothing left to draw. A map that is fed faster
 * than software draws is never done; what stands after 20 s then has to do.
 */
export async function mapIdle(page: Page): Promise<void> {
  await page.waitForFunction(() => window.cityflow !== undefined);
  await Promise.race([page.evaluate(() => window.cityflow?.idle()), page.waitForTimeout(20_000)]);
}

/** What is on the screen of the map above the legend, where only the map draws. */
export async function mapOnly(page: Page): Promise<Buffer> {
  const map = await page.locator('.map').boundingBox();
  const legend = await page.locator('.legend').boundingBox();
  if (!map || !legend) throw new Error('the map or its legend is not on the screen');
  const left = map.x + 60;
  return page.screenshot({ clip: { x: left, y: map.y, width: map.width - 60, height: legend.y - map.y } });
}

/** How many pixels of a screenshot are close to each of some `#rrggbb` colours. */
export function countPixels(page: Page, png: Buffer, colours: readonly string[]): Promise<number[]> {
  return page.evaluate(
    async ({ data, wanted }) => {
      // Not by fetching a data: address, which the page's Content-Security-Policy forbids.
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext('2d');
      context?.drawImage(image, 0, 0);
      const pixels = context?.getImageData(0, 0, image.width, image.height).data ?? new Uint8ClampedArray();
      const targets = wanted.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
      const counts = targets.map(() => 0);
      for (let p = 0; p < pixels.length; p += 4) {
        targets.forEach((rgb, i) => {
          if (rgb.every((c, k) => Math.abs(c - (pixels[p + k] ?? 0)) <= 6)) counts[i] = (counts[i] ?? 0) + 1;
        });
      }
      return counts;
    },
    { data: png.toString('base64'), wanted: [...colours] },
  );
}
